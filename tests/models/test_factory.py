"""Settings reach the parts that they are about."""

from __future__ import annotations

from dataclasses import replace
from functools import cache
from typing import Any

import numpy as np
import pytest
from mindspore import Tensor
from model_cases import SMALL_CLASSES, shapes_only, small_config

from focus_detr.config.schema import Config, ForegroundSelectorConfig, LossConfig
from focus_detr.losses.factory import build_criterion, build_training_loss
from focus_detr.models.factory import build_attention_map, build_detector, build_model
from focus_detr.weights.checkpoint import model_tensors

OVERLAPPING = ((-1, 64), (64, 256), (128, 512), (256, 999999))


def _config(loss: LossConfig | None = None, **selector: Any) -> Config:
    model = small_config(foreground_selector=ForegroundSelectorConfig(**selector))
    return Config(model=model, loss=loss or LossConfig())


@pytest.mark.parametrize(
    ("limit", "candidates", "count"), [(None, None, 7), (0.8, None, 7), (0.8, 9, 9), (None, 9, 7)]
)
def test_a_detector_gives_what_is_compared_for_overlaps_or_stays(
    limit: float | None, candidates: int | None, count: int
) -> None:
    settings = small_config(max_detections=7, overlap_limit=limit, overlap_candidates=candidates)
    with shapes_only():
        assert build_detector(settings, SMALL_CLASSES).max_detections == count


@pytest.mark.parametrize("switch", ["supervised", "enabled"])
def test_the_foreground_loss_can_be_switched_off(switch: str) -> None:
    usual = build_criterion(_config()).loss_names
    without = build_criterion(_config(**{switch: False})).loss_names
    assert set(usual) - set(without) == {"select_loss"}


@cache
def _labels(config: Config) -> np.ndarray:
    """Labels of the tokens for a large and a small box."""
    return build_criterion(config).foreground_loss.labels(*_targets()).asnumpy()


def _targets() -> tuple[Any, ...]:
    boxes = Tensor(np.float32([[[0.5, 0.5, 0.9, 0.6], [0.3, 0.4, 0.2, 0.1]]]))
    return boxes, Tensor(np.ones((1, 2), np.float32)), Tensor(np.int32([[256, 256]])), 256, 256


@pytest.mark.parametrize(
    "selector", [{"label_intervals": OVERLAPPING}, {"label_distance": "centre"}], ids=str
)
def test_label_settings_change_the_labels(selector: dict[str, Any]) -> None:
    usual, changed = _labels(_config()), _labels(_config(**selector))
    assert usual.any() and changed.any()
    assert (usual != changed).any()


def test_the_foreground_loss_is_a_mean_or_a_sum() -> None:
    labels = _labels(_config())
    scores = Tensor(np.full(labels.shape, -0.5, np.float32))
    mean, plain = (
        float(build_criterion(_config(loss)).foreground_loss(scores, *_targets()))
        for loss in (LossConfig(), LossConfig(foreground_normaliser="none"))
    )
    assert plain == pytest.approx(mean * labels.sum(), rel=1e-5)


@pytest.mark.parametrize(
    ("encoder", "counts"),
    [
        ({}, (501, 250)),
        ({"cascade": (1.0, 1.0)}, (501, 501)),
        ({"keep_ratio": 0.3}, (301, 150)),
    ],
    ids=str,
)
def test_keep_ratio_and_cascade_decide_how_many_tokens_are_refined(
    encoder: dict[str, Any], counts: tuple[int, int]
) -> None:
    config = small_config(encoder=replace(small_config().encoder, **encoder))
    assert build_model(config, SMALL_CLASSES).selection.counts(1000) == counts


def test_the_seed_of_a_training_draws_its_first_weights() -> None:
    config = _config()
    config = replace(config, train=replace(config.train, seed=7))
    ours = model_tensors(build_training_loss(config, SMALL_CLASSES).model)
    for seed, same in ((7, True), (0, False)):
        theirs = model_tensors(build_model(config.model, SMALL_CLASSES, seed=seed))
        assert ours.keys() == theirs.keys()
        assert all(np.array_equal(ours[name], theirs[name]) for name in ours) is same


@pytest.mark.parametrize(
    ("selector", "expected"),
    [
        ({}, (False, False)),
        ({"half_pixel": True}, (True, False)),
        ({"attention_queries": "all"}, (False, True)),
    ],
    ids=str,
)
def test_settings_reach_the_map_of_where_the_decoder_looks(
    selector: dict[str, Any], expected: tuple[bool, bool]
) -> None:
    found = build_attention_map(_config(kind="sparse", **selector).model)
    assert (found.half_pixel, found.all_queries) == expected
