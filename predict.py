"""Detect on pictures: draws boxes, and on request which tokens the encoder kept.

    python predict.py --checkpoint best.safetensors photo.jpg
    python predict.py --checkpoint best.safetensors photos/ more.png --out drawn --threshold 0.4
    python predict.py --checkpoint best.safetensors photo.jpg --tokens --json boxes.json
    python predict.py --model served/detector.mindir photo.jpg

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
from focus_detr.inference.session import OutputOptions, PicturePredictor, predict_images
from focus_detr.runtime import command, prepare_runtime

USUAL_THRESHOLD = 0.3


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
    source = parser.add_mutually_exclusive_group(required=True)
    source.add_argument("--checkpoint", help="weights to use")
    source.add_argument("--model", help="what export.py wrote: a file, or the folder of several")
    parser.add_argument("--out", type=Path, default=Path("predictions"), help="output folder")
    parser.add_argument("--threshold", type=score, help="smallest score; default: the model's, 0.3")
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


def refuse_for_model(arguments: argparse.Namespace) -> None:
    """Refuse options that an exported model cannot follow.

    Raises:
        FocusDetrError: naming the option.
    """
    if arguments.short_side or arguments.max_side:
        raise FocusDetrError(
            "the sizes of an exported model are fixed: leave --short-side and "
            "--max-side out, or export with other ones"
        )
    if arguments.tokens:
        raise FocusDetrError(
            "--tokens needs --checkpoint: an exported model does not tell which tokens it kept"
        )


def open_predictor(arguments: argparse.Namespace) -> tuple[PicturePredictor, float]:
    """What detects, and the score that it shows from."""
    if arguments.model:
        from focus_detr.deploy.runner import ExportedPredictor

        refuse_for_model(arguments)
        exported = ExportedPredictor.from_path(arguments.model, arguments.device)
        exported.load_first()
        return exported, exported.sidecar.score_threshold
    prepare_runtime(arguments.device)
    # here, so that Ctrl-C while MindSpore loads ends as later
    from focus_detr.inference.predictor import Predictor

    short, longest = arguments.short_side, arguments.max_side
    predictor = Predictor.from_checkpoint(arguments.checkpoint, short_side=short, max_side=longest)
    return predictor, USUAL_THRESHOLD


@command
def main(argv: Sequence[str] | None = None) -> int:
    """Run the command."""
    arguments = parse_arguments(argv)
    check_sides(arguments.short_side, arguments.max_side)
    inputs = collect_images(arguments.images, arguments.out)
    predictor, usual = open_predictor(arguments)
    threshold = usual if arguments.threshold is None else arguments.threshold
    json_file = arguments.json or arguments.out / "detections.json"
    options = OutputOptions(arguments.out, json_file, threshold, arguments.tokens)
    summary = predict_images(predictor, inputs, options)
    print(f"{summary.detections} detections in {summary.images} pictures: {arguments.out}")
    return 1 if summary.failed else 0


if __name__ == "__main__":
    sys.exit(main(None))
