"""What counts as a number, and as text."""

from __future__ import annotations

import pytest

from focus_detr.io.checks import is_finite_number, is_unicode


@pytest.mark.parametrize("value", [0, -3, 2.5, 1e308])
def test_numbers(value: float) -> None:
    assert is_finite_number(value)


@pytest.mark.parametrize("value", [True, "1", None, [1], float("nan"), float("-inf"), 10**400])
def test_no_numbers(value: object) -> None:
    assert not is_finite_number(value)


def test_halves_of_letters() -> None:
    assert is_unicode("na\u00efve \U0001f600")
    assert not is_unicode("\ud83d")
