"""Settings of the IoU-aware loss and of one-to-many matching reach the parts they are of."""

from __future__ import annotations

from collections.abc import Sequence

import pytest
from family_cases import FOLDER, small_family_config

from focus_detr.config.loading import load_config
from focus_detr.losses.align import IouAwareCrossEntropy
from focus_detr.losses.criterion import Criterion
from focus_detr.losses.factory import build_criterion
from focus_detr.losses.focal import SigmoidFocalLoss
from focus_detr.losses.set_losses import SetLosses
from focus_detr.models.factory import build_model, tells_objects

ALIGN = "loss.classification=align"
GATHERS = "model.decoder.gathering=released"


def _criterion(*overrides: str, name: str | None = None) -> Criterion:
    return build_criterion(load_config(name, overrides))


def _pairs(criterion: Criterion) -> list[SetLosses]:
    """Of the decoder, the encoder, the slots, the gathering decoder and its slots."""
    gathering = criterion.gathering_losses
    return [
        criterion.decoder_losses.set_losses,
        criterion.encoder_losses.set_losses,
        criterion.denoising_losses.set_losses,
        gathering.one_to_many.set_losses,
        gathering.denoising.set_losses,
    ]


@pytest.mark.parametrize("overrides", [(), (ALIGN,)])
def test_one_kind_of_classification_is_everywhere(overrides: Sequence[str]) -> None:
    criterion = _criterion(*overrides, GATHERS)
    kind = IouAwareCrossEntropy if overrides else SigmoidFocalLoss
    for pairs in _pairs(criterion):
        assert isinstance(pairs.element_loss, kind) and pairs.has_quality == bool(overrides)
    assert criterion.encoder_losses is criterion.decoder_losses
    assert [pairs.per_box for pairs in _pairs(criterion)] == [1, 1, 1, 6, 1]
    assert [pairs.shared_queries for pairs in _pairs(criterion)] == [False] * 3 + [True, False]


def test_align_settings() -> None:
    align = "{alpha: 0.3, gamma: 1.5, tau: 2.0, floor: 0.02}"
    criterion = _criterion(ALIGN, GATHERS, f"loss.align={align}", "loss.giou_epsilon=1e-9")
    for pairs in _pairs(criterion):
        quality = pairs.quality
        assert (quality.alpha, quality.tau, quality.floor) == (0.3, 2.0, 0.02)
        assert (pairs.element_loss.gamma, quality.iou_epsilon) == (1.5, 1e-9)
        assert (pairs.giou_epsilon, quality.per_box) == (1e-9, pairs.per_box)


def test_repeats_by_layer_and_of_the_encoder() -> None:
    each = _criterion(ALIGN, "loss.align.repeats=[2,2,2,2,2,1]", "loss.align.encoder_repeats=3")
    assert each.decoder_losses.matcher.repeats == (2, 2, 2, 2, 2, 1)
    assert each.encoder_losses.matcher.repeats == (3,)
    assert each.decoder_losses.per_box == 2 and each.encoder_losses.per_box == 3
    equal = _criterion(ALIGN, "loss.align.repeats=[2,2,2,2,2,2]", "loss.align.encoder_repeats=2")
    assert equal.encoder_losses is equal.decoder_losses
    assert equal.decoder_losses.matcher.repeats == (2,)


def test_the_encoder_may_keep_the_focal_loss() -> None:
    criterion = _criterion(ALIGN, "loss.align.encoder=focal")
    assert isinstance(criterion.decoder_losses.set_losses.element_loss, IouAwareCrossEntropy)
    assert isinstance(criterion.encoder_losses.set_losses.element_loss, SigmoidFocalLoss)
    plain = _criterion("loss.align.encoder=align")  # counts with classification align only
    assert plain.encoder_losses is plain.decoder_losses


def test_one_to_many_settings() -> None:
    many = "{class_share: 0.2, threshold: 0.5, most: 4, cap: 75, boxes: own"
    criterion = _criterion(
        GATHERS, f"loss.one_to_many={many}, normaliser: 4, weight: 2, first_layer: false}}"
    )
    gathering = criterion.gathering_losses
    matcher = gathering.one_to_many.matcher
    assert (matcher.class_share, matcher.threshold, matcher.per_box) == (0.2, 0.5, 4)
    assert (matcher.cap, matcher.counts_candidates) == (75, True)
    assert (gathering.own_boxes, gathering.first_layer, gathering.share) == (True, False, 0.5)


def test_the_papers_rule() -> None:
    matcher = _criterion(
        GATHERS, "loss.one_to_many.rule=paper"
    ).gathering_losses.one_to_many.matcher
    assert not matcher.counts_candidates


def test_slots_gather_if_there_are_any() -> None:
    assert _criterion(GATHERS).gathers_slots
    assert not _criterion(GATHERS, "denoising.gathering=false").gathers_slots
    assert not _criterion(GATHERS, "denoising.number=0").gathers_slots
    usual = _criterion()
    assert not usual.gathers and not usual.gathers_slots


@pytest.mark.parametrize(
    ("name", "losses"), [("family/align_detr_r50_12ep", 39), ("family/dac_detr_r50_12ep", 75)]
)
def test_published_recipes_have_as_many_losses_as_their_code(name: str, losses: int) -> None:
    names = _criterion(name=name).loss_names
    assert len(names) == len(set(names)) == losses


@pytest.mark.parametrize(
    ("name", "usual", "other"),
    [
        ("deformable_detr_two_stage_r50_50ep", True, "classes"),
        ("dac_detr_r50_12ep", True, "classes"),
        ("sparse_detr_r50_50ep", False, "objects"),
        ("dino_r50_12ep", False, "objects"),
    ],
)
def test_what_proposals_tell_they_are_ranked_by(name: str, usual: bool, other: str) -> None:
    for changes, objects in (((), usual), ((f"model.queries.proposal_labels={other}",), not usual)):
        config = load_config(FOLDER / f"{name}.yaml", changes)
        assert build_criterion(config).tells_objects is tells_objects(config.model) is objects
        small = small_family_config(name, "model.encoder.cascade=[1, 1]", *changes).model
        assert build_model(small, 3).queries.proposals.by_first_class is objects
