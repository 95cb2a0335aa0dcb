"""Weights and arithmetic of Sparse DETR's settings against the reference."""

from __future__ import annotations

from dataclasses import replace

import pytest
from model_cases import shapes_only

from focus_detr.config.loading import load_config
from focus_detr.config.schema import ModelConfig
from focus_detr.models.factory import build_model
from focus_detr.models.flops import count_multiply_adds, refined_counts, token_count
from focus_detr.models.parameter_counts import count_parameters

SIZE, CLASSES = (800, 1066), 91
# of the reference at 800 x 1066, by the share of kept tokens: billion multiply-adds, tokens kept
MEASURED = {0.1: (105.3, 1783), 0.2: (112.9, 3565), 0.3: (120.4, 5347), 0.5: (135.6, 8911)}


def _sparse(keep_ratio: float = 0.3) -> ModelConfig:
    model = load_config("family/sparse_detr_r50_50ep").model
    return replace(model, encoder=replace(model.encoder, keep_ratio=keep_ratio))


def test_weights_are_the_reference_s() -> None:
    dense = load_config("family/efficient_detr_r50_50ep").model
    with shapes_only():
        found, without = (
            count_parameters(build_model(model, CLASSES)) for model in (_sparse(), dense)
        )
    assert found.total == 41_937_205
    assert found.encoder_heads == 779_995
    assert found.foreground_selector == 107_521
    assert without.total / 1e6 == pytest.approx(41.050, abs=1e-3)


@pytest.mark.parametrize("keep_ratio", MEASURED)
def test_arithmetic_is_the_reference_s(keep_ratio: float) -> None:
    config, (total, kept) = _sparse(keep_ratio), MEASURED[keep_ratio]
    assert count_multiply_adds(config, CLASSES, *SIZE).total / 1e9 == pytest.approx(total, rel=3e-3)
    assert refined_counts(config, token_count(config, *SIZE)) == (kept,) * 6


def test_the_dense_baseline_is_the_reference_s() -> None:
    dense = load_config("family/efficient_detr_r50_50ep").model
    counts = count_multiply_adds(dense, CLASSES, *SIZE)
    assert counts.total / 1e9 == pytest.approx(170.4, rel=3e-3)
    assert counts.score_mlp == 0


@pytest.mark.parametrize(
    "name",
    [
        "sparse_detr_r50_50ep",
        "deformable_detr_sparse_r50_50ep",
        "dn_deformable_detr_sparse_r50_50ep",
        "dino_sparse_r50_36ep",
    ],
)
def test_dual_attention_adds_itself_and_its_class_scores(name: str) -> None:
    sparse, dual = (
        count_multiply_adds(load_config(f"family/{row}").model, 80, *SIZE)
        for row in (name, name.replace("_r50", "_dual_r50"))
    )
    added = dual.dual_attention + dual.category_head
    assert sparse.dual_attention == sparse.category_head == 0 < added
    assert dual.total == sparse.total + added
