"""Corr in its three readings against golden numbers and on cases that can be counted by hand."""

from __future__ import annotations

import numpy as np
from golden_data import check, load, packed_mask
from hypothesis import given
from hypothesis import strategies as st

from focus_detr.evaluation.correlation import by_level, correlation, hit_share


def _golden() -> tuple[dict, np.ndarray, np.ndarray, tuple[tuple[int, int], ...]]:
    golden = load("sparse_dam_a")
    shapes = tuple((int(rows), int(columns)) for rows, columns in golden["spatial_shapes"])
    kept = np.full(2, golden["foreground_inds0"].shape[1])  # the reference counts the batch's K
    return golden, golden["foreground_inds0"], kept, shapes


def test_three_readings_equal_the_reference() -> None:
    golden, ranked, kept, _ = _golden()
    image_tokens = ~packed_mask(golden, "mask_flatten")
    found = correlation(golden["dam"], ranked, kept, image_tokens)
    check(golden | {"corr_image": golden["corr_image"][:, 0]}, "corr_image", found.kept)
    check(golden, "corr_top10_selected", found.top_kept)
    check(golden, "corr_top10_dam", found.top_attended)
    assert abs(found.kept.mean() - golden["corr"][0]) < 1e-6


def test_levels_equal_the_reference() -> None:
    golden, ranked, kept, shapes = _golden()
    found = by_level(golden["dam"], ranked, kept, shapes)
    check(golden | {"corr_image": golden["corr_image"][:, 1:]}, "corr_image", found)


def test_readings_of_a_small_case() -> None:
    attention = np.array([[8.0, 4.0, 0.0, 1.0, 3.0, 0.0, 0.0, 0.0, 0.0, 0.0]])
    ranked = np.array([[1, 4, 2, 0]])
    found = correlation(attention, ranked, np.array([3]), np.ones((1, 10)))
    assert found.kept[0] == 7 / 16  # tokens 1, 4, 2
    assert found.top_kept[0] == 7 / 16  # trunc(.1 * 10) + 1 = 2 tokens: 1, 4
    assert found.top_attended[0] == 4 / 12  # tokens 0 and 1 are looked at most, 1 is kept


def test_no_attention_is_no_number() -> None:
    found = hit_share(np.zeros((1, 3)), np.ones((1, 3), bool))
    assert np.isnan(found[0])


@given(seed=st.integers(0, 2**16), tokens=st.integers(1, 50))
def test_all_tokens_hit_everything(seed: int, tokens: int) -> None:
    rng = np.random.default_rng(seed)
    attention = rng.random((2, tokens)) + 1e-3
    ranked = np.stack([rng.permutation(tokens) for _ in range(2)])
    whole = np.full(2, tokens)
    valid = np.ones(attention.shape)
    found = correlation(attention, ranked, whole, valid)
    np.testing.assert_allclose(found.kept, 1.0)
    np.testing.assert_allclose(found.top_attended, 1.0)
    assert (found.top_kept <= found.kept + 1e-12).all()
    fewer = correlation(attention, ranked, whole // 2, valid)
    assert (fewer.kept <= found.kept + 1e-12).all()
