"""Which large tests share a process: ``pytest --jobs=FILE`` runs none and writes a line for each.

A line holds the arguments of the ``pytest`` that ``scripts/run_tests.sh`` starts for it.
"""

from __future__ import annotations

import shlex
from collections import defaultdict
from collections.abc import Iterable
from itertools import islice
from pathlib import Path

import pytest

FULL_SIZE_TOGETHER = 4  # in up to 5 GB
Share = tuple[str, int | None]  # a test's node id, and how many of its file share a process


def pytest_addoption(parser: pytest.Parser) -> None:
    """The option that ``scripts/run_tests.sh`` gives."""
    words = "run no test, and write the arguments of each process that large tests need"
    parser.addoption("--jobs", metavar="FILE", type=Path, help=words)


@pytest.hookimpl(tryfirst=True)
def pytest_runtestloop(session: pytest.Session) -> bool | None:
    """Write the jobs instead of running anything; pytest itself tells what it could not collect."""
    path = session.config.getoption("jobs")
    if path is None or session.testsfailed:
        return None
    large = ((item.nodeid, item.get_closest_marker("large")) for item in session.items)
    chosen = ((name, mark.kwargs.get("together")) for name, mark in large if mark is not None)
    path.write_text("".join(f"{shlex.join(job)}\n" for job in jobs(chosen)))
    return True


def jobs(tests: Iterable[Share]) -> list[list[str]]:
    """Node ids by process.

    Tests of full-size networks, which name no number, come first, as they take longest; they are
    of any files. Others are together with those of their file alone.
    """
    shares: dict[tuple[str, int], list[str]] = defaultdict(list)
    for name, together in tests:
        file = "" if together is None else name.partition("::")[0]
        shares[file, together or FULL_SIZE_TOGETHER].append(name)
    return [
        job for (_, together), names in sorted(shares.items()) for job in _parts(names, together)
    ]


def _parts(names: Iterable[str], count: int) -> Iterable[list[str]]:
    rest = iter(names)
    while part := list(islice(rest, count)):
        yield part
