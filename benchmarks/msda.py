"""Measure deformable sampling: every implementation that is available here, side by side.

    python benchmarks/msda.py
    python benchmarks/msda.py --repeat 10 --json msda.json

The value is that of an 800 x 1066 image, [1, 17821, 8, 32] float32 with 4 levels and 4 points.
Queries: 900 that look anywhere, as in the decoder, and 8911 that look around their own token, as in
the encoder's first layer. The implementations take turns, each in a process of its own. Memory is
what the process grew by between its first forward pass and the end of its work; the limit is the
time of a plain loop that reads the same rows of the same value and adds them up.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence
from contextlib import ExitStack
from dataclasses import asdict, dataclass, field
from statistics import median

from checked_command import command
from model_report import table
from msda_worker import CASES, FORWARD, IMPLEMENTATIONS, LIMIT, PASSES, Worker

from focus_detr.errors import FocusDetrError
from focus_detr.io.files import write_json
from focus_detr.io.user_paths import path_text
from focus_detr.ops.msda_library import find_library
from focus_detr.ops.native_library import LibraryError
from focus_detr.process.runtime import prepare_runtime
from focus_detr.wording import counted

COMPOSED = "composition"
MIB = 2**20


@dataclass
class Measured:
    """One implementation on one set of queries."""

    implementation: str
    queries: str
    seconds: dict[str, list[float]] = field(default_factory=dict)  # per pass
    grown_bytes: dict[str, int] = field(default_factory=dict)

    def best(self, name: str) -> float:
        """Shortest run of a pass, in ms."""
        return 1e3 * min(self.seconds[name])

    def middle(self, name: str) -> float:
        """Median run of a pass, in ms."""
        return 1e3 * median(self.seconds[name])


def available(device: str) -> tuple[str, ...]:
    """The implementations that run here; says what is missing."""
    try:
        find_library(device)
    except LibraryError as error:
        print(f"only the compositions, because {error}\n", file=sys.stderr)
        return tuple(name for name in IMPLEMENTATIONS if COMPOSED in name)
    return (LIMIT, *IMPLEMENTATIONS)


def measure(names: Sequence[str], queries: str, device: str, repeat: int) -> list[Measured]:
    """All implementations on one set of queries, in turns."""
    results = [Measured(name, queries) for name in names]
    with ExitStack() as stack:
        workers = [stack.enter_context(Worker()) for _ in names]
        for result, worker in zip(results, workers, strict=True):
            result.grown_bytes = worker.start(result.implementation, queries, device)
        for name in PASSES:
            for _ in range(repeat):
                for result, worker in zip(results, workers, strict=True):
                    if name in result.grown_bytes:
                        result.seconds.setdefault(name, []).append(worker.seconds(name))
    return results


def report(results: Sequence[Measured]) -> str:
    """A row per implementation and pass."""
    by_name = {result.implementation: result for result in results}
    rows = [
        _row(name, result, by_name)
        for name in PASSES
        for result in results
        if name in result.seconds
    ]
    header = ("pass", "implementation", "median ms", "min ms", "MiB", "speed-up", "of the limit")
    return table(header, rows)


def _row(name: str, result: Measured, by_name: dict[str, Measured]) -> tuple[str, ...]:
    composed = by_name[IMPLEMENTATIONS[0]].best(name)
    limit = by_name[LIMIT].best(FORWARD) if LIMIT in by_name and name == FORWARD else 0.0
    return (
        name,
        result.implementation,
        f"{result.middle(name):.1f}",
        f"{result.best(name):.1f}",
        f"{result.grown_bytes[name] / MIB:.0f}",
        f"{composed / result.best(name):.1f}",
        f"{limit / result.best(name):.0%}" if limit else "-",
    )


def parse_arguments(argv: Sequence[str] | None) -> argparse.Namespace:
    """Command line of this program."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--repeat", type=int, default=7, help="timed runs of each pass (7)")
    parser.add_argument("--queries", choices=tuple(CASES), action="append", help="only these")
    parser.add_argument("--json", type=path_text, help="save all numbers here")
    parser.add_argument("--device", help="CPU, GPU or Ascend; default: the best that is here")
    arguments = parser.parse_args(argv)
    if arguments.repeat < 1:
        raise FocusDetrError(f"--repeat is {arguments.repeat}, expected 1 or more")
    return arguments


@command
def main(argv: Sequence[str] | None = None) -> None:
    """Run the command."""
    arguments = parse_arguments(argv)
    device = prepare_runtime(arguments.device)
    names, results = available(device), []
    for queries in arguments.queries or CASES:
        measured = measure(names, queries, device, arguments.repeat)
        results += measured
        runs = counted(arguments.repeat, "run")
        print(f"{queries} on {device}, {runs}\n{report(measured)}\n", flush=True)
        if arguments.json:
            about = {"device": device, "repeat": arguments.repeat}
            write_json(arguments.json, {**about, "results": [asdict(r) for r in results]}, indent=1)


if __name__ == "__main__":
    sys.exit(main(None))
