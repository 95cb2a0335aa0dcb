"""The analytic count against figures measured on the reference implementation."""

from __future__ import annotations

from dataclasses import asdict, replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from focus_detr.config.schema import (
    BackboneConfig,
    BackboneName,
    DecoderConfig,
    EncoderConfig,
    ForegroundSelectorConfig,
    ModelConfig,
)
from focus_detr.models.flops import count_multiply_adds, refined_counts, token_count

R50 = ModelConfig()
DENSE = replace(R50, encoder=EncoderConfig(keep_ratio=1.0, cascade=(1.0,) * 6))
SIZE = (800, 1066)

# a flop counter on the reference at 800 x 1066, billions of multiply-adds
MEASURED = {
    "backbone": 69.98,
    "neck": 4.12,
    "score_mlp": 1.90,
    "memory_projection": 2.34,
    "dual_attention": 0.75,
    "encoder_layers": 46.65 - 0.75,
    "category_head": 0.66,
    "decoder_layers": 17.46,
    "query_position": 1.06,
    "heads": 4.28,
    "encoder_sampling": 0.66,
    "decoder_sampling": 0.11,
}
MEASURED_DENSE = {"encoder_layers": 137.39 - 0.75, "category_head": 2.19, "encoder_sampling": 2.19}


def test_tokens_per_layer_are_the_reference_s() -> None:
    tokens = token_count(R50, *SIZE)
    assert tokens == 17821
    assert refined_counts(R50, tokens) == (8911, 7128, 5346, 5346, 3564, 1782)
    assert refined_counts(DENSE, tokens) == (17821,) * 6


def test_parts_equal_the_measured_ones_to_the_printed_digit() -> None:
    counted = asdict(count_multiply_adds(R50, 80, *SIZE))
    assert {part: number / 1e9 for part, number in counted.items()} == pytest.approx(
        MEASURED, abs=0.011
    )


def test_dense_encoder_differs_in_the_encoder_alone() -> None:
    counted = asdict(count_multiply_adds(DENSE, 80, *SIZE))
    assert {part: number / 1e9 for part, number in counted.items()} == pytest.approx(
        MEASURED | MEASURED_DENSE, abs=0.011
    )


@pytest.mark.parametrize(
    ("config", "size", "measured"),
    [
        (R50, SIZE, 149.20),
        (DENSE, SIZE, 243.01),
        (R50, (800, 1200), 165.4),
        (R50, (640, 640), 78.4),
        (replace(R50, backbone=BackboneConfig(name="resnet101")), SIZE, 212.6),
    ],
)
def test_totals(config: ModelConfig, size: tuple[int, int], measured: float) -> None:
    assert count_multiply_adds(config, 80, *size).total / 1e9 == pytest.approx(measured, rel=1e-3)


@pytest.mark.parametrize(
    ("name", "window", "backbone", "whole"),
    [
        ("resnet101", 7, 133.4, 212.6),
        ("swin_tiny", 7, 80.3, 156.9),
        ("swin_small", 7, 157.2, 233.9),
        ("swin_base", 7, 277.4, 354.6),
        ("swin_base", 12, 301.0, 378.2),
        ("swin_large", 7, 619.6, 697.8),
        ("swin_large", 12, 663.0, 741.2),
    ],
)
def test_rows_of_the_published_backbones(
    name: BackboneName, window: int, backbone: float, whole: float
) -> None:
    config = replace(R50, backbone=BackboneConfig(name, window=window))
    counted = count_multiply_adds(config, 80, *SIZE)
    assert counted.backbone / 1e9 == pytest.approx(backbone, abs=0.05)
    assert counted.total / 1e9 == pytest.approx(whole, abs=0.05)


def test_dino_is_the_dense_encoder_without_selector_and_dual_attention() -> None:
    config = replace(
        R50,
        foreground_selector=ForegroundSelectorConfig(enabled=False),
        encoder=EncoderConfig(dual_attention=False),
    )
    counted = count_multiply_adds(config, 80, *SIZE)
    assert (counted.score_mlp, counted.dual_attention, counted.category_head) == (0, 0, 0)
    assert counted.total / 1e9 == pytest.approx(237.01, rel=1e-3)


def test_scoring_the_map_needs_one_projection_instead_of_two() -> None:
    scored = replace(R50, foreground_selector=ForegroundSelectorConfig(features="map"))
    projected = count_multiply_adds(R50, 80, *SIZE).memory_projection
    assert 2 * count_multiply_adds(scored, 80, *SIZE).memory_projection == projected


def test_queries_and_object_tokens_are_at_most_the_tokens() -> None:
    counted = count_multiply_adds(R50, 80, 64, 64)
    fewer = replace(R50, decoder=DecoderConfig(queries=token_count(R50, 64, 64)))
    assert counted == count_multiply_adds(fewer, 80, 64, 64)


@given(height=st.integers(32, 1400), width=st.integers(32, 1400), keep=st.floats(0.05, 0.95))
def test_keeping_fewer_tokens_never_costs_more(height: int, width: int, keep: float) -> None:
    sparse = replace(R50, encoder=EncoderConfig(keep_ratio=keep))
    dense = count_multiply_adds(DENSE, 80, height, width)
    assert count_multiply_adds(sparse, 80, height, width).total <= dense.total
