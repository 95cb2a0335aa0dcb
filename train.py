"""Train Focus-DETR; the same as ``focus-detr train``.

    python train.py --config config/focus_detr_r50.yaml
    python train.py --config config/focus_detr_r50.yaml --resume
    python train.py --config config/focus_detr_r50.yaml train.batch_size=4 train.output_dir=runs/b4

Expect a summary of the data, a line with losses and times every train.log_every steps, and the COCO
metrics after every train.eval_every epochs; train.output_dir gets the weights. ``--help`` tells the
rest.
"""

import sys

from focus_detr.commands.choice import script

main = script("train")

if __name__ == "__main__":
    sys.exit(main())
