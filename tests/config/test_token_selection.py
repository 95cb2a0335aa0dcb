"""Settings of the token selection that do not go together are refused by name."""

from __future__ import annotations

import pytest

from focus_detr.config.loading import load_config
from focus_detr.errors import FocusDetrError

SPARSE = "family/dino_sparse_r50_36ep"


@pytest.mark.parametrize(
    ("recipe", "change", "words"),
    [
        (SPARSE, "model.encoder.cascade=[1,1,1,1,1,0.5]", "cascade 1.0 in every layer"),
        (SPARSE, "model.foreground_selector.features=map", "features projection"),
        ("focus_detr_r50", "model.encoder.auxiliary_heads=true", "kind sparse"),
        ("family/dino_r50_36ep", "eval.correlation=true", "foreground_selector.enabled"),
        (
            "family/dino_r50_36ep",
            "model.foreground_selector.kind=sparse",
            "kind sparse goes with .*enabled true, kind focus with false$",
        ),
        (
            "family/sparse_detr_r50_50ep",
            "model.foreground_selector.enabled=false",
            "^[^;]*kind sparse goes with .*enabled true",
        ),
        ("family/sparse_detr_r50_50ep", "denoising.number=5", "denoising.number 0"),
        ("family/sparse_detr_r50_50ep", "model.decoder.position=boxes", "position constant"),
        (
            "family/deformable_detr_sparse_dual_r50_50ep",
            "model.encoder.auxiliary_heads=false",
            "category_head decoder_layer",
        ),
    ],
)
def test_a_combination_without_sense_is_refused(recipe: str, change: str, words: str) -> None:
    with pytest.raises(FocusDetrError, match=words):
        load_config(recipe, [change])


@pytest.mark.parametrize(
    ("recipe", "change"),
    [
        (SPARSE, "model.levels=3"),  # boxes per level teach Focus-DETR's selector alone
        ("family/dino_r50_36ep", "model.levels=3"),
        ("family/deformable_detr_refine_r50_50ep", "model.encoder.category_head=decoder_layer"),
    ],
)
def test_what_a_network_does_not_use_is_not_refused(recipe: str, change: str) -> None:
    load_config(recipe, [change, "model.decoder.layers=3"])


def test_corr_may_be_measured_of_both_selections() -> None:
    for recipe in (SPARSE, "focus_detr_r50"):
        assert load_config(recipe, ["eval.correlation=true"]).eval.correlation
