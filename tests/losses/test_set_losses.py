"""Losses of pairs: golden numbers, and queries that several boxes share."""

from __future__ import annotations

import mindspore as ms
import numpy as np
import pytest
from golden_data import check, load
from mindspore import Tensor, nn

from focus_detr.losses.set_losses import SetLosses, last_of_equals


def test_losses_and_gradients_equal_golden() -> None:
    golden = load("match_loss")
    index = np.full((1, 2, 5), -1, np.int32)
    labels, targets = np.zeros((2, 5), np.int32), np.full((2, 5, 4), 0.5, np.float32)
    for image in range(2):
        index[0, image, golden[f"tgt{image}"]] = golden[f"src{image}"]
        count = len(golden[f"tgt_labels{image}"])
        labels[image, :count] = golden[f"tgt_labels{image}"]
        targets[image, :count] = golden[f"tgt_boxes{image}"]
    cell, rest = SetLosses(), [Tensor(part) for part in (index, labels, targets)]
    use, live = Tensor(np.ones((2, 5), np.float32)), Tensor(np.ones(60, np.float32))

    def losses(logits: Tensor, boxes: Tensor) -> tuple:
        distance, classes, missing = cell(logits, boxes, *rest, use, live)
        return (classes + 5.0 * distance + 2.0 * missing).sum() / 8.0, distance, classes, missing

    inputs = Tensor(golden["logits"][None]), Tensor(golden["boxes"][None])
    (_, *parts), gradients = ms.value_and_grad(losses, (0, 1), has_aux=True)(*inputs)
    for ours, key in zip(parts, ("bbox", "class", "giou"), strict=True):
        assert float(ours[0]) / 8.0 == pytest.approx(float(golden[f"loss_{key}"]), rel=2e-6)
    for ours, key in zip(gradients, ("logits", "boxes"), strict=True):
        # at the usual floor of 2e-6 there is little margin: the CPU's sigmoid is approximate
        check(golden, f"grad_{key}", ours.asnumpy()[0], floor=4e-6)


class _Last(nn.Cell):
    def construct(self, index: Tensor, labels: Tensor, use: Tensor) -> Tensor:
        return last_of_equals(index, labels, use, 5, 2)


def test_of_a_query_s_boxes_of_one_class_the_last_counts() -> None:
    """Boxes of classes 0, 1, 0 with two pairs each; query 3 is in a pair of every box."""
    index = np.array([[[3, 1, 3, 1, 3, 0]]], np.int32)
    labels = np.array([[0, 0, 1, 1, 0, 0]], np.int32)
    use = np.array([[[1, 1, 1, 0, 1, 0]]], np.float32)
    last = _Last()(Tensor(index), Tensor(labels), Tensor(use)).asnumpy()
    np.testing.assert_array_equal(last[0, 0], [0, 1, 1, 0, 1, 0])
