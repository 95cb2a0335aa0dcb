"""The golden recipe rebuilds what the reference was run with."""

from __future__ import annotations

import zlib

import numpy as np
import pytest
from golden_data import (
    boxes_for,
    case_weights,
    check,
    check_set,
    image_for,
    load,
    manifest,
    packed_mask,
    weights_from_manifest,
)

INFER_CASES = ("infer_r50_24ep_q100", "infer_r50_alpha_q100", "infer_r50_b2", "infer_r50_q100")
SPARSE_CASES = tuple(f"sparse_infer_r50_{case}q30" for case in ("", "b2_", "rho0_", "twostage_"))
TRAIN_CASES = ("train_r50_b2", "train_r50_empty1_q100", "train_r50_q100")


@pytest.mark.parametrize("model", ["r50", "sparse_r50"])
@pytest.mark.parametrize("seed", [0, 7])
def test_weights_have_the_recorded_checksum(model: str, seed: int) -> None:
    entries = manifest(model)
    weights = weights_from_manifest(entries, seed)
    checksum = 0
    for name in sorted(weights):
        checksum = zlib.crc32(weights[name].tobytes(), checksum)
    assert checksum == entries["filled_crc32"][f"seed{seed}"]
    assert len(weights) == entries["num_entries"]


@pytest.mark.parametrize("case", [*INFER_CASES, *SPARSE_CASES])
def test_images_have_the_recorded_checksum(case: str) -> None:
    golden = load(case)
    meta = golden["meta"]
    for i, (height, width) in enumerate(meta["sizes"]):
        image = image_for(meta["first_image_index"] + i, height, width, meta["seed"])
        assert zlib.crc32(image.tobytes()) == int(golden[f"image_crc{i}"]) % 2**32


@pytest.mark.parametrize("case", TRAIN_CASES)
def test_boxes_are_the_recorded_ones(case: str) -> None:
    golden = load(case)
    meta = golden["meta"]
    for i, ((height, width), count) in enumerate(zip(meta["sizes"], meta["nboxes"], strict=True)):
        boxes, labels = boxes_for(meta["first_image_index"] + i, count, height, width, meta["seed"])
        np.testing.assert_array_equal(boxes, golden[f"gt_boxes_xyxy{i}"])
        np.testing.assert_array_equal(labels, golden[f"gt_labels{i}"])


def test_case_weights_follow_overrides_and_tweaks() -> None:
    weights = case_weights(load("infer_r50_alpha_q100"))
    assert weights["transformer.tgt_embed.weight"].shape == (100, 256)
    np.testing.assert_allclose(weights["transformer.alpha"], [0.31, -0.27, 0.22], rtol=1e-6)
    assert weights["transformer.alpha"].dtype == np.float32


def test_check_accepts_noise_and_refuses_errors() -> None:
    golden = {"x": np.array([1.0, -2.0], np.float32), "x/noise": np.float64(1e-6)}
    assert check(golden, "x", golden["x"]) == (0.0, pytest.approx(3e-5))
    with pytest.raises(AssertionError, match="exceeds"):
        check(golden, "x", golden["x"] + np.float32(1e-4))
    with pytest.raises(AssertionError, match="shape"):
        check(golden, "x", golden["x"][:1])


def test_check_set_ignores_order_but_not_members() -> None:
    golden = {"tokens": np.array([[3, 1, 2]])}
    check_set(golden, "tokens", np.array([[1, 2, 3]]))
    with pytest.raises(AssertionError, match="2 tokens differ"):
        check_set(golden, "tokens", np.array([[1, 2, 4]]))


def test_packed_mask_restores_the_last_axis() -> None:
    mask = np.arange(22).reshape(2, 11) % 3 == 0
    golden = {"mask_packed": np.packbits(mask, axis=-1), "mask/shape": np.array(mask.shape)}
    np.testing.assert_array_equal(packed_mask(golden, "mask"), mask)
