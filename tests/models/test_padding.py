"""An image's detections depend neither on its padding nor on its batch nor on its size class.

Found operation by operation, as compiling a graph per shape would take most of the time; the last
test compares that with graphs.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from functools import cache

import mindspore as ms
import numpy as np
import pytest
from family_cases import small_family_config
from golden_data import image_for
from mindspore import nn
from model_cases import SMALL_CLASSES, normalised_batch, pynative, scatter_weights, small_config

from focus_detr.config.schema import BackboneConfig, ModelConfig
from focus_detr.models.factory import build_detector

SIZES = ((120, 200), (96, 160), (200, 77), (64, 64))


@pytest.fixture(autouse=True)
def _pynative() -> Iterator[None]:
    with pynative():
        yield


@cache
def _built(config: ModelConfig) -> nn.Cell:
    detector = build_detector(config, SMALL_CLASSES)
    scatter_weights(detector.model)
    return detector


def _detector(**changes: object) -> nn.Cell:
    return _built(small_config(**changes))


def _detect(detector: nn.Cell, images: list, height: int | None, width: int | None) -> list:
    outputs = detector(*normalised_batch(images, height, width))
    return [output.asnumpy() for output in outputs[:3]]


def _images(*sizes: tuple[int, int]) -> list[np.ndarray]:
    return [image_for(index, *size, seed=3) for index, size in enumerate(sizes)]


def _assert_same(found: list, expected: list) -> None:
    """Compare the scores, labels and boxes of one image, real detections only."""
    real = expected[0] >= 0
    np.testing.assert_allclose(found[0][: real.sum()], expected[0][real], atol=1e-4)
    np.testing.assert_array_equal(found[1][: real.sum()], expected[1][real])
    np.testing.assert_allclose(found[2][: real.sum()], expected[2][real], atol=1e-4)


@pytest.mark.parametrize(
    "backbone",
    [
        BackboneConfig(name="resnet50", width_factor=0.125, depths=(1, 1, 1, 1)),
        BackboneConfig(name="resnet18", width_factor=0.25),
        BackboneConfig(name="efficientnet_lite0"),
    ],
    ids=lambda backbone: backbone.name,
)
def test_a_padded_batch_gives_what_each_image_gives_alone(backbone: BackboneConfig) -> None:
    detector = _detector(backbone=backbone)
    images = _images((128, 192), (64, 128))
    together = _detect(detector, images, 192, 256)
    for index, image in enumerate(images):
        alone = _detect(detector, [image], None, None)
        _assert_same([output[index] for output in together], [output[0] for output in alone])


FOCUS, SPARSE = "model.encoder.cascade=[1.0, 0.5]", "model.encoder.cascade=[1, 1]"


@pytest.mark.parametrize(
    ("name", "cascade"),
    [
        ("deformable_detr_focus_r50_50ep", FOCUS),
        ("deformable_detr_two_stage_focus_r50_50ep", FOCUS),
        ("dn_deformable_detr_focus_r50_50ep", FOCUS),
        ("deformable_detr_sparse_dual_r50_50ep", SPARSE),
        ("dn_deformable_detr_sparse_dual_r50_50ep", SPARSE),
        ("sparse_detr_dual_r50_50ep", SPARSE),
    ],
)
def test_no_row_of_the_family_sees_padding(name: str, cascade: str) -> None:
    detector = _built(small_family_config(name, cascade).model)
    images = _images((128, 192), (64, 128))
    together = _detect(detector, images, 192, 256)
    for index, image in enumerate(images):
        alone = _detect(detector, [image], None, None)
        _assert_same([output[index] for output in together], [output[0] for output in alone])


def test_batches_of_1_2_and_4_agree() -> None:
    detector = _detector()
    images = _images(*SIZES)
    four = _detect(detector, images, 256, 256)
    for size in (1, 2):
        for start in range(0, 4, size):
            some = _detect(detector, images[start : start + size], 256, 256)
            for index in range(size):
                expected = [output[start + index] for output in four]
                _assert_same([output[index] for output in some], expected)


@pytest.mark.parametrize("size", [(32, 32), (33, 61), (512, 32), (32, 400)])
def test_tiny_and_thin_images_work(size: tuple[int, int]) -> None:
    detector = _detector()
    scores, _, boxes = _detect(detector, _images(size), None, None)
    assert np.isfinite(boxes).all()
    assert (scores <= 1).all() and scores[0, 0] > 0


def test_a_tiny_image_in_a_large_bucket_yields_as_many_slots_as_it_has_tokens() -> None:
    detector = _detector()
    alone = _detect(detector, _images((32, 32)), None, None)
    padded = _detect(detector, _images((32, 32)), 192, 256)
    assert np.isfinite(padded[2][padded[0] >= 0]).all()
    assert (alone[0] >= 0).sum() == (padded[0] >= 0).sum()


def test_reference_evaluation_sees_padding_and_so_differs() -> None:
    config = small_config()
    padding = replace(config.padding, evaluation="none")
    images = _images((128, 192), (64, 128))
    detector = _detector(padding=padding)
    together, alone = _detect(detector, images, 192, 256), _detect(detector, images[1:], None, None)
    assert np.abs(together[0][1] - alone[0][0]).max() > 1e-3


VARIANTS = (
    {"encoder": {"keep_ratio": 1.0, "cascade": (1.0, 1.0)}},
    {"foreground_selector": {"enabled": False}},
    {"foreground_selector": {"features": "map"}},
    {"foreground_selector": {"modulation_place": "after_norm"}},
    {"encoder": {"dual_attention": False}},
    {"encoder": {"object_score": "probabilities"}},
    {"encoder": {"value": "memory"}},
    {"encoder": {"category_head": "decoder_layer"}},
    {"levels": 3},
)

ONE_LAYER = {"decoder": {"layers": 1}}  # compiles sooner


def _varied(*variants: dict) -> ModelConfig:
    """The small network with all of these changes."""
    config = small_config()
    for changes in variants:
        for key, value in changes.items():
            old = getattr(config, key)
            config = replace(config, **{key: replace(old, **value) if key != "levels" else value})
    return config


@pytest.mark.parametrize("changes", VARIANTS, ids=str)
def test_every_variant_detects_something_else(changes: dict) -> None:
    images = _images((128, 192))
    scores, _, boxes = _detect(_built(_varied(changes)), images, None, None)
    assert np.isfinite(boxes).all() and scores.max() > 0
    assert np.abs(_usual_scores() - scores).max() > 1e-6


@cache
def _usual_scores() -> np.ndarray:
    return _detect(_detector(), _images((128, 192)), None, None)[0]


@pytest.mark.parametrize(
    "config",
    [_varied(*VARIANTS[2:4], *VARIANTS[5:]), _varied(*VARIANTS[:2], VARIANTS[4], ONE_LAYER)],
    ids=["parts exchanged", "parts left out"],
)
def test_graphs_of_padded_batches_find_the_same(config: ModelConfig) -> None:
    """All variants that can stand together, so that few graphs compile them all."""
    images = _images((128, 192), (64, 128))
    detector = _built(config)
    expected = _detect(detector, images, 192, 256)
    ms.set_context(mode=ms.GRAPH_MODE)
    found = _detect(detector, images, 192, 256)
    for index in range(len(images)):
        _assert_same([output[index] for output in found], [output[index] for output in expected])
