"""Detect on pictures and videos; the same as ``focus-detr predict``.

    python predict.py --checkpoint best.safetensors photo.jpg
    python predict.py --checkpoint best.safetensors photos/ film.mp4 --out drawn --threshold 0.4

Expect drawn copies and detections.json in the folder ``predictions``, or in that of ``--out``.
"""

import sys

from focus_detr.commands.choice import script

main = script("predict")

if __name__ == "__main__":
    sys.exit(main())
