"""Box formats and generalized IoU."""

from __future__ import annotations

import json

import numpy as np
import pytest
from golden_data import load
from golden_draws import golden_targets
from loss_cases import giou, random_boxes
from mindspore import Tensor

from focus_detr.config.loading import load_config
from focus_detr.losses.boxes import (
    EPS,
    corners,
    cxcywh_to_xyxy,
    generalized_iou,
    iou,
    xyxy_to_cxcywh,
)


def _giou(first: list[float], second: list[float]) -> float:
    first_box, second_box = (Tensor(np.array([box], np.float32)) for box in (first, second))
    return float(generalized_iou(corners(first_box), corners(second_box)).asnumpy()[0])


def test_formats_are_inverse() -> None:
    boxes = random_boxes(np.random.default_rng(0), 3, 7)
    there = cxcywh_to_xyxy(Tensor(boxes))
    np.testing.assert_allclose(xyxy_to_cxcywh(there).asnumpy(), boxes, atol=1e-6)
    np.testing.assert_allclose(
        cxcywh_to_xyxy(Tensor(np.array([4.0, 3.0, 2.0, 6.0], np.float32))).asnumpy(), [3, 0, 5, 6]
    )


def test_corners_are_the_columns_of_the_corner_format() -> None:
    boxes = Tensor(random_boxes(np.random.default_rng(1), 5))
    stacked = np.stack([side.asnumpy() for side in corners(boxes)], -1)
    np.testing.assert_allclose(stacked, cxcywh_to_xyxy(boxes).asnumpy(), atol=1e-7)


def test_known_overlaps() -> None:
    assert abs(_giou([0.5, 0.5, 0.4, 0.4], [0.5, 0.5, 0.4, 0.4]) - 1.0) < 1e-4
    # two squares of 0.2 side by side with a gap of 0.2: no overlap, a third of the hull is empty
    assert abs(_giou([0.2, 0.5, 0.2, 0.2], [0.6, 0.5, 0.2, 0.2]) + 1.0 / 3.0) < 1e-4
    # half of the second lies in the first: overlap 0.02 of union 0.06, hull 0.06
    assert abs(_giou([0.3, 0.3, 0.2, 0.2], [0.4, 0.3, 0.2, 0.2]) - 1.0 / 3.0) < 1e-4


def test_equals_numpy_and_is_symmetric() -> None:
    rng = np.random.default_rng(2)
    first, second = random_boxes(rng, 200), random_boxes(rng, 200)
    sides = corners(Tensor(first)), corners(Tensor(second))
    ours = generalized_iou(sides[0], sides[1]).asnumpy()
    np.testing.assert_allclose(ours, giou(first, second), atol=2e-6)
    np.testing.assert_array_equal(ours, generalized_iou(sides[1], sides[0]).asnumpy())
    assert ours.min() > -1.0


def test_iou_by_hand() -> None:
    """Half of the second lies in the first; the same box; apart; without area."""
    first = np.array([[0.3, 0.3, 0.2, 0.2]] * 3 + [[0.5, 0.5, 0.0, 0.0]], np.float32)
    second = np.array(
        [[0.4, 0.3, 0.2, 0.2], [0.3, 0.3, 0.2, 0.2], [0.8, 0.8, 0.1, 0.1], [0.5, 0.5, 0.0, 0.0]],
        np.float32,
    )
    ours = iou(corners(Tensor(first)), corners(Tensor(second)), 1e-12).asnumpy()
    np.testing.assert_allclose(ours, [1.0 / 3.0, 1.0, 0.0, 0.0], atol=1e-6)


def test_boxes_without_area_stay_finite() -> None:
    assert _giou([0.5, 0.5, 0.0, 0.0], [0.5, 0.5, 0.0, 0.0]) == 0.0
    assert np.isfinite(_giou([0.1, 0.1, 0.0, 0.3], [0.9, 0.9, 0.2, 0.0]))


def _golden_loss(golden: dict, epsilon: float) -> float:
    """GIoU's loss of the last layer, as weighted, of the reference's boxes and matches."""
    targets = golden_targets(golden, 8)
    losses = []
    for image, found in enumerate(golden["pred_boxes"]):
        expected = targets.boxes[image][golden[f"match/last/tgt{image}"]]
        pair = [corners(Tensor(b)) for b in (found[golden[f"match/last/src{image}"]], expected)]
        losses += (1.0 - generalized_iou(pair[0], pair[1], epsilon).asnumpy()).tolist()
    return 2.0 * sum(losses) / targets.box_valid.sum()


@pytest.mark.parametrize(
    ("case", "recipe"),
    [
        ("train_deformable_plain_r50_q100", "deformable_detr_r50_50ep"),
        ("train_deformable_refine_r50_q100", "deformable_detr_refine_r50_50ep"),
        ("train_deformable_two_stage_r50_q100", "deformable_detr_two_stage_r50_50ep"),
        ("sparse_train_r50_q30", "sparse_detr_r50_50ep"),
    ],
)
def test_settings_add_to_denominators_what_their_reference_does(case: str, recipe: str) -> None:
    """Detrex adds 1e-6 in Deformable DETR too; the authors' code, and Sparse DETR's, nothing."""
    golden = load(case)
    names = json.loads(str(golden["loss_names"]))
    exact = golden["loss_weighted_f64"][names.index("loss_giou")]
    epsilon = load_config(f"family/{recipe}").loss.giou_epsilon
    other = 1e-12 if epsilon == EPS else EPS
    error, mistake = (abs(_golden_loss(golden, added) - exact) for added in (epsilon, other))
    assert error < 3e-7 * exact
    assert error < mistake / 5  # these boxes are large; small ones differ by more
