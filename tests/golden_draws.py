"""Targets and draws of the golden training cases, in our padded layout.

The reference draws for the boxes of the batch one after the other, repeated for every half group
(positives, negatives, positives, ...); ours are drawn per slot. Slots that the reference leaves
empty get draws that would move a box far, so that a test fails if one of them counts.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, NamedTuple

import numpy as np


class Targets(NamedTuple):
    """Padded targets of B images as in ``focus_detr.data.batch.Batch``."""

    boxes: np.ndarray  # [B, T, 4]
    labels: np.ndarray  # [B, T]
    box_valid: np.ndarray  # [B, T]
    image_sizes: np.ndarray  # [B, 2]


def golden_targets(golden: Mapping[str, Any], padded: int) -> Targets:
    """Targets of a training case, padded to ``padded`` boxes per image."""
    sizes = np.array(golden["meta"]["sizes"], np.int32)
    boxes = np.tile(np.array([0.5, 0.5, 1.0, 1.0], np.float32), (len(sizes), padded, 1))
    labels = np.zeros((len(sizes), padded), np.int32)
    valid = np.zeros((len(sizes), padded), np.float32)
    for image, (height, width) in enumerate(sizes):
        corners = golden[f"gt_boxes_xyxy{image}"] / np.array([width, height] * 2, np.float32)
        count = len(corners)
        low, high = corners[:, :2], corners[:, 2:]
        boxes[image, :count] = np.concatenate([(low + high) / 2, high - low], 1)
        labels[image, :count] = golden[f"gt_labels{image}"]
        valid[image, :count] = 1.0
    return Targets(boxes, labels, valid, sizes)


def _positions(golden: Mapping[str, Any]) -> list[tuple[int, int]]:
    """(image, slot) of every draw, in the reference's order."""
    counts = golden["meta"]["nboxes"]
    half_group = int(golden["dn_single_padding"]) // 2
    boxes = [(image, place) for image, count in enumerate(counts) for place in range(count)]
    half_groups = 2 * int(golden["dn_num"])
    return [
        (image, half * half_group + place) for half in range(half_groups) for image, place in boxes
    ]


def shift_draws(
    golden: Mapping[str, Any], slots: int = 200
) -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]:
    """``slot_draws`` of DINO's case, whose file holds the shifts that signs and parts make."""
    uniform, new_label, sign, part = slot_draws(golden, slots)
    period, half = int(golden["dn_single_padding"]), int(golden["dn_single_padding"]) // 2
    negative = np.arange(slots) % period >= half  # that are moved by one half size more
    return uniform, new_label, np.ones_like(sign), part - negative[None, :, None]


def dn_slot_draws(
    golden: Mapping[str, Any], targets: int, groups: int = 5
) -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]:
    """Draws of a DN-Deformable-DETR case as ``slot_draws`` gives them; a shift may be negative."""
    counts, largest = golden["meta"]["nboxes"], int(golden["dn_single_padding"])
    shape = (len(counts), groups * targets)
    uniform, new_label = np.zeros(shape, np.float32), np.zeros(shape, np.int32)
    sign, part = np.ones((*shape, 4), np.float32), np.full((*shape, 4), 0.9, np.float32)
    boxes = [(image, place) for image, count in enumerate(counts) for place in range(count)]
    image, slot = np.array(
        [(image, group * largest + place) for group in range(groups) for image, place in boxes]
    ).T
    uniform[image, slot] = golden["draw/p"]
    replaced = np.flatnonzero(golden["draw/p"] < 0.2)
    new_label[image[replaced], slot[replaced]] = golden["draw/new_label"]
    part[image, slot] = golden["draw/rand_box"] * 2.0 - 1.0
    return uniform, new_label, sign, part


def slot_draws(
    golden: Mapping[str, Any], slots: int = 200
) -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]:
    """Draws of a training case by slot: uniform, new_label [B, D], sign, part [B, D, 4]."""
    shape = (len(golden["meta"]["nboxes"]), slots)
    uniform, new_label = np.zeros(shape, np.float32), np.zeros(shape, np.int32)
    sign, part = np.ones((*shape, 4), np.float32), np.full((*shape, 4), 0.9, np.float32)
    image, slot = np.array(_positions(golden)).T
    uniform[image, slot] = golden["draw/p"]
    replaced = np.flatnonzero(golden["draw/p"] < 0.25)
    new_label[image[replaced], slot[replaced]] = golden["draw/new_label"]
    sign[image, slot] = golden["draw/rand_sign01"] * 2.0 - 1.0
    part[image, slot] = golden["draw/rand_part"]
    return uniform, new_label, sign, part


def branch_draws(golden: Mapping[str, Any]) -> np.ndarray:
    """Uniform draws [B, branches] that keep the branches which the reference has kept."""
    return np.where(golden["draw/drop_path"].T > 0, 0.0, 0.999).astype(np.float32)
