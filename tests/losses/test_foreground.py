"""Foreground labels and their loss: golden numbers, a direct comparison, invariances."""

from __future__ import annotations

import mindspore as ms
import numpy as np
import pytest
from golden_data import check, load
from golden_draws import golden_targets
from loss_cases import random_boxes
from mindspore import Tensor
from model_cases import pynative

from focus_detr.losses.foreground import ForegroundLoss, foreground_targets

RELEASED = ((-1, 64), (64, 128), (128, 256), (256, 999999))
OVERLAPPING = ((-1, 64), (64, 256), (128, 512), (256, 999999))
INTERVALS = {"released": RELEASED, "paper_overlap": OVERLAPPING}


def _plain_targets(
    boxes: np.ndarray, size: tuple[int, int], intervals: tuple, centre: bool
) -> np.ndarray:
    """Labels of one image by comparing every token with every box: [N]."""
    labels = []
    for level, (low, high) in enumerate(intervals):
        stride = 8 * 2**level
        rows, columns = (np.arange(-(-side // stride)) * stride + stride // 2 for side in size)
        y, x = np.meshgrid(rows, columns, indexing="ij")
        token = np.zeros(x.shape, bool)
        for left, top, right, bottom in boxes:
            sides = np.stack([x - left, y - top, right - x, bottom - y])
            offsets = np.stack([x - (left + right) / 2, y - (top + bottom) / 2])
            distance = np.abs(offsets).max(0) if centre else sides.max(0)
            token |= (sides.min(0) > 0) & (distance > low) & (distance <= high)
        labels.append(token.reshape(-1))
    return np.concatenate(labels).astype(np.float32)


@pytest.mark.parametrize("case", [0, 1])
@pytest.mark.parametrize("kind", list(INTERVALS))
def test_labels_equal_golden(case: int, kind: str) -> None:
    golden = load("fts_targets")
    boxes, (height, width) = golden[f"c{case}/boxes"], golden["meta"]["cases"][case]["padded_hw"]
    valid = (boxes[..., 2] >= 0).astype(np.float32)
    ours = foreground_targets(Tensor(boxes), Tensor(valid), height, width, INTERVALS[kind])
    expected = golden[f"c{case}/targets_{kind}"][..., 0]
    np.testing.assert_array_equal(ours.asnumpy(), expected)
    np.testing.assert_array_equal(ours.asnumpy().sum(1), golden[f"c{case}/num_pos_{kind}"])


@pytest.mark.parametrize("case", [0, 1])
@pytest.mark.parametrize("kind", list(INTERVALS))
def test_loss_and_gradient_equal_golden(case: int, kind: str) -> None:
    golden = load("fts_targets")
    logits = Tensor(golden[f"c{case}/logits_{kind}"][..., 0])
    targets = Tensor(golden[f"c{case}/targets_{kind}"][..., 0].astype(np.float32))
    criterion = ForegroundLoss(intervals=INTERVALS[kind])
    loss, gradient = ms.value_and_grad(criterion.loss)(logits, targets)
    assert 1.5 * float(loss) == pytest.approx(
        float(golden[f"c{case}/loss_weighted_{kind}"]), rel=1e-6
    )
    # at the usual floor of 2e-6 there is little margin: the CPU's sigmoid is approximate
    found = 1.5 * gradient.asnumpy()[..., None]
    check(golden, f"c{case}/grad_logits_{kind}", found, floor=4e-6)


@pytest.fixture(scope="module")
def released() -> ForegroundLoss:
    """One cell: equal shapes reuse its compiled graph."""
    return ForegroundLoss(intervals=RELEASED)


@pytest.mark.parametrize("name", ["train_r50_q100", "train_r50_empty1_q100"])
def test_loss_of_the_model_equals_golden(released: ForegroundLoss, name: str) -> None:
    golden = load(name)
    targets = golden_targets(golden, padded=7)
    arguments = [Tensor(part) for part in (targets.boxes, targets.box_valid, targets.image_sizes)]
    labels = released.labels(*arguments, 416, 448).asnumpy()
    np.testing.assert_array_equal(labels, golden["fts_targets"][..., 0])
    scores = Tensor(golden["foreground_score_raw"][..., 0])
    loss = released(scores, *arguments, 416, 448)
    assert float(loss) == pytest.approx(golden["loss_unweighted"][-1], rel=1e-5)


@pytest.mark.parametrize("centre", [False, True])
@pytest.mark.parametrize("size", [(96, 200), (131, 77)])
def test_labels_equal_the_plain_comparison(size: tuple[int, int], centre: bool) -> None:
    scale = np.array([size[1], size[0]] * 2, np.float32)
    boxes = random_boxes(np.random.default_rng(size[0]), 2, 9) * scale
    low, high = boxes[..., :2] - boxes[..., 2:] / 2, boxes[..., :2] + boxes[..., 2:] / 2
    boxes = np.concatenate([low, high], -1).astype(np.float32)
    intervals = ((-1, 16), (12, 40), (32, 64), (40, 999))
    valid = np.array([[1] * 9, [1] * 4 + [0] * 5], np.float32)
    ours = foreground_targets(Tensor(boxes), Tensor(valid), *size, intervals, centre=centre)
    for image, count in enumerate((9, 4)):
        expected = _plain_targets(boxes[image, :count], size, intervals, centre)
        assert expected.any()
        np.testing.assert_array_equal(ours.asnumpy()[image], expected)


def test_order_of_boxes_does_not_matter() -> None:
    rng = np.random.default_rng(5)
    boxes = random_boxes(rng, 1, 6)
    order = rng.permutation(6)
    criterion = ForegroundLoss(intervals=RELEASED)
    valid, size = Tensor(np.ones((1, 6), np.float32)), Tensor(np.array([[160, 224]], np.int32))
    first = criterion.labels(Tensor(boxes), valid, size, 160, 224)
    second = criterion.labels(Tensor(boxes[:, order]), valid, size, 160, 224)
    np.testing.assert_array_equal(first.asnumpy(), second.asnumpy())


def test_without_boxes_everything_is_background() -> None:
    boxes = Tensor(np.tile(np.array([0.5, 0.5, 1.0, 1.0], np.float32), (2, 3, 1)))
    valid, size = Tensor(np.zeros((2, 3), np.float32)), Tensor(np.array([[64, 64]] * 2, np.int32))
    scores = np.zeros((2, 64 + 16 + 4 + 1), np.float32)
    scores[0, :4] = (1e4, -1e4, 17.0, -90.0)  # numbers that saturate the reference
    criterion = ForegroundLoss(intervals=RELEASED)

    def loss(values: Tensor) -> Tensor:
        return criterion(values, boxes, valid, size, 64, 64)

    with pynative():  # the test of the criterion compiles it
        value, gradient = ms.value_and_grad(loss)(Tensor(scores))
    at_zero = 0.75 * 0.25 * np.log(2.0)
    expected = (0.75 * (1e4 + 17.0) + at_zero * (2 * 85 - 4)) / 2
    assert float(value) == pytest.approx(expected, rel=1e-6)
    assert np.isfinite(gradient.asnumpy()).all()


def test_normaliser_none_is_the_plain_sum() -> None:
    scores = Tensor(np.zeros((1, 4), np.float32))
    targets = Tensor(np.array([[1, 1, 0, 0]], np.float32))
    total = 0.25 * np.log(2.0) * (2 * 0.25 + 2 * 0.75)
    plain = ForegroundLoss(intervals=RELEASED, normaliser="none")
    shared = ForegroundLoss(intervals=RELEASED)
    assert float(plain.loss(scores, targets)) == pytest.approx(total, rel=1e-6)
    assert float(shared.loss(scores, targets)) == pytest.approx(total / 2, rel=1e-6)
