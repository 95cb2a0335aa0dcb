"""Renaming tables read in both directions."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from focus_detr.weights.templates import both_ways

TABLE = (("neck.convs.#.", "neck.lateral.#."), ("a.#.b.#", "b.#.a.#.x"), ("whole", "other"))


def test_first_match_renames_and_the_rest_is_unknown() -> None:
    forward, backward = both_ways(TABLE)
    assert forward("neck.convs.2.conv.bias") == "neck.lateral.2.conv.bias"
    assert forward("wholesome") is None
    assert backward("other") == "whole"
    assert forward("neckXconvs.2.conv") is None


@given(st.integers(0, 10**6), st.integers(0, 10**6))
def test_numbers_keep_their_order(first: int, second: int) -> None:
    forward, backward = both_ways(TABLE)
    renamed = forward(f"a.{first}.b.{second}")
    assert renamed == f"b.{first}.a.{second}.x"
    assert backward(renamed) == f"a.{first}.b.{second}"
