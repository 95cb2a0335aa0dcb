"""Draw loss and AP curves of one or several runs.

    python scripts/plot_run.py runs/bccd --out curves.png
    python scripts/plot_run.py runs/plain runs/improved --out both.png

Expected: a PNG with the loss on the left and AP, AP50 and AP75 of each evaluation on the right.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence
from pathlib import Path

from focus_detr.runtime import command
from focus_detr.training.curves import draw_curves, read_runs


@command
def main(argv: Sequence[str] | None = None) -> None:
    """Read the logs and draw."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("runs", nargs="+", type=Path, metavar="RUN", help="a run's output folder")
    parser.add_argument("--out", type=Path, default=Path("curves.png"), help="PNG file to write")
    arguments = parser.parse_args(argv)
    draw_curves(read_runs(arguments.runs), arguments.out)
    print(f"drawn into {arguments.out}")


if __name__ == "__main__":
    sys.exit(main())
