"""Which tokens of a Sparse encoder attend to each other: object scores by logits, probabilities."""

from __future__ import annotations

import mindspore as ms
import numpy as np
import pytest
from mindspore import Tensor
from model_cases import pynative
from sparse_cases import ObjectScore, encoded, pictures, sparse_config, sparse_model

from focus_detr.models.detr import DETR
from focus_detr.models.encoder.dual_attention import object_scores
from focus_detr.models.encoder.listed import list_tokens
from focus_detr.models.tokens import gather_tokens

SCORES: tuple[ObjectScore, ...] = ("logits", "probabilities")


def _sigmoid(logits: np.ndarray) -> np.ndarray:
    return 1.0 / (1.0 + np.exp(-logits.astype(np.float64)))


def _product(logits: np.ndarray, foreground: np.ndarray, score: str) -> np.ndarray:
    """[B, K, classes] and [B, K] -> [B, K]."""
    category = logits.max(-1)
    if score == "logits":
        return category * foreground
    return _sigmoid(category) * _sigmoid(foreground)


@pytest.mark.parametrize("score", SCORES)
def test_a_score_is_the_product_of_the_best_class_and_the_foreground(score: str) -> None:
    rng = np.random.default_rng(0)
    logits, foreground = rng.normal(-2, 3, (2, 9, 4)), rng.normal(0, 3, (2, 9))
    with pynative():
        found = object_scores(Tensor(logits, ms.float32), Tensor(foreground, ms.float32), score)
    np.testing.assert_allclose(found.asnumpy(), _product(logits, foreground, score), rtol=1e-5)


def test_two_negative_logits_make_a_good_object_by_logits_only() -> None:
    logits, foreground = Tensor([[[-9.0], [2.0]]]), Tensor([[-9.0, 2.0]])  # [1, 2, 1], [1, 2]
    with pynative():
        best = [object_scores(logits, foreground, s).asnumpy().argmax() for s in SCORES]
    assert best == [0, 1]


def _objects(model: DETR) -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]:
    """Places that the first layer chose, its class logits and scores, and how many take part."""
    with pynative():
        tokens, selection, _, grid = encoded(model, *pictures())
        listed, dual = list_tokens(selection, grid), model.encoder.layers[0].dual_attention
        logits = dual.category_head(gather_tokens(tokens, listed["chosen"]))
        limits = selection["limits"].asnumpy()[:, 0]
        takes_part = np.arange(listed["chosen"].shape[1])[None] < limits[:, None]
        objects, is_object = dual.select(logits, listed["scores"], Tensor(takes_part))
    assert is_object.asnumpy().all()
    return objects.asnumpy(), logits.asnumpy(), listed["scores"].asnumpy(), limits


def test_a_sparse_encoder_s_objects_are_the_best_of_each_image_s_own_tokens() -> None:
    chosen = {}
    for score in SCORES:
        model = sparse_model(sparse_config(dual_attention=True, object_score=score))
        objects, logits, foreground, limits = _objects(model)
        assert limits[1] < foreground.shape[1]  # the smaller image's list goes on behind its share
        for image, limit in enumerate(limits):
            products = _product(logits, foreground, score)[image, :limit]
            best = np.argsort(-products, kind="stable")[: objects.shape[1]]
            assert set(objects[image].tolist()) == set(best.tolist())
        chosen[score] = objects
    assert set(chosen["logits"][0].tolist()) != set(chosen["probabilities"][0].tolist())


def test_the_memory_depends_on_the_score() -> None:
    memories = []
    for score in SCORES:
        model = sparse_model(sparse_config(dual_attention=True, object_score=score))
        with pynative():
            memories.append(encoded(model, *pictures())[2]["memory"].asnumpy())
    moved = np.abs(memories[0] - memories[1]).max(-1) > 1e-5  # [B, N]
    assert moved.any(axis=1).all() and not moved.all()
