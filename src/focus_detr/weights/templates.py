"""Renaming by templates: the same table reads in both directions.

A template is a name, or the beginning of a name if it ends with a dot; ``#`` stands for a number.
``("neck.convs.#.", "neck.lateral.#.")`` renames ``neck.convs.2.conv.bias`` to
``neck.lateral.2.conv.bias``.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass


def _pattern(template: str) -> re.Pattern[str]:
    text = re.escape(template).replace(r"\#", r"(\d+)")
    return re.compile(text if template.endswith(".") else f"{text}$")


@dataclass(frozen=True)
class _Rule:
    pattern: re.Pattern[str]
    target: str

    def apply(self, name: str) -> str | None:
        """The new name, or None where the rule does not apply."""
        match = self.pattern.match(name)
        if match is None:
            return None
        numbers = iter(match.groups())
        renamed = re.sub("#", lambda _: next(numbers), self.target)
        return renamed + name[match.end() :]


class Renaming:
    """A table of (template, template) pairs; the first that matches a name renames it."""

    def __init__(self, pairs: Iterable[tuple[str, str]]) -> None:
        self._rules = tuple(_Rule(_pattern(source), target) for source, target in pairs)

    def __call__(self, name: str) -> str | None:
        """The new name, or None for a name that the table does not know."""
        for rule in self._rules:
            renamed = rule.apply(name)
            if renamed is not None:
                return renamed
        return None


def both_ways(pairs: Iterable[tuple[str, str]]) -> tuple[Renaming, Renaming]:
    """The renaming that a table describes, and its inverse."""
    table = tuple(pairs)
    return Renaming(table), Renaming((target, source) for source, target in table)
