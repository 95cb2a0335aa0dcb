"""Large tests are shared out as their marks say."""

from __future__ import annotations

import shlex
from pathlib import Path

import pytest
from large_jobs import FULL_SIZE_TOGETHER, jobs

pytest_plugins = ["pytester"]

MARKED = """
import pytest

@pytest.mark.large(together=2)
@pytest.mark.parametrize("case", ["a b", "c", "it's"])
def test_small(case):
    raise AssertionError("runs")

def test_usual():
    raise AssertionError("runs")

@pytest.mark.large
def test_full():
    raise AssertionError("runs")
"""


def test_full_size_networks_come_first_and_of_any_files() -> None:
    full = [f"tests/{name}.py::test" for name in "abcde"]
    small = [(f"tests/{name}.py::test[{i}]", 3) for name in "xy" for i in range(4)]
    shared = jobs([*small, *((name, None) for name in full)])
    assert shared[:2] == [full[:FULL_SIZE_TOGETHER], full[FULL_SIZE_TOGETHER:]]
    names = [name for name, _ in small]
    assert shared[2:] == [names[:3], names[3:4], names[4:7], names[7:]]


def test_nothing_runs_and_lines_are_arguments(pytester: pytest.Pytester, tmp_path: Path) -> None:
    pytester.makepyfile(test_marked=MARKED)
    file = tmp_path / "jobs"
    result = pytester.inline_run("-p", "large_jobs", "-p", "no:xdist", "--jobs", str(file))
    assert result.ret == 0
    lines = [shlex.split(line) for line in file.read_text().splitlines()]
    small = [f"test_marked.py::test_small[{case}]" for case in ("a b", "c", "it's")]
    assert lines == [["test_marked.py::test_full"], small[:2], small[2:]]


def test_what_cannot_be_collected_is_a_failure(pytester: pytest.Pytester, tmp_path: Path) -> None:
    pytester.makepyfile(test_broken="import no_such_module")
    file = tmp_path / "jobs"
    result = pytester.inline_run("-p", "large_jobs", "-p", "no:xdist", "--jobs", str(file))
    assert result.ret == pytest.ExitCode.INTERRUPTED and not file.exists()
