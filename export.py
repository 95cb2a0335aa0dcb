"""Write a detector as a file that serves, compared with its checkpoint; as ``focus-detr export``.

    python export.py --checkpoint best.safetensors --out served/detector.mindir
    python export.py --checkpoint best.safetensors --out served/detector.onnx --batch any

Expect a line with the largest differences for each file, and the way to run it.
"""

import sys

from focus_detr.commands.choice import script

main = script("export")

if __name__ == "__main__":
    sys.exit(main())
