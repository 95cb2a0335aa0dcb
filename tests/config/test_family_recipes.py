"""Settings files of the family hold the constants that their references train with."""

from __future__ import annotations

from dataclasses import replace
from functools import reduce
from typing import Any

import pytest

from focus_detr.config.loading import load_config

# of detrex, and of the authors' own code where detrex has no such detector
DEFORMABLE = {
    "model.encoder.ffn_width": 1024,
    "model.decoder.ffn_width": 1024,
    "model.encoder.dropout": 0.1,
    "model.decoder.dropout": 0.1,
    "model.decoder.self_attention_dropout": 0.0,
    "model.decoder.queries": 300,
    "model.backbone.freeze_at": 1,
    "model.logit_epsilon": 1e-3,
    "model.max_detections": 300,
    "loss.class_weight": 1.0,
    "denoising.number": 0,
    "train.optimizer.lr": 1e-4,
    "train.optimizer.norm_weight_decay": 0.0,
    "train.schedule.milestones": (40,),
}
SPARSE = DEFORMABLE | {
    "model.decoder.self_attention_dropout": 0.1,
    "model.backbone.freeze_at": 2,
    "model.logit_epsilon": 1e-5,
    "model.max_detections": 100,
    "loss.class_weight": 2.0,
    "loss.encoder_class_weight": None,  # as the decoder's
    "loss.giou_epsilon": 1e-12,
    "loss.mask_prediction_weight": 1.0,
    "train.optimizer.lr": 2e-4,
    "train.optimizer.norm_weight_decay": 1e-4,
}
DINO = {
    "model.encoder.ffn_width": 2048,
    "model.decoder.ffn_width": 2048,
    "model.encoder.dropout": 0.0,
    "model.decoder.dropout": 0.0,
    "model.decoder.queries": 900,
    "model.position.temperature": 10000,
    "model.position.offset": -0.5,
    "loss.class_weight": 1.0,
    "denoising.kind": "contrastive",
    "denoising.number": 100,
    "denoising.label_noise": 0.5,
    "denoising.box_noise": 1.0,
    "train.schedule.milestones": (11,),
    "data.filter_empty": True,
}
DN = {
    "model.decoder.queries": 300,
    "model.label_rows": "one_more",
    "loss.class_weight": 1.0,
    "denoising.kind": "dn",
    "denoising.number": 5,
    "denoising.label_noise": 0.2,
    "denoising.box_noise": 0.4,
    "train.schedule.milestones": (40,),
}
DAC = {  # the authors' own
    "model.decoder.queries": 900,
    "model.max_detections": 300,
    "model.overlap_limit": 0.8,
    "model.overlap_candidates": 10_000,
    "model.logit_epsilon": 1e-5,
    "loss.encoder_class_weight": 2.0,
    "loss.giou_epsilon": 1e-12,
    "train.optimizer.lr": 2e-4,
    "train.optimizer.norm_weight_decay": 1e-4,
    "train.optimizer.clip_norm": 0.1,
    "train.schedule.epochs": 12,
    "train.schedule.milestones": (11,),
    "train.schedule.warmup_steps": 0,
}
ALIGN = DINO | {
    "loss.classification": "align",
    "loss.align.repeats": (2, 2, 2, 2, 2, 1),
    "loss.align.encoder_repeats": 2,
}
ALIGNED = {
    "focus_detr_r50": "focus_detr_r50_align",
    "fine_tune": "fine_tune_align",
    "bccd_short": "bccd_short_align_repeats",
    "family/dino_r50_12ep": "family/align_detr_r50_12ep",
    "family/deformable_detr_two_stage_r50_50ep": "family/deformable_detr_two_stage_align_r50_50ep",
}
RECIPES = {
    "dac_detr_r50_12ep": DAC,
    "dac_detr_r50_24ep": DAC | {"train.schedule.epochs": 24, "train.schedule.milestones": (20,)},
    "align_detr_r50_12ep": ALIGN,
    "align_detr_r50_24ep": ALIGN | {"train.schedule.milestones": (20,), "data.filter_empty": False},
    "deformable_detr_r50_50ep": DEFORMABLE | {"loss.class_weight": 2.0},
    "deformable_detr_refine_r50_50ep": DEFORMABLE,
    "deformable_detr_two_stage_r50_50ep": DEFORMABLE,
    "dn_deformable_detr_r50_50ep": DN,
    "dino_r50_12ep": DINO,
    "sparse_detr_r50_50ep": SPARSE,
    "sparse_detr_dual_r50_50ep": SPARSE,
    "efficient_detr_r50_50ep": SPARSE,
}


@pytest.mark.parametrize("name", RECIPES)
def test_its_numbers_are_the_reference_s(name: str) -> None:
    config = load_config(f"family/{name}")
    found: dict[str, Any] = {key: reduce(getattr, key.split("."), config) for key in RECIPES[name]}
    assert found == RECIPES[name]


@pytest.mark.parametrize(
    ("row", "base", "kinds"),
    [
        ("sparse_detr_r50_50ep", "efficient_detr_r50_50ep", "sparse"),
        ("sparse_detr_dual_r50_50ep", "efficient_detr_r50_50ep", "sparse dual"),
        (
            "deformable_detr_two_stage_focus_r50_50ep",
            "deformable_detr_two_stage_r50_50ep",
            "focus dual",
        ),
        ("deformable_detr_sparse_r50_50ep", "deformable_detr_refine_r50_50ep", "sparse"),
        ("deformable_detr_sparse_dual_r50_50ep", "deformable_detr_refine_r50_50ep", "sparse dual"),
        ("deformable_detr_focus_r50_50ep", "deformable_detr_refine_r50_50ep", "focus dual"),
        ("dn_deformable_detr_sparse_r50_50ep", "dn_deformable_detr_r50_50ep", "sparse"),
        ("dn_deformable_detr_sparse_dual_r50_50ep", "dn_deformable_detr_r50_50ep", "sparse dual"),
        ("dn_deformable_detr_focus_r50_50ep", "dn_deformable_detr_r50_50ep", "focus dual"),
        ("dino_sparse_r50_36ep", "dino_r50_36ep", "sparse"),
        ("dino_sparse_dual_r50_36ep", "dino_r50_36ep", "sparse dual"),
        ("dino_focus_r50_36ep", "dino_r50_36ep", "focus dual"),
    ],
)
def test_rows_of_tables_3_and_11_exchange_selection_and_encoder_alone(
    row: str, base: str, kinds: str
) -> None:
    config, dense = load_config(f"family/{row}"), load_config(f"family/{base}")
    model, encoder = config.model, config.model.encoder
    assert model.foreground_selector.enabled and not dense.model.foreground_selector.enabled
    assert model.foreground_selector.kind == kinds.split()[0]
    assert encoder.dual_attention == ("dual" in kinds)
    shares = [encoder.keep_ratio * share for share in encoder.cascade]
    assert sum(shares) / len(shares) == pytest.approx(0.3)
    same = {"foreground_selector": model.foreground_selector, "encoder": encoder}
    assert replace(dense.model, **same) == model
    width, dropout = encoder.ffn_width, encoder.dropout
    assert (dense.model.encoder.ffn_width, dense.model.encoder.dropout) == (width, dropout)
    assert (config.loss, config.denoising) == (dense.loss, dense.denoising)


def test_focus_detr_on_dino_is_focus_detr() -> None:
    row, usual = load_config("family/dino_focus_r50_36ep"), load_config("focus_detr_r50_36ep")
    assert replace(row, train=replace(row.train, output_dir=usual.train.output_dir)) == usual


@pytest.mark.parametrize("name", ALIGNED)
def test_align_detr_s_criterion_matches_twice_in_all_layers_but_the_last(name: str) -> None:
    usual, aligned = load_config(name), load_config(ALIGNED[name])
    align = aligned.loss.align
    assert align.repeats == (2,) * (usual.model.decoder.layers - 1) + (1,)
    every_token = usual.model.queries.source == "two_stage"  # is the encoder's prediction
    assert (align.encoder, align.encoder_repeats) == (("focal", 1) if every_token else ("align", 2))
    loss = replace(usual.loss, classification="align", align=align)
    train = replace(usual.train, output_dir=f"runs/{ALIGNED[name]}")
    assert replace(usual, loss=loss, train=train) == aligned
