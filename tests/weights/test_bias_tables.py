"""Bias tables for another window: the reference's numbers, and what an interpolation must keep."""

from __future__ import annotations

import numpy as np
import pytest
from golden_data import check, load, weight_for
from hypothesis import given
from hypothesis import strategies as st

from focus_detr.weights.bias_tables import fit_bias_tables, resize_bias_table

NAME = "backbone.layers.0.blocks.0.attn.relative_position_bias_table"


@pytest.mark.parametrize(("case", "window"), [("7to12", 12), ("12to7", 7), ("7to8", 8)])
def test_the_reference_s_interpolation(case: str, window: int) -> None:
    golden = load("swin_bias_resize")
    table = golden[f"{case}/input"]
    old = case.partition("to")[0]
    name = f"swin_bias_resize.{old}.relative_position_bias_table"
    np.testing.assert_array_equal(table, weight_for(name, table.shape, 0))
    check(golden, f"{case}/output", resize_bias_table(table, window))


@given(old=st.integers(2, 12), new=st.integers(2, 12), level=st.floats(-3, 3))
def test_a_level_table_stays_level(old: int, new: int, level: float) -> None:
    table = np.full(((2 * old - 1) ** 2, 2), level, np.float32)
    resized = resize_bias_table(table, new)
    assert resized.shape == ((2 * new - 1) ** 2, 2)
    np.testing.assert_allclose(resized, level, atol=1e-5)


def test_only_tables_of_another_window_change(caplog: pytest.LogCaptureFixture) -> None:
    tensors = {NAME: np.ones((169, 3), np.float32), "level_embed": np.zeros((169, 3))}
    same = fit_bias_tables(tensors, {NAME: (169, 3), "level_embed": (529, 3)}, "a file")
    assert all(same[name] is tensor for name, tensor in tensors.items())
    assert caplog.text == ""
    other = fit_bias_tables(tensors, {NAME: (529, 3)}, "a file")
    assert other[NAME].shape == (529, 3)
    assert "a file was trained with windows of 7 cells a side, the model has 12" in caplog.text
    heads = fit_bias_tables(tensors, {NAME: (529, 4)}, "a file")
    assert heads[NAME] is tensors[NAME]  # of another network: the check that follows tells
