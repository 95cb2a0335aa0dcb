"""The train command's endings."""

from __future__ import annotations

from pathlib import Path
from types import ModuleType, SimpleNamespace

import pytest
from script_module import load_script

from focus_detr.training.stop_signal import TrainingStopped

ROOT = Path(__file__).parents[1]


@pytest.fixture
def train() -> ModuleType:
    return load_script(ROOT / "train.py")


def _settings(folder: Path) -> str:
    path = folder / "settings.yaml"
    path.write_text("train: {batch_size: 3}\n")
    return str(path)


@pytest.mark.parametrize("stopped", [False, True])
def test_status_and_arguments(
    train: ModuleType,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    stopped: bool,
) -> None:
    calls = []

    def run() -> None:
        if stopped:
            raise TrainingStopped("stopped on request")

    def open_session(config: object, *, resume: bool, progress: bool | None) -> SimpleNamespace:
        calls.append((config, resume, progress))
        log = SimpleNamespace(close=lambda: calls.append("closed"))
        return SimpleNamespace(run=run, parts=SimpleNamespace(log=log))

    monkeypatch.setattr("focus_detr.training.session.open_session", open_session)
    arguments = ["--config", _settings(tmp_path), "train.seed=4", "--device", "cpu", "--resume"]
    assert train.main(arguments) == (130 if stopped else 0)
    assert capsys.readouterr().err == ("stopped on request\n" if stopped else "")
    config, resume, progress = calls[0]
    assert (config.train.batch_size, config.train.seed) == (3, 4)
    assert (resume, progress) == (True, None)
    assert calls[1:] == ["closed"]


def test_missing_data_is_one_sentence(
    train: ModuleType, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    output = f"train.output_dir={tmp_path / 'run'}"
    assert train.main(["--config", _settings(tmp_path), "--device", "CPU", output]) == 2
    error = capsys.readouterr().err
    assert "data.train_annotations" in error
    assert error.count("\n") == 1
    assert not (tmp_path / "run").exists()
