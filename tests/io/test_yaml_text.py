"""YAML that people write: values, or one sentence."""

from __future__ import annotations

import datetime
import sys

import pytest
from hypothesis import given
from hypothesis import strategies as st

from focus_detr.errors import FocusDetrError
from focus_detr.io.yaml_text import parse_yaml


def test_values_have_their_types() -> None:
    day = datetime.date(2026, 12, 31)
    assert parse_yaml("{a: [1, 2.5], b: 2026-12-31}", "here") == {"a": [1, 2.5], "b": day}


def test_merged_mappings_are_no_keys_written_twice() -> None:
    text = "a: &a {x: 1}\nb: &b {<<: *a, x: 2}\nc: {<<: *b, x: 3}"
    assert parse_yaml(text, "here") == {"a": {"x": 1}, "b": {"x": 2}, "c": {"x": 3}}


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("2026-31-12", r"month must be in 1\.\.12"),
        ("a: b: c", "mapping values are not allowed here at line 1, column 5"),
        ("{[]: 1}", "found unhashable key at line 1, column 2"),
        ("a: 1\na: 2", "a key appears twice in one section at line 1, column 1"),
        ("!!timestamp soon", ""),
        ('!!int ""', ""),
        ("!!bool perhaps", ""),
        ("!!timestamp {=: soon}", ""),
        ("9" * 5000, ""),
        ("1" + ":59" * 200 + ".5", ""),
        ("\0", ""),
    ],
)
def test_what_is_wrong_is_one_sentence(text: str, reason: str) -> None:
    with pytest.raises(FocusDetrError, match=f"^here is not valid YAML: .*{reason}") as caught:
        parse_yaml(text, "here")
    assert "\n" not in str(caught.value)


def test_brackets_may_not_nest_without_end() -> None:
    usual = sys.getrecursionlimit()
    sys.setrecursionlimit(600)  # MindSpore raises it, and the depth takes seconds then
    try:
        with pytest.raises(FocusDetrError, match="it is nested too deeply"):
            parse_yaml("[" * 600, "here")
    finally:
        sys.setrecursionlimit(usual)


_CHARACTERS = "[]{}:-,&*!?|>'\"%@`#~=< \n\t019abT.Z+_"
_TAGS = ("binary", "bool", "float", "int", "null", "omap", "pairs", "set", "str", "timestamp")
_PIECES = [*_CHARACTERS, *(f"!!{tag} " for tag in _TAGS), "2026-10-31", "0x", "? ", "<<: "]


@given(st.lists(st.sampled_from(_PIECES), max_size=40).map("".join))
def test_no_text_is_a_defect(text: str) -> None:
    try:
        parse_yaml(text, "here")
    except FocusDetrError as error:
        assert str(error).startswith("here is not valid YAML: ")
