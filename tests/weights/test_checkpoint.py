"""Checkpoints: round trip, damage, full disks, and models they do not fit."""

from __future__ import annotations

import errno
import os
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from mindspore import nn
from safetensors import SafetensorError
from safetensors.numpy import save_file

from focus_detr.errors import FocusDetrError
from focus_detr.weights import checkpoint as checkpoint_module
from focus_detr.weights.checkpoint import (
    CLASS_TENSORS,
    Checkpoint,
    load_checkpoint,
    load_into,
    model_tensors,
    read_metadata,
    save_checkpoint,
)

METADATA = {"class_names": ["Tree", "zebra ö"], "category_ids": [3, 9], "model": {"width": 8}}


class Small(nn.Cell):
    """A cell with names like the model's."""

    def __init__(self, classes: int) -> None:
        super().__init__()
        self.backbone = nn.Dense(3, 4)
        self.class_heads = nn.CellList([nn.Dense(4, classes)])
        self.label_embed = nn.Embedding(classes, 4).embedding_table


def _random_tensors() -> dict[str, np.ndarray]:
    rng = np.random.default_rng(0)
    return {
        "matrix": rng.standard_normal((3, 5)).astype(np.float32),
        "transposed": rng.standard_normal((3, 5)).T,
        "half": rng.standard_normal(4).astype(np.float16),
        "scalar": np.array(7, np.int64),
        "flags": np.array([True, False]),
        "empty": np.zeros((0, 4), np.float32),
    }


def test_round_trip_is_bit_equal(tmp_path: Path) -> None:
    tensors = _random_tensors()
    save_checkpoint(tmp_path / "a.safetensors", tensors, METADATA)
    loaded = load_checkpoint(tmp_path / "a.safetensors")
    assert loaded.metadata == {**METADATA, "format_version": 1}
    assert read_metadata(tmp_path / "a.safetensors") == loaded.metadata
    assert set(loaded.tensors) == set(tensors)
    for name, tensor in tensors.items():
        assert loaded.tensors[name].dtype == tensor.dtype
        np.testing.assert_array_equal(loaded.tensors[name], tensor, strict=True)


def test_missing_file_is_one_sentence(tmp_path: Path) -> None:
    with pytest.raises(FocusDetrError, match=r"there is no checkpoint .*nope\.safetensors"):
        load_checkpoint(tmp_path / "nope.safetensors")
    with pytest.raises(FocusDetrError, match=r"there is no checkpoint .*nope\.safetensors"):
        read_metadata(tmp_path / "nope.safetensors")


@pytest.mark.parametrize("kept", [0, 5, 60, -1])
def test_truncated_file_is_refused(tmp_path: Path, kept: int) -> None:
    path = tmp_path / "a.safetensors"
    save_checkpoint(path, _random_tensors(), METADATA)
    path.write_bytes(path.read_bytes()[:kept])
    with pytest.raises(FocusDetrError, match="damaged or not a safetensors checkpoint"):
        load_checkpoint(path)


def test_foreign_files_are_refused(tmp_path: Path) -> None:
    torch_file = tmp_path / "model.pth"
    torch_file.write_bytes(b"PK\x03\x04" + bytes(100))
    with pytest.raises(FocusDetrError, match="torch checkpoint; convert it"):
        load_checkpoint(torch_file)
    plain = tmp_path / "plain.safetensors"
    save_file({"a": np.zeros(1, np.float32)}, plain)
    with pytest.raises(FocusDetrError, match="was not written by this program"):
        load_checkpoint(plain)
    save_file({"a": np.zeros(1, np.float32)}, plain, metadata={"format_version": "2"})
    with pytest.raises(FocusDetrError, match="has format version 2"):
        load_checkpoint(plain)


def _full_disk_of_library(*_: object, **__: object) -> None:
    raise SafetensorError(
        "Error while serializing: I/O error: No space left on device (os error 28)"
    )


def _full_disk_of_system(*_: object) -> None:
    raise OSError(errno.ENOSPC, "No space left on device")


@pytest.mark.parametrize(
    ("target", "name", "failure"),
    [
        (checkpoint_module, "save_file", _full_disk_of_library),
        (os, "fsync", _full_disk_of_system),
        (os, "replace", _full_disk_of_system),
    ],
)
def test_full_disk_keeps_the_old_checkpoint(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, target: Any, name: str, failure: Any
) -> None:
    path = tmp_path / "a.safetensors"
    save_checkpoint(path, {"a": np.ones(3)}, METADATA)
    with monkeypatch.context() as patch:
        patch.setattr(target, name, failure)
        with pytest.raises(FocusDetrError, match=r"a\.safetensors: no space left"):
            save_checkpoint(path, {"a": np.zeros(3)}, METADATA)
    np.testing.assert_array_equal(load_checkpoint(path).tensors["a"], np.ones(3))
    assert os.listdir(tmp_path) == ["a.safetensors"]


def test_load_into_sets_every_parameter() -> None:
    source, target = Small(2), Small(2)
    offered = {**model_tensors(source), "optimizer.step": np.zeros(1)}
    assert not load_into(target, Checkpoint(offered, {}))
    for name, tensor in model_tensors(target).items():
        np.testing.assert_array_equal(tensor, offered[name])


def test_load_into_converts_to_the_parameter_s_type() -> None:
    model = Small(2)
    halves = {name: tensor.astype(np.float16) for name, tensor in model_tensors(model).items()}
    load_into(model, Checkpoint(halves, {}))
    assert all(tensor.dtype == np.float32 for tensor in model_tensors(model).values())


def test_loaded_parameters_do_not_share_the_checkpoint_s_memory() -> None:
    model = Small(2)
    tensors = model_tensors(model)
    load_into(model, Checkpoint(tensors, {}))
    before = model_tensors(model)["backbone.weight"]
    tensors["backbone.weight"][:] = 9
    np.testing.assert_array_equal(model_tensors(model)["backbone.weight"], before)


def test_misfit_lists_all_tensors_and_changes_nothing() -> None:
    model = Small(2)
    before = model_tensors(model)
    tensors = {name: tensor + 1 for name, tensor in before.items()}
    tensors["extra"] = tensors.pop("backbone.bias")
    tensors["backbone.weight"] = np.zeros((4, 9), np.float32)
    with pytest.raises(FocusDetrError) as caught:
        load_into(model, Checkpoint(tensors, {}, Path("a.safetensors")))
    text = str(caught.value)
    assert text.startswith("a.safetensors does not fit the model: 1 missing, 1 unexpected")
    assert "backbone.bias" in text and "extra" in text
    assert "backbone.weight: [4, 9] instead of [4, 3]" in text
    for name, tensor in model_tensors(model).items():
        np.testing.assert_array_equal(tensor, before[name])


def test_other_class_count_has_its_own_sentence() -> None:
    with pytest.raises(FocusDetrError, match=r"has 80 classes, the model 3; .*init_checkpoint"):
        load_into(Small(3), Checkpoint(model_tensors(Small(80)), {}))


def test_skipped_heads_stay_fresh() -> None:
    source, target = Small(80), Small(3)
    fresh = model_tensors(target)
    excused = load_into(target, Checkpoint(model_tensors(source), {}), skip=[CLASS_TENSORS])
    heads = {"class_heads.0.weight", "class_heads.0.bias", "label_embed"}
    assert {entry.name for entry in excused.misshapen} == heads
    for name, tensor in model_tensors(target).items():
        expected = fresh[name] if name in heads else model_tensors(source)[name]
        np.testing.assert_array_equal(tensor, expected)


def test_prefix_fills_one_part_only() -> None:
    source, target = Small(2), Small(3)
    heads = model_tensors(target)["class_heads.0.weight"]
    load_into(target, Checkpoint(model_tensors(source), {}), prefix="backbone.")
    loaded = model_tensors(target)
    np.testing.assert_array_equal(loaded["class_heads.0.weight"], heads)
    np.testing.assert_array_equal(
        loaded["backbone.weight"], model_tensors(source)["backbone.weight"]
    )


def test_names_of_earlier_versions_are_read_as_todays(tmp_path: Path) -> None:
    """A file as version 0.1.0 wrote it."""
    names = ("proposals.query_embed", "optimizer.moment1.proposals.query_embed", "level_embed")
    tensors = {name: np.full((2, 3), place, np.float32) for place, name in enumerate(names)}
    path = tmp_path / "old.safetensors"
    save_checkpoint(path, tensors, {})
    found = load_checkpoint(path).tensors
    today = ("queries.query_embed", "optimizer.moment1.queries.query_embed", "level_embed")
    assert tuple(sorted(found)) == tuple(sorted(today))
    for place, name in enumerate(today):
        np.testing.assert_array_equal(found[name], place)
