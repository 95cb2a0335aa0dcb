"""Convert torch checkpoints to ours and back; the same as ``focus-detr convert``.

    python scripts/convert_weights.py published.pth r50.safetensors --recipe r50_36ep
    python scripts/convert_weights.py best.safetensors best.pth --to torch

Expect a line with the number of tensors and what the network is.
"""

import sys

from focus_detr.commands.choice import script

main = script("convert")

if __name__ == "__main__":
    sys.exit(main())
