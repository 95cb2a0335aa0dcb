"""The whole training loss: golden numbers, a plain NumPy version, edge cases, gradients."""

from __future__ import annotations

from typing import Any

import mindspore as ms
import numpy as np
import pytest
from criterion_cell import ByPlace
from golden_data import load
from golden_draws import golden_targets
from loss_cases import Case, random_case, set_losses
from mindspore import Parameter, Tensor, nn
from model_cases import pynative

from focus_detr.losses.criterion import Criterion
from focus_detr.losses.denoising_losses import DenoisingLosses
from focus_detr.losses.foreground import ForegroundLoss
from focus_detr.losses.matched_losses import MatchedLosses
from focus_detr.losses.matcher import build_matcher
from focus_detr.losses.set_losses import SetLosses
from focus_detr.models.denoising.contrastive import ContrastiveQueries
from focus_detr.models.denoising.slots import slot_count

RELEASED = ((-1, 64), (64, 128), (128, 256), (256, 999999))
HEIGHT, WIDTH = 64, 96
TOKENS = 96 + 24 + 6 + 2
LAYERS, QUERIES, CLASSES, NUMBER = 3, 12, 4, 3
FEW, MANY = 5, 15  # padded boxes of an image: a compiled graph has one of them


def _layout(valid: np.ndarray) -> tuple[Tensor, ...]:
    """Group, target and positive of each slot, and the number of groups."""
    table = Parameter(Tensor(np.zeros((1, 1), np.float32)))
    layout = ContrastiveQueries(table, number=NUMBER).layout(Tensor(valid))
    # mutable: a plain tuple of tensors would be a constant of the graph and compile every time
    return ms.mutable(tuple(layout[key] for key in ("group", "target", "positive", "groups")))


def _criterion(**changes: Any) -> ByPlace:
    settings: dict[str, Any] = {
        "decoder_losses": MatchedLosses(build_matcher("host", "CPU"), SetLosses()),
        "denoising_losses": DenoisingLosses(SetLosses()),
        "foreground_loss": ForegroundLoss(intervals=RELEASED),
        "decoder_layers": LAYERS,
    }
    return ByPlace(Criterion(**{**settings, **changes}))


class _Step:
    """Losses and their gradients by the five predictions, compiled once."""

    def __init__(self, criterion: ByPlace) -> None:
        self.loss_names = criterion.loss_names
        self.compiled = ms.value_and_grad(criterion, (0, 1, 2, 3, 4), has_aux=True)

    def __call__(
        self, tensors: list[Tensor], layout: tuple[Tensor, ...] | None = None
    ) -> tuple[np.ndarray, ...]:
        """Total, parts, matches and gradients."""
        results, gradients = self.compiled(*tensors, HEIGHT, WIDTH, layout)
        return *(part.asnumpy() for part in results), [each.asnumpy() for each in gradients]


@pytest.fixture(scope="module")
def full() -> _Step:
    """All losses, of ``FEW`` padded boxes."""
    return _Step(_criterion())


@pytest.fixture(scope="module")
def plain() -> ByPlace:
    """One cell without denoising, for ``MANY`` padded boxes: equal shapes reuse its graph."""
    return _criterion(denoising_losses=None)


@pytest.fixture(scope="module")
def golden_size() -> ByPlace:
    """One cell for the golden cases, which have equal shapes."""
    return _criterion(decoder_layers=6, denoising_losses=None)


def _inputs(counts: tuple[int, ...], seed: int = 0, padded: int = FEW) -> tuple[Case, list, tuple]:
    """A case whose last head is the encoder's, the criterion's tensors, and the slot layout."""
    slots = slot_count("contrastive", NUMBER, padded)
    case = random_case(seed, LAYERS + 1, slots + QUERIES, CLASSES, counts, padded)
    rng = np.random.default_rng(seed)
    batch = len(counts)
    arrays = [
        case.logits[:-1],
        case.boxes[:-1],
        case.logits[-1, :, slots:],
        case.boxes[-1, :, slots:],
        rng.normal(size=(batch, TOKENS)).astype(np.float32),
        case.labels,
        case.target_boxes,
        case.box_valid,
        np.array([[HEIGHT, WIDTH]] * batch, np.int32),
    ]
    return case, [Tensor(array) for array in arrays], _layout(case.box_valid)


def _plain_denoising(case: Case, layer: int) -> np.ndarray:
    """L1, class and generalized IoU sums of a layer's slots, divided by the groups."""
    counts = case.box_valid.sum(1).astype(int)
    largest = counts.max()
    groups = max(1, NUMBER // largest)
    total = np.zeros(3)
    for image, count in enumerate(counts):
        real = np.tile(np.arange(count), groups)
        queries = real + np.repeat(np.arange(groups) * 2 * largest, count)
        live = 2 * largest * groups
        total += set_losses(
            case.logits[layer, image, :live],
            case.boxes[layer, image, :live],
            queries,
            case.labels[image, real],
            case.target_boxes[image, real],
        )
    return total / groups


def _plain_matched(case: Case, matches: np.ndarray, head: int) -> np.ndarray:
    """L1, class and generalized IoU sums of a head's matching queries."""
    total = np.zeros(3)
    for image, count in enumerate(case.box_valid.sum(1).astype(int)):
        total += set_losses(
            case.logits[head, image, -QUERIES:],
            case.boxes[head, image, -QUERIES:],
            matches[head, image, :count],
            case.labels[image, :count],
            case.target_boxes[image, :count],
        )
    return total


def _reference_names(golden: dict) -> list[str]:
    """Names of the reference's losses in the order of its values."""
    return str(golden["loss_names"]).strip("[]").replace('"', "").split(", ")


@pytest.mark.parametrize("name", ["train_r50_q100", "train_r50_empty1_q100"])
def test_losses_equal_golden(golden_size: ByPlace, name: str) -> None:
    golden = load(name)
    targets = golden_targets(golden, padded=8)
    keys = (*(f"aux{layer}_{{}}" for layer in range(5)), "pred_{}")
    heads = [np.stack([golden[key.format(part)] for key in keys]) for part in ("logits", "boxes")]
    _, parts, _ = golden_size(
        *(Tensor(part) for part in heads),
        Tensor(golden["enc_out_logits"]),
        Tensor(golden["enc_out_boxes"]),
        Tensor(golden["foreground_score_raw"][..., 0]),
        Tensor(targets.labels),
        Tensor(targets.boxes),
        Tensor(targets.box_valid),
        Tensor(targets.image_sizes),
        416,
        448,
    )
    names = _reference_names(golden)
    expected = dict(zip(names, golden["loss_weighted"], strict=True))
    ours = dict(zip(golden_size.loss_names, parts.asnumpy(), strict=True))
    assert set(ours) == {key for key in expected if "_dn" not in key}
    for key, value in ours.items():
        assert value == pytest.approx(expected[key], rel=3e-6), key


def test_names_are_the_reference_s_in_its_order() -> None:
    assert list(_criterion(decoder_layers=6).loss_names) == _reference_names(load("train_r50_q100"))
    without = _criterion(decoder_layers=1, denoising_losses=None, foreground_loss=None).loss_names
    assert without == tuple(
        f"loss_{kind}{head}" for kind in ("bbox", "class", "giou") for head in ("", "_enc")
    )


@pytest.mark.parametrize("counts", [(3, 1), (5, 0), (1, 2)])
def test_all_parts_equal_the_plain_version(full: _Step, counts: tuple[int, int]) -> None:
    case, tensors, layout = _inputs(counts)
    total, parts, matches, _ = full(tensors, layout)
    ours = dict(zip(full.loss_names, parts, strict=True))
    assert float(total) == pytest.approx(sum(ours.values()), rel=1e-5)
    suffixes = [*(f"_{layer}" for layer in range(LAYERS - 1)), "", "_enc"]
    for head, suffix in enumerate(suffixes):
        expected = {suffix: _plain_matched(case, matches, head)}
        if suffix != "_enc":
            expected[f"_dn{suffix}"] = _plain_denoising(case, head)
        for key, sums in expected.items():
            weighted = sums * (5.0, 1.0, 2.0) / sum(counts)
            for kind, value in zip(("bbox", "class", "giou"), weighted, strict=True):
                assert ours[f"loss_{kind}{key}"] == pytest.approx(value, rel=1e-5, abs=1e-6)


def test_order_of_targets_does_not_matter(plain: ByPlace) -> None:
    _, tensors, _ = _inputs((5, 5), padded=MANY)
    order = [2, 0, 4, 1, 3, *range(5, MANY)]
    shuffled = list(tensors)
    for place in (5, 6):
        shuffled[place] = Tensor(tensors[place].asnumpy()[:, order])
    first, _, matches = plain(*tensors, HEIGHT, WIDTH)
    second, _, other = plain(*shuffled, HEIGHT, WIDTH)
    assert float(first) == pytest.approx(float(second), rel=1e-6)
    np.testing.assert_array_equal(matches.asnumpy()[..., order], other.asnumpy())


def test_proposals_may_have_to_tell_objects_alone() -> None:
    _, tensors, _ = _inputs((5, 2))
    classes, objects = (
        _criterion(encoder_labels=labels, denoising_losses=None)
        for labels in ("classes", "objects")
    )
    unlabelled = list(tensors)
    unlabelled[5] = Tensor(np.zeros_like(tensors[5].asnumpy()))
    with pynative():
        found, usual, alike = (
            dict(zip(cell.loss_names, cell(*arrays, HEIGHT, WIDTH)[1].asnumpy(), strict=True))
            for cell, arrays in ((objects, tensors), (classes, tensors), (classes, unlabelled))
        )
    assert found.keys() == usual.keys()
    for name, value in found.items():
        expected = alike if name.endswith("_enc") else usual
        assert value == pytest.approx(expected[name], rel=1e-5)
    assert abs(found["loss_class_enc"] - usual["loss_class_enc"]) > 1e-3


def _with_few_places(tensors: list[Tensor]) -> list[Tensor]:
    """The same predictions and targets with less padding, and so with fewer denoising slots."""
    spare = slot_count("contrastive", NUMBER, MANY) - slot_count("contrastive", NUMBER, FEW)
    arrays = [tensor.asnumpy() for tensor in tensors]
    for place in (0, 1):
        arrays[place] = arrays[place][:, :, spare:]
    for place in (5, 6, 7):
        arrays[place] = arrays[place][:, :FEW]
    return [Tensor(np.ascontiguousarray(array)) for array in arrays]


def test_padding_of_targets_does_not_matter(full: _Step, plain: ByPlace) -> None:
    """Nor does denoising to the other losses."""
    _, tensors, _ = _inputs((3, 1), padded=MANY)
    narrow = _with_few_places(tensors)
    parts = plain(*tensors, HEIGHT, WIDTH)[1].asnumpy()
    ours = dict(zip(full.loss_names, full(narrow, _layout(narrow[7].asnumpy()))[1], strict=True))
    np.testing.assert_allclose([ours[name] for name in plain.loss_names], parts, rtol=1e-6)


def test_gradients_equal_finite_differences(full: _Step) -> None:
    _, tensors, layout = _inputs((3, 2), seed=4)
    *_, gradients = full(tensors, layout)
    rng = np.random.default_rng(0)
    for place, gradient in enumerate(gradients):
        array, step = tensors[place].asnumpy(), 3e-4
        direction = rng.choice([-1.0, 1.0], array.shape).astype(np.float32)
        values = []
        for sign in (1.0, -1.0):
            moved = list(tensors)
            moved[place] = Tensor(array + sign * step * direction)
            values.append(float(full(moved, layout)[0]))
        slope = (values[0] - values[1]) / (2 * step)
        assert slope == pytest.approx(float((gradient * direction).sum()), rel=0.02)


def _check_without_boxes(step: _Step, results: tuple[np.ndarray, ...]) -> None:
    """Background losses only, and no gradients of boxes and denoising slots."""
    total, parts, matches, gradients = results
    for name, value in zip(step.loss_names, parts, strict=True):
        background = ("class" in name and "_dn" not in name) or name == "select_loss"
        assert (value > 0.0) == background, name
    assert np.isfinite(total) and not matches.any()
    slots = slot_count("contrastive", NUMBER, FEW)
    assert np.isfinite(gradients[0]).all()
    assert not gradients[0][:, :, :slots].any()
    assert not gradients[1].any()


def test_batch_without_boxes(full: _Step) -> None:
    _, tensors, layout = _inputs((0, 0))
    _check_without_boxes(full, full(tensors, layout))


def test_batch_without_boxes_is_matched_in_the_graph() -> None:
    """What does not depend on the matches is left out, as it compiles slowly."""
    matched = MatchedLosses(build_matcher("graph", "CPU"), SetLosses())
    criterion = _criterion(decoder_losses=matched, denoising_losses=None, foreground_loss=None)
    step = _Step(criterion)
    _check_without_boxes(step, step(_inputs((0, 0))[1]))


def test_more_boxes_than_queries(plain: ByPlace) -> None:
    case, tensors, _ = _inputs((15, 2), padded=MANY)
    total, parts, matches = plain(*tensors, HEIGHT, WIDTH)
    assert np.isfinite(float(total)) and ((matches.asnumpy()[:, 0] < 0).sum(1) == 3).all()
    matched = matches.asnumpy()[LAYERS - 1]
    found = [np.flatnonzero(matched[0] >= 0), np.arange(2)]
    expected = sum(
        set_losses(
            case.logits[LAYERS - 1, image, -QUERIES:],
            case.boxes[LAYERS - 1, image, -QUERIES:],
            matched[image, used],
            case.labels[image, used],
            case.target_boxes[image, used],
        )
        for image, used in enumerate(found)
    )
    assert parts.asnumpy()[0] == pytest.approx(5.0 * expected[0] / 17.0, rel=1e-5)


def test_saturated_scores_give_finite_gradients(full: _Step) -> None:
    _, tensors, layout = _inputs((3, 2))
    for place, factor in ((0, 3e3), (4, 1e3)):
        tensors[place] = Tensor(tensors[place].asnumpy() * np.float32(factor))
    value, *_, gradients = full(tensors, layout)
    assert np.isfinite(value) and value > 1e3
    assert all(np.isfinite(gradient).all() for gradient in gradients)


class _Double(nn.Cell):
    """Stands for the mean of the box count over workers that have more boxes."""

    def construct(self, count: Tensor) -> Tensor:
        return 2.0 * count


def test_count_of_boxes_can_be_reduced_over_workers() -> None:
    _, tensors, layout = _inputs((3, 2))
    with pynative():
        alone, shared = (
            _criterion(reduce_count=reduce)(*tensors, HEIGHT, WIDTH, layout)[1].asnumpy()
            for reduce in (None, _Double())
        )
    np.testing.assert_allclose(shared[:-1], alone[:-1] / 2.0, rtol=1e-6)
    assert shared[-1] == alone[-1]
