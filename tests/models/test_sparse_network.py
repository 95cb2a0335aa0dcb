"""Sparse DETR's selection and encoder in a small network: counts and invariants."""

from __future__ import annotations

import numpy as np
import pytest
from mindspore import Tensor
from model_cases import pynative
from sparse_cases import SIZES, ObjectScore, encoded, pictures, sparse_config, sparse_model

from focus_detr.config.schema import PaddingConfig
from focus_detr.models.detector import Detector
from focus_detr.models.encoder.dense import DenseEncoder
from focus_detr.models.encoder.focus import FocusEncoder
from focus_detr.models.selection.token_ranking import kept_count

PARTIAL = PaddingConfig(evaluation="partial")


def test_each_image_keeps_its_share_and_the_rest_stays_as_it_was() -> None:
    model = sparse_model(sparse_config(padding=PARTIAL))
    with pynative():
        tokens, selection, result, grid = encoded(model, *pictures())
    valid = grid["valid"].asnumpy().sum(1)
    kept = [kept_count(int(count), 0.3) for count in valid]
    assert selection["written"].asnumpy().tolist() == [[count] * 2 for count in kept]
    before, after = tokens.asnumpy(), result["memory"].asnumpy()
    for image, count in enumerate(kept):
        moved = np.abs(after[image] - before[image]).max(1) > 0
        listed = set(selection["ranked"].asnumpy()[image, :count].tolist())
        assert set(np.flatnonzero(moved).tolist()) == listed


@pytest.mark.parametrize("score", ["logits", "probabilities"])
def test_without_padding_tokens_may_be_carried_or_gathered_again(score: ObjectScore) -> None:
    model = sparse_model(sparse_config(dual_attention=True, object_score=score))
    one = pictures(SIZES[:1])
    with pynative():
        carried = encoded(model, *one)[2]["memory"].asnumpy()
        model.encoder = FocusEncoder(list(model.encoder.layers), reads_memory=True)
        gathered = encoded(model, *one)[2]["memory"].asnumpy()
    np.testing.assert_allclose(carried, gathered, rtol=0, atol=1e-6)


def test_a_ratio_of_one_is_the_dense_encoder() -> None:
    model = sparse_model(sparse_config(keep_ratio=1.0))
    one = pictures(SIZES[:1])
    with pynative():
        tokens, selection, result, _ = encoded(model, *one)
        assert selection["written"].asnumpy().tolist() == [[tokens.shape[1]] * 2]
        model.encoder = DenseEncoder(list(model.encoder.layers), reads_memory=True)
        dense = encoded(model, *one)[2]["memory"].asnumpy()
    np.testing.assert_allclose(result["memory"].asnumpy(), dense, rtol=0, atol=1e-5)


@pytest.mark.parametrize(
    ("dual_attention", "score"), [(False, "logits"), (True, "logits"), (True, "probabilities")]
)
def test_detections_do_not_depend_on_the_batch(dual_attention: bool, score: ObjectScore) -> None:
    model = sparse_model(sparse_config(dual_attention=dual_attention, object_score=score))
    detector = Detector(model, max_detections=5).set_train(False)
    images, sizes = pictures()
    height, width = SIZES[1]
    with pynative():
        together = [output.asnumpy()[1] for output in detector(images, sizes)]
        alone = detector(Tensor(images.asnumpy()[1:, :, :height, :width]), sizes[1:])
    for ours, theirs in zip(together[:3], alone[:3], strict=True):
        np.testing.assert_allclose(ours, theirs.asnumpy()[0], rtol=0, atol=2e-5)


def test_heads_of_encoder_layers_predict_in_training_only() -> None:
    model = sparse_model(sparse_config(keep_ratio=0.9, padding=PARTIAL))
    with pynative():
        assert "logits" not in encoded(model, *pictures())[2]
        _, selection, result, grid = encoded(model.set_train(True), *pictures())
    logits, boxes = result["logits"].asnumpy(), result["boxes"].asnumpy()
    assert logits.shape == (1, 2, selection["ranked"].shape[1], 5)
    unusable = np.take_along_axis(grid["usable"].asnumpy(), selection["ranked"].asnumpy(), 1) < 0.5
    assert unusable.any()  # padded tokens of the smaller image
    np.testing.assert_array_equal(boxes[0][unusable], 1.0)  # their proposal lies beyond every box


def test_a_detector_that_tells_its_attention_says_two_things_more() -> None:
    config = sparse_config()
    model = sparse_model(config)
    one = pictures(SIZES[:1])
    with pynative():
        outputs = [
            o.asnumpy() for o in Detector(model, tells_attention=True).set_train(False)(*one)
        ]
        usual = [o.asnumpy() for o in Detector(model).set_train(False)(*one)]
    for ours, theirs in zip(outputs[:5], usual, strict=True):
        np.testing.assert_array_equal(ours, theirs)
    attention, valid = outputs[5:]
    assert attention.shape == valid.shape and valid.all()
    most = config.decoder.layers * config.heads * config.decoder.queries
    assert 0.5 * most < attention.sum() <= most  # what falls over the borders is lost
