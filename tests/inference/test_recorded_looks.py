"""Object tokens and scores of every kind of encoder, from its recorded choices."""

from __future__ import annotations

import numpy as np
import pytest
from family_cases import small_family_config
from mindspore import Tensor
from model_cases import pynative, scatter_weights

from focus_detr.config.schema import ModelConfig
from focus_detr.inference.recorded_looks import looks_of
from focus_detr.models.choice_recorder import ChoiceRecorder
from focus_detr.models.detector import Detector
from focus_detr.models.factory import build_model

SIZE, IMAGE = (64, 96), (64, 80)
OBJECTS = 20


def _focus() -> ModelConfig:
    return small_family_config("deformable_detr_two_stage_focus_r50_50ep").model


def _sparse() -> ModelConfig:
    even = "model.encoder.cascade=[1, 1]"
    return small_family_config("dino_sparse_dual_r50_36ep", even).model


def _dense() -> ModelConfig:
    return small_family_config("dino_r50_12ep", "model.encoder.dual_attention=true").model


@pytest.mark.parametrize("build", [_focus, _sparse, _dense])
def test_object_tokens_are_among_those_that_their_layer_refines(build: object) -> None:
    config = build()
    model = build_model(config, 5)
    scatter_weights(model, 1)
    recorder = ChoiceRecorder(model, [SIZE])
    detector = Detector(model, max_detections=20, tells_attention=False).set_train(False)
    pixels = np.random.default_rng(0).normal(size=(1, 3, *SIZE)).astype(np.float32)
    with pynative():
        outputs = detector(Tensor(pixels), Tensor(np.array([IMAGE], np.int32)))
    ranked, counts = (output.asnumpy()[0] for output in outputs[3:5])
    looks = looks_of(recorder.last(*SIZE), ranked)
    assert len(looks.objects) == len(counts) == 2
    for objects, count in zip(looks.objects, counts, strict=True):
        assert len(set(objects.tolist())) == len(objects) == min(OBJECTS, count)
        if config.foreground_selector.enabled:
            assert set(objects.tolist()) <= set(ranked[:count].tolist())
    if not config.foreground_selector.enabled:
        assert looks.scores is None
        return
    assert looks.scores is not None
    image = looks.scores[ranked[: counts[0]]]
    assert (np.diff(image) <= 0).all()  # best first
    rest = np.setdiff1d(np.arange(len(looks.scores)), ranked[: counts[0]])
    assert looks.scores[rest].max() <= image[-1]


def test_without_dual_attention_there_are_none() -> None:
    model = build_model(small_family_config("dino_r50_12ep").model, 5)
    recorder = ChoiceRecorder(model, [SIZE])
    looks = looks_of(recorder.last(*SIZE), np.arange(3), attention=np.ones(3))
    assert looks.objects == () and looks.scores is None
    assert looks.attention is not None and looks.attention.sum() == 3
