"""What the export command tells to type works as it stands."""

from __future__ import annotations

import shlex
from pathlib import Path

import pytest

from focus_detr.commands import export, predict


@pytest.mark.parametrize(
    "name", ["a.mindir", "-a.onnx", "--a.onnx", "a b [1]/\xe9 (2).mindir", "it's $HOME.onnx"]
)
@pytest.mark.parametrize("count", [1, 2])
def test_the_hint_names_the_model_for_a_shell(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], name: str, count: int
) -> None:
    files = [Path(f"-to [1]/{name}")] * 2 if count == 2 else [Path(name)]
    monkeypatch.setattr(export, "export_checkpoint", lambda *arguments, **options: files)
    assert export.main(["--checkpoint", "x.safetensors", f"--out={name}"]) == 0
    told = capsys.readouterr().out.partition("run it with: ")[2]
    words = shlex.split(told)
    given = predict.parse_arguments(words[words.index("predict") + 1 :])
    assert given.model == str(files[0] if count == 1 else files[0].parent)
