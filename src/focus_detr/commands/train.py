"""Train Focus-DETR.

    focus-detr train --config focus_detr_r50
    focus-detr train --config focus_detr_r50 --resume
    focus-detr train --config focus_detr_r50 train.batch_size=4 train.output_dir=runs/b4

The output folder (train.output_dir) gets config.yaml, run.json (how to repeat the run), log.txt,
metrics.jsonl, tensorboard/, last.safetensors (the state to go on from) and best.safetensors (the
weights with the highest AP). A summary of the data comes first: images, boxes of each class, sizes,
and boxes left out and why. Every train.log_every steps a line shows losses, learning rate, times
and the time that is left; after every train.eval_every epochs the twelve COCO metrics follow.
Ctrl-C, SIGTERM and a closed terminal save after the current step and end with status 130; --resume
then goes on as if nothing had happened.
"""

from __future__ import annotations

import argparse
from collections.abc import Sequence

from focus_detr.io.user_paths import path_text
from focus_detr.process.command_line import CONFIG_HELP, build_parser, parse_intermixed
from focus_detr.process.runtime import EXIT_INTERRUPTED, command
from focus_detr.process.screen import tell
from focus_detr.training.request import TrainingRequest
from focus_detr.training.stop_signal import TrainingStopped


def parse_arguments(argv: Sequence[str] | None) -> argparse.Namespace:
    """Command line of this program."""
    parser = build_parser("train", __doc__)
    parser.add_argument("--config", type=path_text, required=True, help=CONFIG_HELP)
    parser.add_argument(
        "--resume", action="store_true", help="go on from the output folder's last.safetensors"
    )
    parser.add_argument("--device", help="CPU, GPU or Ascend; default: the best that is here")
    parser.add_argument(
        "--progress",
        action=argparse.BooleanOptionalAction,
        help="draw progress bars; default: on a terminal only",
    )
    parser.add_argument("overrides", nargs="*", metavar="key=value", help="change settings")
    return parse_intermixed(parser, argv)


@command
def main(argv: Sequence[str] | None) -> int:
    """Run the command."""
    try:
        TrainingRequest(**vars(parse_arguments(argv))).run()
    except TrainingStopped as stopped:
        tell(str(stopped))
        return EXIT_INTERRUPTED
    return 0
