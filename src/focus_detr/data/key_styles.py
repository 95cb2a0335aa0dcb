"""Keys that are spelled in another style than their format's, such as ``isCrowd``."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from focus_detr.errors import FocusDetrError

_QUESTION = "is"  # in front of a flag


def folded(key: str) -> str:
    """Equal for keys that differ in capitals, between their words, or in ``is`` in front."""
    return "".join(filter(str.isalnum, key)).lower().removeprefix(_QUESTION)


class KeyStyles:
    """Brings the keys of entries into the style of a format.

    Args:
        keys: as the format has them; such a key counts before one in another style.
        others: further names -> which of the keys they mean where that is missing.
        flags: further keys, which must not contradict one in another style.
    """

    def __init__(
        self,
        keys: Iterable[str],
        others: Mapping[str, str] | None = None,
        flags: Sequence[str] = (),
    ) -> None:
        known = {key: key for key in (*keys, *flags)} | dict(others or {})
        self._flags = frozenset(flags)
        self._keys = {folded(name): key for name, key in known.items()}
        self._others: dict[tuple[Any, ...], dict[str, str]] = {}  # of entries with the same keys

    def plain(self, entry: dict[Any, Any], where: str) -> dict[Any, Any]:
        """The entry with the format's keys as well.

        Args:
            entry: keys and values; keys that are no texts stay.
            where: names it in the error.

        Raises:
            FocusDetrError: it has a flag in two styles, with different values.
        """
        others = self._others_among(tuple(entry))
        plain = dict(entry) if others else entry
        for other, key in others.items():
            if plain.setdefault(key, entry[other]) != entry[other] and key in self._flags:
                raise FocusDetrError(f"{where}: '{key}' and '{other}' contradict each other")
        return plain

    def meant(self, name: str) -> str:
        """The format's key that a name means; itself if it means none."""
        return self._keys.get(folded(name), name)

    def _others_among(self, written: tuple[Any, ...]) -> dict[str, str]:
        """Keys in another style -> those of the format."""
        if written not in self._others:
            meant = {key: self.meant(key) for key in written if isinstance(key, str)}
            self._others[written] = {key: own for key, own in meant.items() if own != key}
        return self._others[written]
