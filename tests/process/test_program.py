"""How commands are named, and what installs an extra."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

from focus_detr.process import program
from focus_detr.process.program import as_called, called, install_command

ROOT = Path(__file__).resolve().parents[2]


@pytest.mark.parametrize(
    ("running", "named"),
    [
        ("/usr/bin/focus-detr", "focus-detr convert"),
        (str(ROOT / "predict.py"), "python scripts/convert_weights.py"),
        (str(ROOT / "scripts" / "browse_data.py"), "python scripts/convert_weights.py"),
        ("/somebody/predict.py", "focus-detr convert"),
        ("/x/focus_detr/__main__.py", "python -m focus_detr convert"),
        ("/x/other/__main__.py", "focus-detr convert"),
        ("", "focus-detr convert"),
    ],
)
def test_other_commands_are_named_like_the_one_that_runs(
    monkeypatch: pytest.MonkeyPatch, running: str, named: str
) -> None:
    monkeypatch.setattr(sys, "argv", [running])
    assert called("convert") == named
    assert as_called("write focus-detr convert FILE") == f"write {named} FILE"


def test_a_command_without_a_script_keeps_its_name(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "argv", [str(ROOT / "predict.py")])
    assert called("doctor") == "focus-detr doctor"


def test_an_extra_is_installed_from_where_the_package_came(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    assert install_command("onnx") == "pip install -e '.[onnx]'"
    monkeypatch.setattr(program, "__file__", str(tmp_path / "lib" / "focus_detr" / "program.py"))
    assert install_command("onnx") == "pip install 'focus-detr[onnx]'"
