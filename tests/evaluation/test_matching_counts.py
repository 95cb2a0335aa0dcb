"""Queries on each object: their scores against plain NumPy, and how they are counted."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from coco_files import annotation, write_coco
from family_cases import small_family_config
from mindspore import Tensor
from model_cases import pynative, scatter_weights, small_config
from script_module import load_script
from small_checkpoint import TEST_SIZE, write_small_checkpoint

from focus_detr.config.loading import dump_yaml
from focus_detr.errors import FocusDetrError
from focus_detr.evaluation.matching_counts import MatchingScores, count_matching, tally
from focus_detr.losses.one_to_many import OneToManyMatcher
from focus_detr.models.factory import build_model

SCRIPT = Path(__file__).parents[2] / "scripts" / "matching_counts.py"
SIZES = [(64, 96), (64, 80)]


def test_queries_above_a_threshold_are_counted_for_each_object() -> None:
    first = np.array([[0.9, 0.65, 0.2], [0.1, 0.7, 0.3]])
    second = np.array([[0.61, 0.62, -1.0]])
    counts = tally([first, second], (0.6, 0.7))
    assert counts.objects == 3
    assert counts.queries_per_object == pytest.approx((5 / 3, 1 / 3))  # of 0.7 itself none
    assert counts.objects_without == pytest.approx((0.0, 2 / 3))


def test_without_an_object_there_is_nothing_to_count() -> None:
    with pytest.raises(FocusDetrError, match="no picture of the validation set has an object"):
        tally([np.zeros((0, 4))], (0.5,))


def _overlap(box: np.ndarray, other: np.ndarray) -> float:
    """IoU of two boxes, cx cy w h."""
    low = np.maximum(box[:2] - box[2:] / 2, other[:2] - other[2:] / 2)
    high = np.minimum(box[:2] + box[2:] / 2, other[:2] + other[2:] / 2)
    shared = np.prod(np.clip(high - low, 0, None))
    return float(shared / (np.prod(box[2:]) + np.prod(other[2:]) - shared))


def test_scores_are_those_of_the_last_layer() -> None:
    model = build_model(small_config(), 5)
    scatter_weights(model)
    cell = MatchingScores(model, OneToManyMatcher()).set_train(False)
    rng = np.random.default_rng(0)
    images = Tensor(rng.normal(size=(1, 3, 64, 96)).astype(np.float32))
    boxes = np.float32([[[0.4, 0.5, 0.5, 0.6], [0.5, 0.5, 1.0, 1.0]]])
    labels, valid = np.int32([[3, 0]]), np.float32([[1, 0]])
    sizes = Tensor(np.int32([[64, 96]]))
    with pynative():
        scores = cell(images, sizes, Tensor(boxes), Tensor(labels), Tensor(valid)).asnumpy()
        decoded = model(images, sizes)["decoded"]
    logits, found = (decoded[key][-1].asnumpy()[0] for key in ("logits", "boxes"))
    expected = [
        0.7 * _overlap(box, boxes[0, 0]) + 0.3 / (1 + np.exp(-logit[3]))
        for box, logit in zip(found, logits, strict=True)
    ]
    np.testing.assert_allclose(scores[0, 0], expected, atol=1e-5)
    assert (scores[0, 1] == -1).all()  # padding


def test_the_script_prints_and_saves_them(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Deformable DETR, the network that compiles fastest."""
    layers = ("model.encoder.layers=1", "model.encoder.cascade=[1.0]", "model.decoder.layers=1")
    config = small_family_config("deformable_detr_r50_50ep", *layers)
    checkpoint = write_small_checkpoint(tmp_path / "best.safetensors", model=config.model)
    boxes = [annotation(1, 1, [10, 10, 30, 20]), annotation(2, 2, [5, 5, 60, 50], category_id=7)]
    boxes.append(annotation(3, 2, [1, 1, 60, 50]))
    path = write_coco(tmp_path, SIZES, boxes)
    data = replace(TEST_SIZE, val_annotations=str(path), val_images=str(tmp_path), workers=0)
    settings, saved = tmp_path / "settings.yaml", tmp_path / "counts.json"
    config = replace(config, data=data)
    settings.write_text(dump_yaml(config))
    given = ["--config", str(settings), "--checkpoint", str(checkpoint), "--device", "CPU"]
    given += ["--thresholds", "0", "0.5", "--json", str(saved), "eval.batch_size=2"]
    assert load_script(SCRIPT).main(given) == 0
    counts = json.loads(saved.read_text())
    assert counts["objects"] == 3 and counts["thresholds"] == [0.0, 0.5]
    assert counts["queries_per_object"][0] == config.model.decoder.queries
    assert 0 <= counts["queries_per_object"][1] < config.model.decoder.queries
    lines = capsys.readouterr().out.splitlines()
    assert lines[-1] == "3 objects" and lines[1].split()[:2] == ["0", "30.00"]
    with pytest.raises(FocusDetrError, match=r"thresholds .* are 7, expected 0 to 1 each"):
        count_matching(config, checkpoint, (7,))
