"""An evaluation is put together from settings and a checkpoint; what is missing is named."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest
from coco_files import write_coco
from small_checkpoint import NETWORK, TEST_SIZE, write_small_checkpoint

from focus_detr.config.schema import Config
from focus_detr.errors import FocusDetrError
from focus_detr.evaluation import session
from focus_detr.evaluation.session import open_evaluation
from focus_detr.inference.postprocess import Suppression


@pytest.fixture
def config(tmp_path: Path) -> Config:
    path = write_coco(tmp_path, [(64, 96)])
    data = replace(TEST_SIZE, val_annotations=str(path), val_images=str(tmp_path))
    return Config(model=NETWORK, data=data)


def test_a_batch_has_an_image(config: Config) -> None:
    with pytest.raises(FocusDetrError, match="batch size must be at least 1, got 0"):
        open_evaluation(config, "unread.safetensors", 0)


def test_validation_data_has_to_be_named(config: Config, tmp_path: Path) -> None:
    checkpoint = write_small_checkpoint(tmp_path / "best.safetensors")
    with pytest.raises(FocusDetrError, match=r"data\.val_annotations is not set"):
        open_evaluation(replace(config, data=TEST_SIZE), checkpoint, 1)


def test_as_many_detections_are_compared_and_kept_as_the_settings_say(
    config: Config, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    checkpoint = write_small_checkpoint(tmp_path / "best.safetensors")
    model = replace(NETWORK, max_detections=7, overlap_limit=0.8, overlap_candidates=9)
    monkeypatch.setattr(session, "Evaluator", lambda *given, **_: given)
    _, detector, *given = open_evaluation(replace(config, model=model), checkpoint, 1)
    assert detector.max_detections == 9
    assert Suppression(0.8, 7) in given


def test_classes_are_the_checkpoint_s(config: Config, tmp_path: Path) -> None:
    checkpoint = write_small_checkpoint(tmp_path / "best.safetensors")
    annotations = Path(str(config.data.val_annotations))
    annotations.write_text(annotations.read_text().replace('"cat"', '"lion"'))
    with pytest.raises(FocusDetrError, match=r"category 3 is 'lion' where .* 'cat'"):
        open_evaluation(config, checkpoint, 1)
