"""Numbers and flags in every form, and never as another value."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from focus_detr.data.json_fields import finite_number, flag, image_id, whole_number
from focus_detr.errors import FocusDetrError


@given(st.integers())
def test_whole_numbers_of_any_size_are_exact(number: int) -> None:
    assert whole_number(number) == whole_number(str(number)) == image_id(str(number)) == number


@given(st.floats())
def test_floats_are_whole_only_where_they_are_exact(number: float) -> None:
    found = whole_number(number)
    assert found == number if abs(number) < 2**53 and number == int(number) else found is None


@pytest.mark.parametrize("value", [True, None, "", "1_0", "5.5", "0x1", [1], 1.5, 1e300, 2.0**53])
def test_nothing_else_is_a_whole_number(value: object) -> None:
    assert whole_number(value) is None


@pytest.mark.parametrize("value", ["000a12", "007", "a/b.jpg", "5.0"])
def test_texts_stay_ids_as_they_are(value: str) -> None:
    assert image_id(value) == value


@pytest.mark.parametrize("value", [True, None, "", 1.5, "\ud800", []])
def test_other_values_are_no_ids(value: object) -> None:
    assert image_id(value) is None


@given(st.floats(allow_nan=False, allow_infinity=False))
def test_numbers_as_text_are_the_same(number: float) -> None:
    assert finite_number(str(number)) == finite_number(number) == number


@pytest.mark.parametrize("value", ["nan", "inf", "1,5", "1_0", "", "1e999", None, True, 10**400])
def test_nothing_else_is_a_number(value: object) -> None:
    assert finite_number(value) is None


@pytest.mark.parametrize("value", [2, -1, 0.5, "2", "yes", "", [], {}, float("nan")])
def test_other_flags_are_refused(value: object) -> None:
    with pytest.raises(FocusDetrError, match="here: 'iscrowd' must be 0 or 1"):
        flag(value, "here", "iscrowd")


@pytest.mark.parametrize(
    ("value", "meant"),
    [
        *((1, True), (1.0, True), ("1.0", True), (" True ", True), ("1", True)),
        *((0, False), (-0.0, False), ("0.0", False), ("FALSE", False), ("0", False), (None, False)),
    ],
)
def test_flags_in_every_form(value: object, meant: bool) -> None:
    assert flag(value, "here", "iscrowd") is meant
