"""Letters that nobody sees."""

from __future__ import annotations

from focus_detr.data.unseen import UNSEEN, as_seen


def test_blanks_become_plain_and_marks_go() -> None:
    assert as_seen("a\u00a0b\u202fc\u3000d\u2060e\tf") == "a b c de f"
    assert as_seen("na\u00efve \u732b") == "na\u00efve \u732b"


def test_all_of_them_are_stripped() -> None:
    assert "\ufeff\u202a\u00a0a b\u200b\u3000\r\n".strip(UNSEEN) == "a b"
    assert len(UNSEEN) == len(set(UNSEEN)) == 39
