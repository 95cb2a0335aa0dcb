"""What ``--help`` prints: the head of each command's file."""

from __future__ import annotations

import ast
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[1]
COMMANDS = [
    path
    for pattern in (
        *("*.py", "scripts/*.py", "benchmarks/*.py", "custom_ops/**/build*.py"),
        "src/focus_detr/commands/*.py",
    )
    for path in sorted(ROOT.glob(pattern))
    if "ArgumentParser(" in (text := path.read_text(encoding="utf-8")) or " = build_parser(" in text
]


def test_the_commands_are_found() -> None:
    names = {path.name for path in COMMANDS}
    assert {
        "train.py",
        "eval.py",
        "predict.py",
        "convert.py",
        "fetch_sample_data.py",
        "model.py",
    } <= names


@pytest.mark.parametrize("path", COMMANDS, ids=lambda path: path.name)
def test_the_description_keeps_its_lines(path: Path) -> None:
    source = path.read_text(encoding="utf-8")
    description = ast.get_docstring(ast.parse(source))
    assert description
    assert max(map(len, description.splitlines())) <= 100  # a swallowed newline joins two lines
    # without its formatter argparse would wrap the examples into one paragraph
    keeps_lines = "RawDescriptionHelpFormatter" in source or ", __doc__)" in source
    assert "\n" not in description or keeps_lines
