"""Numbers and reasons in sentences for people."""

from __future__ import annotations

import difflib
from collections.abc import Iterable, Sequence

_HISSING = ("s", "x", "ch", "sh")


def named(number: int, noun: str) -> str:
    """The noun alone as the number asks for it: ``box`` for 1, otherwise ``boxes``."""
    if number == 1:
        return noun
    return f"{noun}es" if noun.endswith(_HISSING) else f"{noun}s"


def counted(number: int, noun: str) -> str:
    """A number with its noun: ``0 boxes``, ``1 box``, ``2 boxes``."""
    return f"{number} {named(number, noun)}"


def percent(metric: float) -> str:
    """A COCO metric, a fraction, in percent: ``40.6``; ``-`` for -1, where nothing was measured."""
    return "-" if metric < 0 else f"{100 * metric:.1f}"


def first_line(error: BaseException) -> str:
    """What an exception of a library says, without the lines below, such as a call stack."""
    return str(error).strip().partition("\n")[0]


def close_names(name: str, known: Iterable[str], most: int = 1) -> list[str]:
    """What may have been meant by a name that is unknown, likeliest first."""
    return difflib.get_close_matches(name, list(known), n=most)


def did_you_mean(names: Sequence[str]) -> str:
    """``did you mean train or eval?``; empty where there are no names."""
    return f"did you mean {' or '.join(names)}?" if names else ""
