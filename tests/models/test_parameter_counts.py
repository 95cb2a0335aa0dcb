"""Weights per part against the reference's."""

from __future__ import annotations

from dataclasses import asdict

import pytest
from model_cases import shapes_only

from focus_detr.config.schema import ModelConfig
from focus_detr.models.detr import DETR
from focus_detr.models.factory import build_model
from focus_detr.models.parameter_counts import (
    ParameterCounts,
    count_parameters,
    count_trainable,
)

# millions, from the reference implementation's R50
REFERENCE = {
    "backbone": 23.455,
    "neck": 5.639,
    "encoder": 9.275 - 1.582,
    "dual_attention": 1.582,
    "decoder": 9.473,
    "foreground_selector": 0.108,
    "encoder_heads": 0.0,
    "heads": 1.072,
}


@pytest.fixture(scope="module")
def network() -> DETR:
    with shapes_only():
        return build_model(ModelConfig(), 80)


@pytest.fixture(scope="module")
def r50(network: DETR) -> ParameterCounts:
    return count_parameters(network)


def test_total_is_the_reference_s(r50: ParameterCounts) -> None:
    assert r50.total == 49_339_920


def test_parts_are_the_reference_s(r50: ParameterCounts) -> None:
    parts = asdict(r50)
    parts.pop("rest")
    assert {part: number / 1e6 for part, number in parts.items()} == pytest.approx(
        REFERENCE, abs=0.0011
    )


def test_rest_are_the_embeddings_and_the_memory_projection(r50: ParameterCounts) -> None:
    levels, queries, labels, projection = 4 * 256, 900 * 256, 80 * 256, 256 * 256 + 3 * 256
    assert r50.rest == levels + queries + labels + projection


def test_the_stem_is_not_trained(network: DETR, r50: ParameterCounts) -> None:
    assert r50.total - count_trainable(network) == 7 * 7 * 3 * 64
