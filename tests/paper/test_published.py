"""Rows by name."""

from __future__ import annotations

import pytest

from focus_detr.errors import FocusDetrError
from focus_detr.paper.published import find_rows, published_rows


@pytest.mark.parametrize(
    ("name", "offered"),
    [
        ("family/dino_r50_63ep", "family/dino_r50_36ep"),
        ("dino_r50_36ep", "family/dino_r50_36ep"),  # as figures call it
        ("focus_detr_r50_36ep", "focus_detr_r50_36ep@10 or focus_detr_r50_36ep@20"),
        ("focus_detr_r50_36ep@35", "focus_detr_r50_36ep@"),
        ("efficient", "family/efficient_detr_r50_50ep"),
    ],
)
def test_an_unknown_row_brings_the_close_ones(name: str, offered: str) -> None:
    with pytest.raises(FocusDetrError) as caught:
        find_rows([name])
    assert f"there is no row {name}; did you mean {offered}" in str(caught.value)
    assert str(caught.value).endswith("?") and str(caught.value).count(" or ") < 5


def test_if_none_is_close_all_are_told() -> None:
    with pytest.raises(FocusDetrError, match=r"there is no row qqq, only family/deformable_detr_"):
        find_rows(["qqq"])
    assert len(find_rows([])) == len(published_rows())
