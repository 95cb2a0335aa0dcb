"""Parts of a network that do not go together are refused before anything is built."""

from __future__ import annotations

import pytest

from focus_detr.config.loading import load_config
from focus_detr.errors import FocusDetrError

POINTS = "family/deformable_detr_r50_50ep"
TWO_STAGE = "family/deformable_detr_two_stage_r50_50ep"
ANCHORS = "family/dn_deformable_detr_r50_50ep"
DINO = "family/dino_r50_12ep"


@pytest.mark.parametrize(
    ("name", "override", "message"),
    [
        (POINTS, "model.decoder.position=boxes", "learned_points goes with .* constant, not boxes"),
        (TWO_STAGE, "model.decoder.position=boxes", "two_stage goes with .* constant, not boxes"),
        (DINO, "model.decoder.position=constant", "mixed goes with .* boxes, not constant"),
        (POINTS, "denoising.number=100", "two_stage_mixed or learned_anchors, not learned_points"),
        (TWO_STAGE, "denoising.number=5", "two_stage_mixed or learned_anchors, not two_stage"),
        (ANCHORS, "model.label_rows=none", "denoising goes with model.label_rows"),
        (POINTS, "model.encoder.dual_attention=true", "has no class head for the encoder"),
        (ANCHORS, "model.encoder.dual_attention=true", "go.* with .*category_head decoder_layer"),
        (DINO, "model.decoder.refine=false", "look_forward_twice goes with .*refine true"),
        (POINTS, "model.decoder.refine=true", "go with model.decoder.shared_heads false"),
        (POINTS, "model.decoder.scale_position=true", "scale_position goes with .*position boxes"),
        (TWO_STAGE, "model.queries.content=memory", "goes with .*source mixed, not two_stage"),
        (
            ANCHORS,
            "model.queries.proposal_labels=classes",
            "goes with mixed, two_stage, two_stage_mixed, efficient, not learned_anchors$",
        ),
        (DINO, "model.levels=6", "model.levels is 6, expected at least 3 and at most 5"),
        (
            "family/dino_r50_5scale_12ep",
            "model.backbone.name=efficientnet_lite0",
            "^[^;]*model.levels 5 goes with a ResNet or a Swin Transformer, not efficientnet_lite0",
        ),
        (DINO, "model.logit_epsilon=0", "model.logit_epsilon is 0, expected at least 1e-06"),
        (
            DINO,
            "model.overlap_candidates=299",
            "candidates 299 goes with model.max_detections of at most 299, not 300$",
        ),
        (DINO, "loss.align.repeats=[2]", "repeats above 1 goes with .* align, not focal"),
        (
            "family/align_detr_r50_12ep",
            "loss.align.repeats=[2, 2, 1]",
            "with 3 items goes with model.decoder.layers 3, not 6: give one item, or one for each",
        ),
        (DINO, "loss.align.encoder_repeats=2", "encoder_repeats above 1 goes with"),
        (
            "family/align_detr_r50_12ep",
            "loss.align.encoder=focal",
            "encoder_repeats above 1 goes with .* and loss.align.encoder align",
        ),
        (DINO, "loss.align.repeats=[]", "repeats is empty, expected at least one item$"),
        (
            DINO,
            "denoising.kind=dn",
            "100 goes with .*contrastive, .* pairs: .* groups, at most 20$",
        ),
        (POINTS, "model.encoder.dropout=1", "dropout is 1, expected at least 0 and below 1"),
    ],
)
def test_it_is_one_sentence_that_says_what_goes_together(
    name: str, override: str, message: str
) -> None:
    with pytest.raises(FocusDetrError, match=message) as caught:
        load_config(name, [override])
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    ("overrides", "message"),
    [
        (("model.decoder.layers=1", "loss.one_to_many.first_layer=false"), "layers above 1"),
        (("loss.one_to_many={cap: 75, rule: paper}",), "cap goes with .*rule released, not paper"),
    ],
)
def test_what_a_gathering_decoder_s_matching_needs(
    overrides: tuple[str, ...], message: str
) -> None:
    with pytest.raises(FocusDetrError, match=message):
        load_config("family/dino_dac_r50_12ep", overrides)
    load_config("family/dino_r50_12ep", overrides)  # where nothing is matched so


def test_each_file_of_the_family_is_a_network_of_its_own() -> None:
    names = (POINTS, TWO_STAGE, ANCHORS, DINO, "family/deformable_detr_refine_r50_50ep")
    models = [load_config(name).model for name in names]
    assert all(a != b for place, a in enumerate(models) for b in models[:place])
