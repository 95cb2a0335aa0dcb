"""Weights and arithmetic of the family's settings against detrex."""

from __future__ import annotations

import pytest
from golden_data import manifest
from model_cases import shapes_only

from focus_detr.config.loading import load_config
from focus_detr.models.factory import build_model
from focus_detr.models.flops import count_multiply_adds
from focus_detr.models.parameter_counts import count_parameters

SIZE = (800, 1066)
# million weights and, of a flop counter on the reference, billion multiply-adds
REFERENCE = {
    "deformable_detr_r50_50ep": (40.067, 166.2),
    "deformable_detr_refine_r50_50ep": (40.833, 166.4),
    "deformable_detr_two_stage_r50_50ep": (41.162, 170.4),
    "dn_deformable_detr_r50_50ep": (47.409, 224.0),
    "dino_r50_12ep": (47.650, 237.0),
}
# of the parts
STAGE_ONE = {"deformable_detr_two_stage_r50_50ep": 3.97, "dino_r50_12ep": 3.91}
ENCODER = {name: 80.59 if name.startswith("deformable") else 136.65 for name in REFERENCE}


@pytest.mark.parametrize("name", REFERENCE)
def test_weights_are_the_reference_s(name: str) -> None:
    with shapes_only():
        found = count_parameters(build_model(load_config(f"family/{name}").model, 80)).total
    assert found / 1e6 == pytest.approx(REFERENCE[name][0], abs=0.0006)


def test_dac_detr_s_weights_are_the_authors_s() -> None:
    model = load_config("family/dac_detr_r50_12ep").model
    with shapes_only():
        found = count_parameters(build_model(model, 91)).total
    unused = 256  # a row of their label embedding
    assert found == manifest("dac_r50")["num_parameters"] - unused


@pytest.mark.parametrize("name", REFERENCE)
def test_arithmetic_is_the_reference_s(name: str) -> None:
    counts = count_multiply_adds(load_config(f"family/{name}").model, 80, *SIZE)
    # the reference reads a box head twice for one box, 0.2 of these
    assert counts.total / 1e9 == pytest.approx(REFERENCE[name][1], rel=0.002)
    assert counts.encoder_layers / 1e9 == pytest.approx(ENCODER[name], abs=0.01)
    assert counts.score_mlp == counts.dual_attention == counts.category_head == 0


def test_focus_selection_saves_the_same_on_every_base() -> None:
    for name in ("deformable_detr_two_stage", "dn_deformable_detr"):
        dense, focus = (
            count_multiply_adds(load_config(f"family/{name}{kind}_r50_50ep").model, 80, *SIZE)
            for kind in ("", "_focus")
        )
        per_layer = dense.encoder_sampling / 6
        kept = focus.encoder_sampling / per_layer
        assert kept == pytest.approx(0.5 * (1 + 0.8 + 0.6 + 0.6 + 0.4 + 0.2), rel=1e-3)
        assert dense.decoder_layers == focus.decoder_layers


def test_five_levels_begin_at_stride_4() -> None:
    config = load_config("family/dino_r50_5scale_12ep").model
    counts = count_multiply_adds(config, 80, *SIZE)
    usual = count_multiply_adds(load_config("family/dino_r50_12ep").model, 80, *SIZE)
    assert counts.backbone == usual.backbone
    tokens = sum(-(-800 // s) * -(-1066 // s) for s in (4, 8, 16, 32, 64))
    assert counts.encoder_sampling == tokens * 6 * 5 * 4 * 256 * 5
