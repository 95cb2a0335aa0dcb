"""Nouns follow their numbers, and reasons are one line."""

from __future__ import annotations

import pytest

from focus_detr.wording import close_names, counted, did_you_mean, first_line, named


@pytest.mark.parametrize(
    ("noun", "plural"),
    [
        ("picture", "pictures"),
        ("class", "classes"),
        ("box", "boxes"),
        ("broken batch", "broken batches"),
        ("mesh", "meshes"),
        ("graph", "graphs"),
    ],
)
def test_only_one_is_singular(noun: str, plural: str) -> None:
    assert [counted(number, noun) for number in (0, 1, 2, 21)] == [
        *(f"0 {plural}", f"1 {noun}", f"2 {plural}", f"21 {plural}"),
    ]
    assert [named(number, noun) for number in (1, 1000)] == [noun, plural]


@pytest.mark.parametrize(
    ("told", "line"),
    [
        ("no such device", "no such device"),
        ("\n  no such device\n\n----\nC++ call stack\n----\n", "no such device"),
        ("", ""),
    ],
)
def test_of_a_librarys_message_the_first_line_is_told(told: str, line: str) -> None:
    assert first_line(RuntimeError(told)) == line


def test_names_that_may_have_been_meant_are_asked_for() -> None:
    assert close_names("trian", ["eval", "train", "brain"], 2) == ["train", "brain"]
    assert close_names("zebra", ["eval", "train"]) == []
    assert did_you_mean(["train", "brain"]) == "did you mean train or brain?"
    assert did_you_mean([]) == ""
