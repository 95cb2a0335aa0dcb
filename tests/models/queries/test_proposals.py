"""The best tokens become queries: which they are, and images that have too few of them."""

from __future__ import annotations

import mindspore as ms
import numpy as np
import pytest
from golden_data import image_for
from mindspore import Tensor
from model_cases import SMALL_CLASSES, normalised_batch, pynative, scatter_weights, small_config
from sparse_cases import with_source

from focus_detr.config.schema import QuerySource
from focus_detr.models.detector import Detector
from focus_detr.models.factory import build_model
from focus_detr.models.geometry import level_shapes

QUERIES = 30  # of the small network
TINY = (30, 30)  # pixels


def _model(source: QuerySource) -> Detector:
    model = build_model(with_source(small_config(), source), SMALL_CLASSES)
    scatter_weights(model)
    return Detector(model, max_detections=40).set_train(False)


@pytest.mark.parametrize("source", ["mixed", "two_stage", "efficient"])
def test_an_image_with_fewer_tokens_than_queries_has_a_query_for_each(source: QuerySource) -> None:
    detector = _model(source)
    tokens = sum(rows * columns for rows, columns in level_shapes(*TINY))
    assert detector.model.queries.count(tokens) == tokens < QUERIES
    with pynative():
        images, sizes = normalised_batch([image_for(0, *TINY, 0)])
        scores, _, boxes, *_ = (output.asnumpy() for output in detector(images, sizes))
    assert boxes.shape == (1, 40, 4)  # of tokens x classes
    assert np.isfinite(boxes).all() and (scores > 0).all()


@pytest.mark.parametrize(("source", "best"), [("two_stage", [2, 0]), ("efficient", [1, 2])])
def test_two_stage_ranks_by_the_first_class_alone(source: QuerySource, best: list[int]) -> None:
    proposals = _model(source).model.queries.proposals
    proposals.queries = 2
    logits = Tensor(np.array([[[1.0, 0.0], [0.0, 9.0], [2.0, 3.0]]]), ms.float32)  # [1, 3, 2]
    with pynative():
        chosen, real = proposals.choose(logits, Tensor(np.ones((1, 3)), ms.float32), False)
    assert chosen.asnumpy().tolist() == [best] and real.asnumpy().tolist() == [[1.0, 1.0]]


def test_padding_is_never_a_query_of_an_isolated_image_before_real_tokens() -> None:
    proposals = _model("mixed").model.queries.proposals
    proposals.queries = 3
    logits = Tensor(np.array([[[5.0], [1.0], [2.0], [9.0]]]), ms.float32)  # [1, 4, 1]
    valid = Tensor(np.array([[0, 1, 1, 0]]), ms.float32)
    with pynative():
        chosen, real = proposals.choose(logits, valid, True)
    assert chosen.asnumpy()[0, :2].tolist() == [2, 1]
    assert real.asnumpy().tolist() == [[1.0, 1.0, 0.0]]


@pytest.mark.parametrize(
    ("source", "matters"), [("two_stage", False), ("efficient", False), ("mixed", True)]
)
def test_the_order_of_proposals_matters_where_places_have_contents_alone(
    source: QuerySource, matters: bool
) -> None:
    model = _model(source).model

    def predict() -> tuple[np.ndarray, np.ndarray]:
        with pynative():
            outputs = model(*normalised_batch([image_for(0, 96, 128, 0)]))
        decoded = outputs["decoded"]
        return decoded["logits"][-1].asnumpy()[0], decoded["boxes"][-1].asnumpy()[0]

    proposals, usual = model.queries.proposals, predict()
    choose = proposals.choose

    def worst_first(*arguments: object) -> tuple[Tensor, Tensor]:
        chosen, real = choose(*arguments)
        return chosen.flip((1,)), real

    proposals.choose = worst_first
    for ordered, found in zip(usual, predict(), strict=True):
        assert np.allclose(found[::-1], ordered, rtol=0, atol=1e-4) != matters
        assert np.abs(found - ordered).max() > 1e-3
