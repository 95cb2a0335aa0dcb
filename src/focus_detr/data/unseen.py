"""Letters that nobody sees: blanks of all kinds, and marks that programs put around texts."""

from __future__ import annotations

_LAST_BLANK = 0x3000  # of Unicode

BLANKS = "".join(filter(str.isspace, map(chr, range(_LAST_BLANK + 1))))
# the byte order mark, joints of no width, and those that tell in which direction a text runs
MARKS = "\u200b\u200e\u200f\u202a\u202b\u202c\u202d\u202e\u2060\ufeff"
UNSEEN = MARKS + BLANKS

_AS_SEEN = str.maketrans({**dict.fromkeys(BLANKS, " "), **dict.fromkeys(MARKS, "")})


def as_seen(text: str) -> str:
    """The text with plain blanks and without marks."""
    return text.translate(_AS_SEEN)
