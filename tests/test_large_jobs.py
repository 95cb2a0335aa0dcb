"""Large tests are shared out as their marks say."""

from __future__ import annotations

import re
import shlex
import subprocess
import sys
from pathlib import Path

import pytest
from large_jobs import FULL_SIZE_TOGETHER, jobs

pytest_plugins = ["pytester"]

ROOT = Path(__file__).parents[1]
LARGE_FILE = "tests/exporting/test_golden_export.py"
FEWER = ("-o", f"testpaths={LARGE_FILE}")  # of the settings: an argument would show where they are

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


def test_the_script_asks_for_them_in_a_file_that_is_there(tmp_path: Path) -> None:
    (file := tmp_path / "jobs").touch()
    script = (ROOT / "scripts" / "run_tests.sh").read_text()
    asked = re.search(r'^run_pytest "\$@" (-m large .*)$', script, re.MULTILINE)
    assert asked is not None
    words = shlex.split(asked[1].replace("$jobs", str(file)))
    command = [sys.executable, "-m", "pytest", "-q", *FEWER, *words]
    subprocess.run(command, cwd=ROOT, check=True, capture_output=True, timeout=300)
    assert LARGE_FILE in file.read_text()
