"""The criterion with a gathering decoder: its one-to-many losses and those of its slots."""

from __future__ import annotations

from typing import Any

import mindspore as ms
import numpy as np
import pytest
from criterion_cell import ByPlace
from loss_cases import Case, random_case, set_losses
from mindspore import Tensor
from model_cases import pynative

from focus_detr.losses.criterion import Criterion
from focus_detr.losses.denoising_losses import DenoisingLosses
from focus_detr.losses.gathering_losses import GatheringLosses
from focus_detr.losses.matched_losses import MatchedLosses
from focus_detr.losses.matcher import build_matcher
from focus_detr.losses.one_to_many import OneToManyMatcher
from focus_detr.losses.set_losses import SetLosses
from focus_detr.models.denoising.slots import lay_out

LAYERS, QUERIES, CLASSES, TARGETS, SLOTS, MOST = 2, 12, 4, 3, 12, 4
COUNTS = (2, 3)
KINDS = ("bbox", "class", "giou")


def _criterion(*, denoises: bool = True, slots: bool = True, **settings: Any) -> ByPlace:
    many = MatchedLosses(
        OneToManyMatcher(most=MOST, threshold=0.3), SetLosses(per_box=MOST, shared_queries=True)
    )
    denoising = DenoisingLosses(SetLosses())
    return ByPlace(
        Criterion(
            decoder_losses=MatchedLosses(build_matcher("host", "CPU"), SetLosses()),
            denoising_losses=denoising if denoises else None,
            gathering_losses=GatheringLosses(
                many, denoising=denoising if slots else None, share=0.5, **settings
            ),
            foreground_loss=None,
            decoder_layers=LAYERS,
            encoder="none",
        )
    )


def _case(slots: int) -> tuple[Case, Case, list]:
    """Predictions of both decoders, and the criterion's arguments but for the layout."""
    first = random_case(0, LAYERS, SLOTS + QUERIES, CLASSES, COUNTS, TARGETS)
    second = random_case(1, LAYERS, slots + QUERIES, CLASSES, COUNTS, TARGETS)
    near = np.random.default_rng(2).integers(0, 2, (LAYERS, 2, QUERIES))  # a real target each
    image = np.arange(2)[None, :, None]
    for case in (first, second):  # near targets, so that there is something to match
        case.boxes[:, :, -QUERIES:] *= 0.1
        case.boxes[:, :, -QUERIES:] += 0.9 * first.target_boxes[image, near]
    arrays = [
        first.logits,
        first.boxes,
        first.logits[-1, :, SLOTS:],
        first.boxes[-1, :, SLOTS:],
        np.zeros((2, 128), np.float32),
        first.labels,
        first.target_boxes,
        first.box_valid,
        np.array([[64, 96]] * 2, np.int32),
    ]
    return first, second, [*map(Tensor, arrays), 64, 96]


def _layout() -> Any:
    """One group of three positives and three negatives; the other six slots are dead."""
    layout = lay_out(Tensor(TARGETS, ms.int32), Tensor(1, ms.int32), 2, SLOTS)
    return ms.mutable(tuple(layout[key] for key in ("group", "target", "positive", "groups")))


def _plain_many(first: Case, second: Case, layer: int, own_boxes: bool) -> np.ndarray:
    """Sums of a layer's one-to-many pairs, matched by the cell that has tests of its own."""
    matcher = OneToManyMatcher(most=MOST, threshold=0.3)
    seen = (second if own_boxes else first).boxes[layer : layer + 1, :, -QUERIES:]
    logits = second.logits[layer : layer + 1, :, -QUERIES:]
    rest = (first.labels, first.target_boxes, first.box_valid)
    with pynative():
        matches = matcher(*map(Tensor, (logits, seen, *rest))).asnumpy()[0]
    total = np.zeros(3)
    for image in range(2):
        pairs = np.flatnonzero(matches[image] >= 0)
        assert len(pairs) > COUNTS[image], "several queries for a box"
        boxes = pairs // MOST
        total += set_losses(
            logits[0, image],
            second.boxes[layer, image, -QUERIES:],
            matches[image, pairs],
            first.labels[image, boxes],
            first.target_boxes[image, boxes],
        )
    return total


def _plain_slots(case: Case, wanted: Case, layer: int) -> np.ndarray:
    """Sums of a layer's six live slots, of which the first three are positive."""
    total = np.zeros(3)
    for image, count in enumerate(COUNTS):
        real = np.arange(count)
        predicted = case.logits[layer, image, :6], case.boxes[layer, image, :6]
        targets = wanted.labels[image, real], wanted.target_boxes[image, real]
        total += set_losses(*predicted, real, *targets)
    return total


def _check(parts: dict[str, float], head: str, sums: np.ndarray, share: float = 1.0) -> None:
    weighted = share * sums * (5.0, 1.0, 2.0) / sum(COUNTS)
    for kind, value in zip(KINDS, weighted, strict=True):
        assert parts[f"loss_{kind}{head}"] == pytest.approx(value, rel=1e-5), (kind, head)


def _parts(cell: ByPlace, arguments: list, second: Case, layout: Any) -> dict[str, float]:
    gathered = Tensor(second.logits), Tensor(second.boxes)
    total, parts, _ = cell(*arguments, layout, *gathered)
    named = dict(zip(cell.loss_names, parts.asnumpy().tolist(), strict=True))
    assert float(total) == pytest.approx(sum(named.values()), rel=1e-5)
    return named


def test_both_decoders_and_their_slots_have_losses() -> None:
    first, second, arguments = _case(SLOTS)
    cell = _criterion()
    heads = ("", "_0", "_dn", "_dn_0", "_many", "_many_0", "_dn_many", "_dn_many_0")
    assert cell.loss_names == tuple(f"loss_{kind}{head}" for kind in KINDS for head in heads)
    parts = _parts(cell, arguments, second, _layout())
    for layer, end in enumerate(("_0", "")):
        _check(parts, f"_many{end}", _plain_many(first, second, layer, False), share=0.5)
        _check(parts, f"_dn{end}", _plain_slots(first, first, layer))
        _check(parts, f"_dn_many{end}", _plain_slots(second, first, layer))


def test_own_boxes_without_slots_and_first_layer() -> None:
    first, second, arguments = _case(0)
    cell = _criterion(slots=False, own_boxes=True, first_layer=False)
    heads = ("", "_0", "_dn", "_dn_0", "_many")
    assert cell.loss_names == tuple(f"loss_{kind}{head}" for kind in KINDS for head in heads)
    with pynative():  # the other test has compiled one
        parts = _parts(cell, arguments, second, _layout())
    _check(parts, "_many", _plain_many(first, second, 1, True), share=0.5)
    _check(parts, "_dn", _plain_slots(first, first, 1))


def test_matching_gives_the_one_to_one_boxes_no_gradient() -> None:
    """They decide who is matched, but the one-to-many losses are of the other decoder's boxes."""
    _, second, arguments = _case(0)
    criterion = _criterion(slots=False).criterion
    keys = ("labels", "boxes", "valid", "image_sizes")
    targets = dict(zip(keys, arguments[5:9], strict=True))
    losses = criterion.gathering_losses
    logits, own = (Tensor(part[:, :, -QUERIES:]) for part in (second.logits, second.boxes))

    def total(boxes: Tensor, one_to_one: Tensor) -> Tensor:
        distance, classes, missing = losses.matched(logits, boxes, one_to_one, targets)[0]
        return (distance + classes + missing).sum()

    by_own, by_other = ms.grad(total, (0, 1))(own, arguments[1][:, :, SLOTS:])
    assert by_own.asnumpy().any() and not by_other.asnumpy().any()
