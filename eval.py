"""Measure COCO box metrics; the same as ``focus-detr eval``.

    python eval.py --config config/focus_detr_r50.yaml --checkpoint best.safetensors
    python eval.py --results detections.json --annotations instances_val.json

Expect the twelve COCO numbers, AP and AP50 of each class, and the speed.
"""

import sys

from focus_detr.commands.choice import script

main = script("eval")

if __name__ == "__main__":
    sys.exit(main())
