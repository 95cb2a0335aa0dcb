"""What separates the tensors of a file from those of a model."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import NamedTuple

from focus_detr.errors import FocusDetrError
from focus_detr.wording import counted

Shape = tuple[int, ...]
Patterns = Sequence[str | re.Pattern[str]]


class Misshapen(NamedTuple):
    """A tensor of the right name and the wrong shape."""

    name: str
    expected: Shape
    found: Shape


@dataclass(frozen=True)
class Difference:
    """Tensors that do not agree; false when all do."""

    missing: tuple[str, ...] = ()
    unexpected: tuple[str, ...] = ()
    misshapen: tuple[Misshapen, ...] = ()

    def __bool__(self) -> bool:
        """Whether anything differs."""
        return bool(self.missing or self.unexpected or self.misshapen)

    def __str__(self) -> str:
        """A count in one line, then one line per tensor."""
        return "\n".join([self.summary(), *self._lines()])

    def summary(self) -> str:
        """The three counts."""
        return (
            f"{len(self.missing)} missing, {len(self.unexpected)} unexpected and "
            f"{counted(len(self.misshapen), 'misshapen tensor')}"
        )

    def _lines(self) -> Iterator[str]:
        for name in self.missing:
            yield f"  missing     {name}"
        for name in self.unexpected:
            yield f"  unexpected  {name}"
        for name, expected, found in self.misshapen:
            yield f"  misshapen   {name}: {list(found)} instead of {list(expected)}"

    def without(self, skip: Patterns) -> Difference:
        """Leave out the tensors whose name a pattern matches."""
        return Difference(
            tuple(name for name in self.missing if not matches(name, skip)),
            tuple(name for name in self.unexpected if not matches(name, skip)),
            tuple(entry for entry in self.misshapen if not matches(entry.name, skip)),
        )


def matches(name: str, skip: Patterns) -> bool:
    """Whether any of the regular expressions occurs in a name.

    Raises:
        FocusDetrError: one of them is not a regular expression.
    """
    try:
        return any(re.search(pattern, name) for pattern in skip)
    except re.error as error:
        raise FocusDetrError(
            f"'{error.pattern!s}' is not a regular expression: {error.msg}"
        ) from error


def compare(
    expected: Mapping[str, Sequence[int]], found: Mapping[str, Sequence[int]]
) -> Difference:
    """Compare two sets of tensors by name and shape.

    Args:
        expected: shape by name that the model has.
        found: shape by name that the file has.
    """
    both = [name for name in expected if name in found]
    return Difference(
        missing=tuple(name for name in expected if name not in found),
        unexpected=tuple(name for name in found if name not in expected),
        misshapen=tuple(
            Misshapen(name, tuple(expected[name]), tuple(found[name]))
            for name in both
            if tuple(expected[name]) != tuple(found[name])
        ),
    )
