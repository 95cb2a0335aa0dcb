"""Draw loss and AP curves of one or several runs.

    python scripts/plot_run.py runs/bccd --out curves.png
    python scripts/plot_run.py runs/plain runs/improved --out both.png
    python scripts/plot_run.py runs/a_0,runs/a_1 runs/b_0,runs/b_1 --labels plain both --metrics AP

Runs joined by commas, such as the seeds of a recipe, are drawn as their mean with a shade from the
lowest to the highest, at the steps that all of them have.

Expected: a PNG with the loss on the left and AP, AP50 and AP75 of each evaluation on the right.
Colours and marks are such that colour-blind readers can tell them apart.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence
from pathlib import Path

from focus_detr.io.user_paths import user_path
from focus_detr.process.command_line import parse_intermixed
from focus_detr.process.runtime import command
from focus_detr.training.curves import METRICS, draw_curves, read_groups


@command
def main(argv: Sequence[str] | None = None) -> None:
    """Read the logs and draw."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument(
        "groups", nargs="+", metavar="RUN[,RUN...]", help="output folders; with commas: one curve"
    )
    parser.add_argument(
        "--out",
        type=user_path,
        default=Path("curves.png"),
        help="PNG file to write, default: curves.png",
    )
    parser.add_argument(
        "--labels", nargs="+", metavar="LABEL", help="of the curves, in order; default: folders"
    )
    parser.add_argument(
        "--metrics", nargs="+", choices=METRICS, default=METRICS, help="default: all three"
    )
    arguments = parse_intermixed(parser, argv)
    groups = [[user_path(folder) for folder in group.split(",")] for group in arguments.groups]
    draw_curves(read_groups(groups, arguments.labels), arguments.out, arguments.metrics)
    print(f"drawn into {arguments.out}")


if __name__ == "__main__":
    sys.exit(main())
