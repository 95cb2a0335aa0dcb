"""Files of a run that cannot be gone on from."""

from __future__ import annotations

import os
import shutil
from pathlib import Path

import numpy as np
import pytest
from tiny_training import DESCRIPTION, TinyModel, TinyRun

from focus_detr.errors import FocusDetrError
from focus_detr.io.files import write_whole
from focus_detr.training.run_folder import RunFolder
from focus_detr.training.state import (
    TrainingState,
    keep_last,
    load_state,
    save_state,
    save_weights,
    with_record,
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


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"class_names": ["cat", "cow"]}, r"class names \['cat', 'dog'\], but .*'cow'"),
        ({"category_ids": [1, 3]}, r"category ids \[1, 2\], but .* \[1, 3\]"),
        (
            {"model": {"width": 8, "position": {"temperature": 20.0, "offset": 0.0}}},
            r"model\.position\.temperature=10000\.0, but the settings have 20\.0;",
        ),
        (
            {"model": {"width": 8, "encoder": {"value": "memory"}}},
            r"model\.encoder\.value=backbone, but the settings have memory;",
        ),
    ],
)
def test_another_network_of_equal_shapes_is_refused_and_changes_nothing(
    tmp_path: Path, change: dict[str, object], message: str
) -> None:
    parts = TinyRun(tmp_path).trainer().parts
    path = tmp_path / "last.safetensors"
    save_state(path, parts.model, parts.step.optimizer, DESCRIPTION, TrainingState(0, 3))
    other = TinyRun(tmp_path, model_seed=1).trainer().parts
    before = {name: value.copy() for name, value in model_tensors(other.model).items()}
    with pytest.raises(FocusDetrError, match=message):
        load_state(path, other.model, other.step.optimizer, {**DESCRIPTION, **change})
    for name, value in model_tensors(other.model).items():
        np.testing.assert_array_equal(value, before[name])


def test_settings_that_training_does_not_compute_with_may_change(tmp_path: Path) -> None:
    parts = TinyRun(tmp_path).trainer().parts
    path = tmp_path / "last.safetensors"
    save_state(path, parts.model, parts.step.optimizer, DESCRIPTION, TrainingState(0, 3, batch=2))
    model = {"width": 8, "msda": "composition", "max_detections": 7, "overlap_candidates": 9}
    description = {**DESCRIPTION, "model": {**model, "backbone": {"weights": "elsewhere"}}}
    assert load_state(path, parts.model, parts.step.optimizer, description).batch == 2


def test_the_latest_state_is_kept_though_an_abandoned_one_has_a_higher_number(
    tmp_path: Path,
) -> None:
    folder = RunFolder(tmp_path)
    for step, age in ((200, 30), (300, 20), (101, 10), (102, 0)):
        folder.last.write_text(str(step))
        os.utime(folder.last, ns=(10**18, 10**18 - age * 10**9))
        keep_last(folder, step, 2)
        folder.last.unlink()  # as when it is replaced: a new file
    kept = {path.name: path.read_text() for path in folder.kept.iterdir()}
    assert kept == {"step_00000101.safetensors": "101", "step_00000102.safetensors": "102"}


def test_going_on_from_an_earlier_state_leaves_the_later_one(tmp_path: Path) -> None:
    folder = RunFolder(tmp_path)
    for step in (100, 200):
        write_whole(folder.last, str(step).encode())
        keep_last(folder, step, 2)
    first, second = sorted(folder.kept.iterdir())
    shutil.copyfile(first, folder.last)  # what `cp` does
    assert [path.read_text() for path in (first, second, folder.last)] == ["100", "200", "100"]


def test_a_run_is_recognised_by_its_files(tmp_path: Path) -> None:
    folder = RunFolder(tmp_path)
    (tmp_path / "metrics.jsonl").touch()
    assert not folder.has_run()
    folder.best.touch()
    assert folder.has_run()


@pytest.mark.parametrize(
    ("own", "stored", "expected"),
    [(None, 0.5, 0.5), (0.3, 0.5, 0.5), (0.6, 0.5, 0.6), (0.3, None, 0.3)],
)
def test_an_earlier_state_knows_of_the_best_weights(
    tmp_path: Path, own: float | None, stored: float | None, expected: float
) -> None:
    best, state = tmp_path / "best.safetensors", TrainingState(0, 3, epoch=1, best=own)
    assert with_record(state, best) == state
    later = TrainingState(0, 3, epoch=5, best=stored)
    save_weights(best, TinyModel(), DESCRIPTION, later)
    assert with_record(state, best) == TrainingState(0, 3, epoch=1, best=expected)
    best.write_bytes(b"damaged")
    assert with_record(state, best) == state
