"""``focus-detr`` and ``python -m focus_detr``: which command runs, and how it is named."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from focus_detr.commands.choice import COMMANDS, main

ROOT = Path(__file__).resolve().parents[2]
MODULES = ROOT / "src" / "focus_detr" / "commands"


def test_every_module_with_a_command_is_listed() -> None:
    found = {path.stem for path in MODULES.glob("*.py") if "\n@command\n" in path.read_text()}
    assert found == {*COMMANDS, "choice"}


@pytest.mark.parametrize("words", [[], ["--help"], ["-h"]])
def test_the_help_lists_each_command(
    words: list[str], monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(sys, "argv", ["focus-detr", *words])
    assert main() == 0
    told = capsys.readouterr().out.splitlines()
    for name, about in COMMANDS.items():
        assert [line.split(maxsplit=1) for line in told if line.endswith(about)] == [[name, about]]


@pytest.mark.parametrize(("word", "meant"), [("trian", "; did you mean train?"), ("xyz", "")])
def test_an_unknown_command_is_one_sentence(
    word: str, meant: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main([word, "--config", "x"]) == 2
    error = capsys.readouterr().err
    assert error == f"error: there is no command '{word}', only {', '.join(COMMANDS)}{meant}\n"


def test_the_status_is_that_of_the_command(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["eval", "--results", "missing.json", "--annotations", "x.json"]) == 2
    assert "missing.json" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("call", "named"),
    [
        (["-m", "focus_detr", "predict"], "python -m focus_detr predict"),
        (["predict.py"], "python predict.py"),
        (["scripts/browse_data.py"], "python scripts/browse_data.py"),
        (["-c", "from focus_detr.commands.eval import main; main()"], "focus-detr eval"),
    ],
)
def test_help_names_the_command_as_it_was_called(call: list[str], named: str) -> None:
    done = subprocess.run(
        [sys.executable, *call, "--help"], cwd=ROOT, capture_output=True, text=True, check=True
    )
    usage, *lines = done.stdout.splitlines()
    assert usage.startswith(f"usage: {named} [-h]")
    examples = [line for line in lines if line.startswith("    ") and " --" in line]
    assert any(line.startswith(f"    {named} ") for line in examples)
    assert named.startswith("focus-detr") or "focus-detr" not in done.stdout


def test_the_help_imports_no_library() -> None:
    code = (
        "import sys\nfrom focus_detr.commands.choice import main\nmain(['--help'])\n"
        "sys.exit(' '.join({'mindspore', 'numpy', 'cv2', 'yaml'} & set(sys.modules)))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert done.stderr == "\n"
