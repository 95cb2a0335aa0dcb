"""Files of a run that cannot be gone on from."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from tiny_training import DESCRIPTION, TinyRun

from focus_detr.errors import FocusDetrError
from focus_detr.training.state import (
    RunFolder,
    TrainingState,
    load_state,
    save_state,
    save_weights,
)
from focus_detr.weights.checkpoint import model_tensors


def test_step_counts_whole_epochs() -> None:
    assert TrainingState(seed=0, batches_per_epoch=10, epoch=3, batch=4).step == 34


def test_weights_alone_are_not_a_state(tmp_path: Path) -> None:
    parts = TinyRun(tmp_path).trainer().parts
    path = tmp_path / "best.safetensors"
    save_weights(path, parts.model, DESCRIPTION, TrainingState(0, 3))
    with pytest.raises(FocusDetrError, match=r"optimizer\.first"):
        load_state(path, parts.model, parts.step.optimizer, DESCRIPTION)


def test_other_class_names_are_refused_and_change_nothing(tmp_path: Path) -> None:
    parts = TinyRun(tmp_path).trainer().parts
    path = tmp_path / "last.safetensors"
    save_state(path, parts.model, parts.step.optimizer, DESCRIPTION, TrainingState(0, 3))
    other = TinyRun(tmp_path, model_seed=1).trainer().parts
    before = {name: value.copy() for name, value in model_tensors(other.model).items()}
    with pytest.raises(FocusDetrError, match="cow"):
        load_state(
            path, other.model, other.step.optimizer, {**DESCRIPTION, "class_names": ["cat", "cow"]}
        )
    for name, value in model_tensors(other.model).items():
        np.testing.assert_array_equal(value, before[name])


def test_a_run_is_recognised_by_its_files(tmp_path: Path) -> None:
    folder = RunFolder(tmp_path)
    (tmp_path / "metrics.jsonl").touch()
    assert not folder.has_run()
    folder.best.touch()
    assert folder.has_run()
