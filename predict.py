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
import sys
from collections.abc import Sequence
from pathlib import Path

from focus_detr.inference.inputs import collect_images
from focus_detr.inference.opening import Source, score
from focus_detr.inference.session import OutputOptions, predict_images
from focus_detr.runtime import command


def parse_arguments(argv: Sequence[str] | None) -> argparse.Namespace:
    """Command line of this program."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    add = parser.add_argument
    add("images", nargs="+", type=Path, metavar="IMAGE|FOLDER", help="what to detect on")
    source = parser.add_mutually_exclusive_group(required=True)
    source.add_argument("--checkpoint", help="weights to use")
    source.add_argument("--model", help="what export.py wrote: a file, or the folder of several")
    add("--out", type=Path, default=Path("predictions"), help="output folder")
    add("--threshold", type=score, help="smallest score; default: the model's, 0.3")
    add("--tokens", action="store_true", help="draw the kept tokens too")
    add("--json", type=Path, help="default: detections.json in the output folder")
    add("--short-side", type=int, help="resize the short side to this; default: as trained")
    add("--max-side", type=int, help="but keep the other side within; default: as trained")
    add("--device", help="CPU, GPU or Ascend; default: the best that is here")
    return parser.parse_args(argv)


@command
def main(argv: Sequence[str] | None = None) -> int:
    """Run the command."""
    arguments = parse_arguments(argv)
    source = Source(
        arguments.checkpoint,
        arguments.model,
        arguments.short_side,
        arguments.max_side,
        arguments.tokens,
        arguments.device,
    )
    inputs = collect_images(arguments.images, arguments.out)
    predictor, usual = source.open()
    threshold = usual if arguments.threshold is None else arguments.threshold
    json_file = arguments.json or arguments.out / "detections.json"
    options = OutputOptions(arguments.out, json_file, threshold, arguments.tokens)
    summary = predict_images(predictor, inputs, options)
    print(f"{summary.detections} detections in {summary.images} pictures: {arguments.out}")
    return 1 if summary.failed else 0


if __name__ == "__main__":
    sys.exit(main(None))
