"""Compare Focus-DETR with a public detector: Hugging Face transformers' Deformable DETR.

    python -m pip install torch==2.13.0 transformers==4.57.1
    python benchmarks/peer.py --json peer.json
    python benchmarks/peer.py --backbone --config focus_detr_swin_tiny --height 800 --width 1066
    python benchmarks/peer.py model.encoder.keep_ratio=1.0 model.encoder.cascade=[1,1,1,1,1,1]

The peer needs torch and transformers, which nothing else here does. It is built without a download,
with random weights and the sizes of our settings: ResNet-50, levels, layers, widths, points and
queries, with two stages and box refinement. What differs:

- its encoder refines all tokens (so does ours with the last command above);
- it has no foreground selector and no dual attention;
- our training step also has denoising queries (none with denoising.number=0);
- torch runs operation by operation, MindSpore one compiled graph.

With --backbone it is our backbone alone beside transformers' Swin Transformer of the same sizes, in
evaluation and in a training step whose loss is the mean square of the maps.

Prints weights and multiply-adds, the latency of the forward pass (one image) and of the training
step (train.batch_size images, ten boxes each), and the memory of each process. Both see the same
numbers on the same CPU cores: all that this process may use, one with "taskset -c 0". They take
turns in the forward pass; training steps, which need gigabytes, run one after the other.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence

from model_arguments import SMALLEST_SIDE, add_common, check_least
from peer_work import require_packages

from focus_detr.errors import FocusDetrError
from focus_detr.process.command_line import parse_intermixed
from focus_detr.process.runtime import command

FORWARD, TRAINING = "forward", "training"


def parse_arguments(argv: Sequence[str] | None) -> argparse.Namespace:
    """Command line of this program."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    add_common(parser)
    parser.add_argument("--height", type=int, default=480, help="of the images (480)")
    parser.add_argument("--width", type=int, default=640, help="likewise (640)")
    parser.add_argument(
        "--backbone", action="store_true", help="only the backbones, of Swin Transformers"
    )
    parser.add_argument("--skip", choices=(FORWARD, TRAINING), help="leave one of the two out")
    arguments = parse_intermixed(parser, argv)
    check_least(arguments, {"height": SMALLEST_SIDE, "width": SMALLEST_SIDE, "repeat": 1})
    if (arguments.device or "CPU").upper() != "CPU":
        raise FocusDetrError(f"--device is {arguments.device}, but the peer is run on a CPU only")
    return arguments


@command
def main(argv: Sequence[str] | None = None) -> None:
    """Run the command."""
    arguments = parse_arguments(argv)
    require_packages()
    from peer_comparison import compare  # loads MindSpore, which the peer's process must not

    compare(arguments, forward=arguments.skip != FORWARD, training=arguments.skip != TRAINING)


if __name__ == "__main__":
    sys.exit(main(None))
