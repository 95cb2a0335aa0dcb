"""Detect on pictures: draws boxes, and on request which tokens the encoder kept.

    python predict.py --checkpoint best.safetensors photo.jpg
    python predict.py --checkpoint best.safetensors photos/ more.png --out drawn --threshold 0.4
    python predict.py --checkpoint best.safetensors photo.jpg --tokens --json boxes.json

The output folder gets a drawn copy of each picture (folders keep their inner structure),
NAME_tokens.png with --tokens, and detections.json: for each picture its size and its detections
(label, name, score, box as x1 y1 x2 y2 in pixels). Ends with status 1 if pictures of a folder had
to be skipped.
"""

from __future__ import annotations

import argparse
import math
import sys
from collections.abc import Sequence
from pathlib import Path

from focus_detr.errors import FocusDetrError
from focus_detr.inference.inputs import collect_images
from focus_detr.runtime import command, prepare_runtime


def score(text: str) -> float:
    """A score from the command line.

    Raises:
        argparse.ArgumentTypeError: no number from 0 to 1.
    """
    try:
        number = float(text)
    except ValueError:
        number = math.nan
    if not 0 <= number <= 1:
        raise argparse.ArgumentTypeError(f"{text!r} is no number from 0 to 1")
    return number


def parse_arguments(argv: Sequence[str] | None) -> argparse.Namespace:
    """Command line of this program."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument(
        "images", nargs="+", type=Path, metavar="IMAGE|FOLDER", help="what to detect on"
    )
    parser.add_argument("--checkpoint", required=True, help="weights to use")
    parser.add_argument("--out", type=Path, default=Path("predictions"), help="output folder")
    parser.add_argument("--threshold", type=score, default=0.3, help="smallest score (0.3)")
    parser.add_argument("--tokens", action="store_true", help="draw the kept tokens too")
    parser.add_argument("--json", type=Path, help="default: detections.json in the output folder")
    parser.add_argument(
        "--short-side", type=int, help="resize the short side to this; default: as trained"
    )
    parser.add_argument(
        "--max-side", type=int, help="but keep the other side within; default: as trained"
    )
    parser.add_argument("--device", help="CPU, GPU or Ascend; default: the best that is here")
    return parser.parse_args(argv)


def check_sides(short: int | None, longest: int | None) -> None:
    """Look at the test size before anything is loaded.

    Raises:
        FocusDetrError: a side is not positive, or the short one exceeds the longest.
    """
    for option, side in (("--short-side", short), ("--max-side", longest)):
        if side is not None and side < 1:
            raise FocusDetrError(f"{option} {side} must be positive")
    if short is not None and longest is not None and short > longest:
        raise FocusDetrError(f"--short-side {short} must be at most --max-side {longest}")


@command
def main(argv: Sequence[str] | None = None) -> int:
    """Run the command."""
    arguments = parse_arguments(argv)
    short, longest = arguments.short_side, arguments.max_side
    check_sides(short, longest)
    inputs = collect_images(arguments.images, arguments.out)
    prepare_runtime(arguments.device)
    # here, so that Ctrl-C while MindSpore loads ends as later
    from focus_detr.inference.predictor import Predictor
    from focus_detr.inference.session import OutputOptions, predict_images

    predictor = Predictor.from_checkpoint(arguments.checkpoint, short_side=short, max_side=longest)
    json_file = arguments.json or arguments.out / "detections.json"
    options = OutputOptions(arguments.out, json_file, arguments.threshold, arguments.tokens)
    summary = predict_images(predictor, inputs, options)
    print(f"{summary.detections} detections in {summary.images} pictures: {arguments.out}")
    return 1 if summary.failed else 0


if __name__ == "__main__":
    sys.exit(main(None))
