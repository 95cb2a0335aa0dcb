"""A detector comes from its checkpoint alone; other settings are warned about or refused."""

from __future__ import annotations

import logging
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from small_checkpoint import CLASSES, NETWORK, TEST_SIZE, write_small_checkpoint

from focus_detr.config.schema import PaddingConfig, PositionConfig
from focus_detr.errors import FocusDetrError
from focus_detr.graph_cache.store import GraphStore
from focus_detr.inference.loading import load_detector, network_settings
from focus_detr.models.backbones.frozen_conv import FrozenConv, fold_norms
from focus_detr.models.factory import build_model
from focus_detr.weights.checkpoint import (
    load_checkpoint,
    load_into,
    model_tensors,
    save_checkpoint,
)


@pytest.fixture(scope="module")
def checkpoint(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_small_checkpoint(tmp_path_factory.mktemp("small") / "best.safetensors")


def test_a_checkpoint_needs_no_settings(checkpoint: Path, caplog: pytest.LogCaptureFixture) -> None:
    loaded = load_detector(checkpoint)
    assert network_settings(checkpoint) == loaded.model
    assert (loaded.model, loaded.classes) == (NETWORK, CLASSES)
    assert loaded.data == TEST_SIZE
    plain = build_model(NETWORK, len(CLASSES))
    load_into(plain, load_checkpoint(checkpoint))
    stored, found = model_tensors(plain), model_tensors(loaded.cell.model)
    assert found.keys() == stored.keys()
    norms = {f"{name}." for name, cell in plain.cells_and_names() if isinstance(cell, FrozenConv)}
    kept = [name for name in stored if not name.startswith(tuple(norms))]
    assert norms and len(kept) > 50
    for name in kept:
        np.testing.assert_array_equal(found[name], stored[name])
    fold_norms(plain)
    for name, values in model_tensors(plain).items():
        np.testing.assert_array_equal(found[name], values)
    assert not caplog.records


def test_other_settings_are_used_with_a_warning_for_each(
    checkpoint: Path, caplog: pytest.LogCaptureFixture
) -> None:
    other = replace(
        NETWORK,
        position=PositionConfig(20.0, 0.0),
        padding=PaddingConfig(training="none", evaluation="none"),
        max_detections=3,
        overlap_candidates=9,
        msda="composition",
        encoder=replace(NETWORK.encoder, dropout=0.1),
        decoder=replace(
            NETWORK.decoder, gathering="released", dropout=0.1, self_attention_dropout=0.1
        ),
    )
    with caplog.at_level(logging.WARNING):
        assert load_detector(checkpoint, other).model == other
    trained = f"{checkpoint} was trained with model."
    assert [record.message for record in caplog.records] == [
        f"{trained}position.temperature=10000.0, but the settings have 20.0",
        f"{trained}position.offset=-0.5, but the settings have 0.0",
        f"{trained}padding.evaluation=full, but the settings have none",
    ]


def test_graphs_are_kept_by_network_settings_however_the_class_count_is_told(
    checkpoint: Path, tmp_path: Path
) -> None:
    loaded = load_detector(checkpoint)

    def store(folder: str | None = str(tmp_path), **changes: Any) -> GraphStore | None:
        replace(loaded, model=replace(loaded.model, **changes)).keep_graphs(folder)
        return loaded.cell.graph_store

    kept, told, other = store(), store(num_classes=2), store(max_detections=3)
    assert kept is not None and told is not None and other is not None
    assert kept.folder.parent == tmp_path
    assert told.folder == kept.folder != other.folder
    assert store(None) is None
    assert not list(tmp_path.iterdir())  # until there is a graph


def test_another_class_count_is_refused(checkpoint: Path) -> None:
    with pytest.raises(FocusDetrError, match=r"best\.safetensors has 2 classes, the model 5"):
        load_detector(checkpoint, replace(NETWORK, num_classes=5))


def test_another_network_is_refused_with_a_list(checkpoint: Path) -> None:
    with pytest.raises(FocusDetrError, match=r"does not fit the model(.|\n)*level_embed"):
        load_detector(checkpoint, replace(NETWORK, width=64))


def test_class_names_are_those_of_files_that_look_alike(checkpoint: Path, tmp_path: Path) -> None:
    whole = load_checkpoint(checkpoint)
    names = ["cafe\u0301", *CLASSES.names[1:]]
    path = tmp_path / "older.safetensors"
    save_checkpoint(path, whole.tensors, {**whole.metadata, "class_names": names})
    assert load_detector(path).classes.names == ("caf\xe9", *CLASSES.names[1:])


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"class_names": []}, "does not say which classes it detects"),
        ({"category_ids": [1]}, "does not say which classes it detects"),
        ({"model": None}, "has no model settings in its metadata"),
        ({"model": {"depth": 3}}, r"unknown .*model\.depth"),
    ],
)
def test_a_checkpoint_that_describes_no_detector_is_refused(
    checkpoint: Path, tmp_path: Path, changes: dict[str, object], message: str
) -> None:
    whole = load_checkpoint(checkpoint)
    path = tmp_path / "other.safetensors"
    save_checkpoint(path, whole.tensors, {**whole.metadata, **changes})
    with pytest.raises(FocusDetrError, match=rf"other\.safetensors.*{message}"):
        load_detector(path)
