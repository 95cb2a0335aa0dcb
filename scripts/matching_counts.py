r"""Count how many queries of a checkpoint lie on each object of the validation set.

    python scripts/matching_counts.py --config config/bccd_short_dac.yaml \
        --checkpoint runs/bccd_short_dac/best.safetensors

A query lies on an object if its matching score passes a threshold: 0.7 times the IoU of its box
plus 0.3 times its score of the object's class, in the last layer of the decoder. Published for
DAC-DETR beside Deformable DETR, ResNet-50, 12 epochs of COCO: 5.4 against 2.9 queries of a score
above 0.6, 3.5 against 0.4 above 0.7, 1.7 against 0.1 above 0.8.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence
from dataclasses import asdict

from focus_detr.config.loading import load_config
from focus_detr.evaluation.matching_counts import THRESHOLDS, MatchingCounts, count_matching
from focus_detr.io.files import write_json
from focus_detr.io.user_paths import path_text
from focus_detr.process.command_line import CONFIG_HELP, parse_intermixed
from focus_detr.process.runtime import command, prepare_runtime


def parse_arguments(argv: Sequence[str] | None) -> argparse.Namespace:
    """Command line of this program."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--config", type=path_text, required=True, help=CONFIG_HELP)
    parser.add_argument("--checkpoint", type=path_text, required=True, help="weights to look at")
    usual = " ".join(map(str, THRESHOLDS))
    parser.add_argument(
        "--thresholds", type=float, nargs="+", default=THRESHOLDS, help=f"of the score ({usual})"
    )
    parser.add_argument("--json", type=path_text, help="save the numbers here")
    parser.add_argument("--device", help="CPU, GPU or Ascend; default: the best that is here")
    parser.add_argument("overrides", nargs="*", metavar="key=value", help="change settings")
    return parse_intermixed(parser, argv)


def _table(counts: MatchingCounts) -> str:
    rows = zip(
        counts.thresholds, counts.queries_per_object, counts.objects_without, strict=True
    )  # queries and shares
    lines = [f"{t:<7g}{queries:>17.2f}{100 * none:>22.1f}" for t, queries, none in rows]
    return "\n".join(["above  queries/object  objects without, %", *lines])


@command
def main(argv: Sequence[str] | None = None) -> None:
    """Run the command."""
    arguments = parse_arguments(argv)
    config = load_config(arguments.config, arguments.overrides)
    prepare_runtime(arguments.device)
    counts = count_matching(config, arguments.checkpoint, tuple(arguments.thresholds))
    print(f"{_table(counts)}\n{counts.objects} objects")
    if arguments.json:
        write_json(arguments.json, asdict(counts), indent=1)


if __name__ == "__main__":
    sys.exit(main())
