"""A run's record says what each of its starts was."""

from __future__ import annotations

import hashlib
import json
import os
import shlex
import sys
from datetime import datetime
from pathlib import Path

import mindspore as ms
import pytest

from focus_detr.config.loading import config_from_dict
from focus_detr.config.schema import Config, ForegroundSelectorConfig, ModelConfig, TrainConfig
from focus_detr.errors import FocusDetrError
from focus_detr.training.checkout import Checkout
from focus_detr.training.run_record import record_start


def test_a_start_and_a_resumption_are_told(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path, weights = tmp_path / "run.json", tmp_path / "last.safetensors"
    weights.write_bytes(b"weights")
    monkeypatch.setattr(sys, "orig_argv", ["python", "train.py", "train.output_dir=my runs"])
    checkout = Checkout("0123abc", dirty=True)
    monkeypatch.setattr("focus_detr.training.run_record.checkout_of", lambda file: checkout)
    config = Config(train=TrainConfig(seed=5))
    record_start(path, config, step=0, workers=1, files=())
    record_start(path, config, step=40, workers=2, files=(weights,))
    first, second = json.loads(path.read_text())
    assert (first["step"], first["workers"], first["files"]) == (0, 1, [])
    assert (second["step"], second["workers"]) == (40, 2)
    digest = hashlib.sha256(b"weights").hexdigest()
    assert second["files"] == [{"path": str(weights), "sha256": digest}]
    assert shlex.split(first["command"])[1:] == ["train.py", "train.output_dir=my runs"]
    assert first["checkout"] == {"commit": "0123abc", "dirty": True}
    assert (first["seed"], first["device"], first["host"]["cores"]) == (5, "CPU", os.cpu_count())
    assert first["versions"]["mindspore"] == ms.__version__
    assert set(first["versions"]) == {"focus_detr", "mindspore", "numpy", "opencv", "python"}
    assert datetime.fromisoformat(first["started"]) <= datetime.fromisoformat(second["started"])


def test_the_settings_can_be_used_again(tmp_path: Path) -> None:
    intervals = ((-1, 64), (64, 256), (128, 512), (256, float("inf")))
    selector = ForegroundSelectorConfig(label_intervals=intervals)
    config = Config(model=ModelConfig(foreground_selector=selector))
    record_start(tmp_path / "run.json", config, step=0, workers=1, files=())
    (entry,) = json.loads((tmp_path / "run.json").read_text(), parse_constant=pytest.fail)
    assert config_from_dict(entry["settings"]) == config


@pytest.mark.parametrize("content", ["{}", "[1"])
def test_another_file_is_not_replaced(tmp_path: Path, content: str) -> None:
    path = tmp_path / "run.json"
    path.write_text(content)
    with pytest.raises(FocusDetrError, match=r"run\.json is not"):
        record_start(path, Config(), step=0, workers=1, files=())
    assert path.read_text() == content
