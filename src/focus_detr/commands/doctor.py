"""Tell what is installed here, what works, and what is missing for what.

    focus-detr doctor
    focus-detr doctor --json > report.json

Versions, devices, native operators of deformable attention and why one is not used, threads, free
memory and disk, optional packages. Expect some seconds, in which MindSpore loads; status 0 if
training and detection can work, otherwise 2. Send the report along when you ask for help.
"""

from __future__ import annotations

import argparse
import json
from collections.abc import Sequence

from focus_detr.doctor.report import Report
from focus_detr.process.command_line import build_parser
from focus_detr.process.runtime import EXIT_BAD_INPUT, command


def parse_arguments(argv: Sequence[str] | None) -> argparse.Namespace:
    """Command line of this program."""
    parser = build_parser("doctor", __doc__)
    parser.add_argument("--json", action="store_true", help="as JSON")
    return parser.parse_args(argv)


@command
def main(argv: Sequence[str] | None = None) -> int:
    """Run the command."""
    arguments = parse_arguments(argv)
    report = Report.here()
    print(json.dumps(report.to_dict(), indent=1) if arguments.json else report)
    return 0 if report.healthy else EXIT_BAD_INPUT
