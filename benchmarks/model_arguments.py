"""What the command lines of the model's benchmarks share."""

from __future__ import annotations

import argparse
from collections.abc import Mapping

from focus_detr.errors import FocusDetrError
from focus_detr.io.user_paths import path_text

SMALLEST_SIDE = 32  # pixels: one cell of the backbone's last map


def add_common(parser: argparse.ArgumentParser) -> None:
    """Settings, runs, device and the file for the numbers."""
    parser.add_argument(
        "--config", type=path_text, help="YAML file with the settings; default: R50, 12 epochs"
    )
    parser.add_argument("--repeat", type=int, default=5, help="timed runs of each part (5)")
    parser.add_argument("--json", type=path_text, help="save all numbers here")
    parser.add_argument("--device", help="CPU, GPU or Ascend; default: the best that is here")
    parser.add_argument("overrides", nargs="*", metavar="key=value", help="change settings")


def check_least(arguments: argparse.Namespace, least: Mapping[str, int]) -> None:
    """Refuse numbers that are too small.

    Args:
        arguments: the parsed command line.
        least: smallest number allowed per argument, named as in ``arguments``.

    Raises:
        FocusDetrError: one is smaller.
    """
    for name, smallest in least.items():
        number, option = getattr(arguments, name), name.replace("_", "-")
        if number < smallest:
            raise FocusDetrError(f"--{option} is {number}, expected {smallest} or more")
