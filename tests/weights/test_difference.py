"""Differences between a file and a model are complete and readable."""

from __future__ import annotations

import pytest

from focus_detr.errors import FocusDetrError
from focus_detr.weights.difference import compare

EXPECTED = {"a.weight": (2, 3), "a.bias": (2,), "b.weight": (4,)}
FOUND = {"a.weight": (2, 3), "a.bias": (5,), "c.weight": (4,)}


def test_equal_sets_differ_in_nothing() -> None:
    assert not compare(EXPECTED, dict(reversed(EXPECTED.items())))


def test_every_difference_is_listed() -> None:
    difference = compare(EXPECTED, FOUND)
    assert difference.missing == ("b.weight",)
    assert difference.unexpected == ("c.weight",)
    assert difference.misshapen == (("a.bias", (2,), (5,)),)
    assert str(difference).splitlines() == [
        "1 missing, 1 unexpected and 1 misshapen tensor",
        "  missing     b.weight",
        "  unexpected  c.weight",
        "  misshapen   a.bias: [5] instead of [2]",
    ]


def test_skipped_names_no_longer_differ() -> None:
    difference = compare(EXPECTED, FOUND)
    assert difference.without([r"^[bc]\."]).misshapen == difference.misshapen
    assert not difference.without([r"^[bc]\."]).missing
    assert not difference.without([r"^[bc]\.", "bias$"])


def test_bad_pattern_is_named() -> None:
    with pytest.raises(FocusDetrError, match=r"'\(' is not a regular expression"):
        compare(EXPECTED, FOUND).without(["("])
