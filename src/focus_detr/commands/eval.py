r"""Measure COCO box metrics of a checkpoint, an exported file, or detections saved before.

    focus-detr eval --config focus_detr_r50 --checkpoint best.safetensors
    focus-detr eval --config focus_detr_r50 --checkpoint best.safetensors \
        --batch-size 4 --results-out detections.json --json metrics.json data.workers=4
    focus-detr eval --config focus_detr_r50 --model served/r50.onnx --precision bf16
    focus-detr eval --results detections.json --annotations instances_val.json \
        eval.max_detections=300

Prints the twelve COCO numbers, AP and AP50 of each class, and the speed. The published R50 weights
reach AP 48.8 (12 epochs), 50.3 (24) and 50.4 (36) on COCO val2017.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence

from focus_detr.deploy.source_options import OPTION_NAMES, add_engine_options, engine_options
from focus_detr.evaluation.report import format_table, result_to_dict
from focus_detr.evaluation.request import EvaluationRequest
from focus_detr.io.files import write_json
from focus_detr.io.user_paths import path_text
from focus_detr.process.command_line import CONFIG_HELP, build_parser, parse_intermixed
from focus_detr.process.runtime import command


def parse_arguments(argv: Sequence[str] | None) -> argparse.Namespace:
    """Command line of this program."""
    parser = build_parser("eval", __doc__)
    parser.add_argument("--config", type=path_text, help=CONFIG_HELP)
    parser.add_argument("--checkpoint", type=path_text, help="weights to evaluate")
    parser.add_argument(
        "--model", type=path_text, help="what export.py wrote, to evaluate: a file or a folder"
    )
    add_engine_options(parser)
    batch = "default: eval.batch_size of the settings, or what --model was exported for"
    parser.add_argument("--batch-size", type=int, help=batch)
    parser.add_argument(
        "--results-out", type=path_text, help="save the detections here (COCO results)"
    )
    parser.add_argument(
        "--results", type=path_text, help="evaluate these saved detections instead of a network"
    )
    parser.add_argument("--annotations", type=path_text, help="what --results are compared with")
    parser.add_argument("--json", type=path_text, help="save the metrics here")
    parser.add_argument("--device", help="CPU, GPU or Ascend; default: the best that is here")
    parser.add_argument("overrides", nargs="*", metavar="key=value", help="change settings")
    return parse_intermixed(parser, argv)


@command
def main(argv: Sequence[str] | None = None) -> None:
    """Run the command."""
    arguments = parse_arguments(argv)
    options = engine_options(arguments)
    given = {name: value for name, value in vars(arguments).items() if name not in OPTION_NAMES}
    metrics_file = given.pop("json")
    result = EvaluationRequest(**given, options=options).measure(progress=sys.stderr.isatty())
    if result is None:
        return
    print(format_table(result))
    if metrics_file:
        write_json(metrics_file, result_to_dict(result), indent=1)
