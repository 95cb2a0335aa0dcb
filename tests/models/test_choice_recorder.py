"""What a network chose is what it went on with."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from mindspore import Tensor
from model_cases import SMALL_CLASSES, SMALLEST_BACKBONE, pynative, scatter_weights, small_config

from focus_detr.models.choice_recorder import ChoiceRecorder
from focus_detr.models.detector import Detector
from focus_detr.models.factory import build_model
from focus_detr.models.tokens import FOREGROUND, OBJECTS, PROPOSALS, UNRANKED

SHAPES = ((64, 96), (96, 64), (64, 64))


def _images(height: int, width: int) -> tuple[Tensor, Tensor]:
    pixels = np.random.default_rng(height).normal(size=(1, 3, height, width))
    size = np.array([[height - 10, width]], np.int32)
    return Tensor(pixels.astype(np.float32)), Tensor(size)


@pytest.fixture(scope="module")
def detectors() -> tuple[Detector, Detector, ChoiceRecorder]:
    """One as it is, and the same with a recorder."""
    decoder = replace(small_config().decoder, layers=1)
    config = small_config(backbone=SMALLEST_BACKBONE, decoder=decoder)
    plain, recorded = (build_model(config, SMALL_CLASSES) for _ in range(2))
    for model in (plain, recorded):
        scatter_weights(model, 3)
    recorder = ChoiceRecorder(recorded, SHAPES)
    cells = [Detector(model, max_detections=20).set_train(False) for model in (plain, recorded)]
    return cells[0], cells[1], recorder


@pytest.mark.parametrize("shape", SHAPES)
def test_choices_of_all_shapes_are_those_that_counted(
    detectors: tuple[Detector, Detector, ChoiceRecorder], shape: tuple[int, int]
) -> None:
    plain, recorded, recorder = detectors
    with pynative():
        expected = [output.asnumpy() for output in plain(*_images(*shape))]
        found = [output.asnumpy() for output in recorded(*_images(*shape))]
    for ours, theirs in zip(found, expected, strict=True):
        np.testing.assert_array_equal(ours, theirs)
    choices = recorder.last(*shape)
    names = [FOREGROUND, OBJECTS.format(1), OBJECTS.format(2), PROPOSALS]
    assert [choice.name for choice in choices] == names
    np.testing.assert_array_equal(choices[0].places, found[3][0])
    for choice in choices:
        best = np.sort(choice.scores)[::-1][: len(choice.places)]
        np.testing.assert_array_equal(choice.scores[choice.places], best)
    limits = found[4][0]
    for layer, choice in enumerate(choices[1:3]):
        real = choice.scores[choice.places] > 0.5 * UNRANKED
        assert real.sum() == min(20, limits[layer])
        assert choice.places[real].max() < limits[layer]


def test_a_graph_records_the_same(
    detectors: tuple[Detector, Detector, ChoiceRecorder],
) -> None:
    _, recorded, recorder = detectors
    height, width = SHAPES[0]
    with pynative():
        recorded(*_images(height, width))
    expected = recorder.last(height, width)
    for index in range(len(expected)):
        recorder._tops[index].places.set_data(Tensor(np.zeros_like(recorder._tops[index].places)))
    outputs = recorded(*_images(height, width))
    for ours, theirs in zip(recorder.last(height, width), expected, strict=True):
        assert set(ours.places.tolist()) == set(theirs.places.tolist())
        np.testing.assert_allclose(ours.scores, theirs.scores, rtol=1e-4, atol=1e-5)
    np.testing.assert_array_equal(recorder.last(height, width)[0].places, outputs[3].asnumpy()[0])
