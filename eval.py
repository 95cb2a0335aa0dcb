r"""Measure COCO box metrics of a checkpoint, or of detections saved before.

    python eval.py --config config/focus_detr_r50.yaml --checkpoint best.safetensors
    python eval.py --config config/focus_detr_r50.yaml --checkpoint best.safetensors \
        --batch-size 4 --results-out detections.json --json metrics.json data.workers=4
    python eval.py --results detections.json --annotations instances_val.json

Prints the twelve COCO numbers, AP and AP50 of each class, and the speed. The published R50 weights
reach AP 48.8 (12 epochs), 50.3 (24) and 50.4 (36) on COCO val2017.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence

from focus_detr.config.loading import load_config
from focus_detr.config.schema import Config
from focus_detr.errors import FocusDetrError
from focus_detr.evaluation.coco_metrics import CocoResult, evaluate_detections
from focus_detr.evaluation.report import format_table, result_to_dict
from focus_detr.evaluation.results_io import read_results
from focus_detr.files import write_json
from focus_detr.runtime import command, prepare_runtime


def parse_arguments(argv: Sequence[str] | None) -> argparse.Namespace:
    """Command line of this program."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--config", help="YAML file with the settings")
    parser.add_argument("--checkpoint", help="weights to evaluate")
    parser.add_argument("--batch-size", type=int, help="default: eval.batch_size of the settings")
    parser.add_argument("--results-out", help="save the detections here (COCO results)")
    parser.add_argument("--results", help="evaluate these saved detections instead of a checkpoint")
    parser.add_argument("--annotations", help="what --results are compared with")
    parser.add_argument("--json", help="save the metrics here")
    parser.add_argument("--device", help="CPU, GPU or Ascend; default: the best that is here")
    parser.add_argument("overrides", nargs="*", metavar="key=value", help="change settings")
    return parser.parse_args(argv)


def refuse_mixture(arguments: argparse.Namespace) -> None:
    """A checkpoint or saved detections: never the options of both.

    Raises:
        FocusDetrError: options of both are given.
    """
    if arguments.results is None and arguments.annotations is None:
        return
    names = ("config", "checkpoint", "batch_size", "results_out")
    given = [f"--{n.replace('_', '-')}" for n in names if getattr(arguments, n) is not None]
    given += ["key=value"] if arguments.overrides else []
    if given:
        raise FocusDetrError(
            f"{', '.join(given)} cannot be combined with --results and --annotations: saved "
            "detections are compared without a network"
        )


def evaluate_checkpoint(arguments: argparse.Namespace, config: Config) -> CocoResult | None:
    """Run the detector over the validation images; None for workers that do not report."""
    from focus_detr.evaluation.session import open_evaluation

    prepare_runtime(arguments.device)
    batch_size = config.eval.batch_size if arguments.batch_size is None else arguments.batch_size
    evaluator = open_evaluation(config, arguments.checkpoint, batch_size)
    return evaluator.run(sys.stderr.isatty(), arguments.results_out)


@command
def main(argv: Sequence[str] | None = None) -> None:
    """Run the command."""
    arguments = parse_arguments(argv)
    refuse_mixture(arguments)
    result: CocoResult | None
    if arguments.results and arguments.annotations:
        found = read_results(arguments.results)
        result = evaluate_detections(arguments.annotations, found, arguments.results)
    elif arguments.config and arguments.checkpoint:
        config = load_config(arguments.config, arguments.overrides)
        result = evaluate_checkpoint(arguments, config)
    else:
        raise FocusDetrError("give --config and --checkpoint, or --results and --annotations")
    if result is None:
        return
    print(format_table(result))
    if arguments.json:
        write_json(arguments.json, result_to_dict(result), indent=1)


if __name__ == "__main__":
    sys.exit(main(None))
