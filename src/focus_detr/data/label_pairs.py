"""Which picture a label file belongs to: one rule for all formats that have one for each picture.

The picture called like the label file at the same place, with or without its ending in the label
file's name (``photo.txt`` or ``photo.jpg.txt`` of ``photo.jpg``). Only if there is none, the one
that the file itself names, which is often an old name; and where no label file has a picture at its
own place, the only one of that name anywhere. No picture gets two label files, and no label file
two pictures.
"""

from __future__ import annotations

import unicodedata
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import PurePosixPath

from focus_detr.data.named_files import spellings


def label_stems(picture: str) -> tuple[str, str]:
    """What label files of a picture are called, without their own ending; the nearer one first."""
    return picture, PurePosixPath(picture).with_suffix("").as_posix()


@dataclass(frozen=True)
class Pairing:
    """Which label file goes with which picture."""

    pictures: Mapping[str, str]  # stem of the label file -> picture
    contradicted: tuple[str, ...]  # stems of label files that name another picture that exists
    rivals: Mapping[str, str]  # picture that is left without a label file -> the one that has it


def pair_labels(named: Mapping[str, str], pictures: Sequence[str]) -> Pairing:
    """Find the pictures of label files.

    Args:
        named: path of each label file without its ending -> the picture that it names, or ''.
        pictures: paths relative to the folder that corresponds to that of the label files.
    """
    index = _Index(pictures)
    found = _without_shared({stem: _called_like(stem, named, index) for stem in named})
    taken = set(found.values())
    guesses = {
        stem: guess
        for stem in named.keys() - found.keys()
        if (guess := index.said(named[stem]) or (None if taken else index.alone(stem)))
        and guess not in taken
    }
    claims = Counter(guesses.values())
    found |= {stem: name for stem, name in guesses.items() if claims[name] == 1}
    taken = set(found.values())
    contradicted = [s for s, name in found.items() if index.said(named[s]) not in (None, name)]
    rivals = {
        other: name
        for stem, name in found.items()
        for other in index.called_like(stem)
        if other not in taken
    }
    return Pairing(found, tuple(contradicted), rivals)


def _called_like(stem: str, named: Mapping[str, str], index: _Index) -> str | None:
    """The picture of the same name; of several the one that is meant, or that no other can mean."""
    alike = index.called_like(stem)
    said = index.said(named[stem])
    if said in alike:
        return said
    free = [name for name in alike if name == stem or name not in named]
    return next(iter(free or alike), None)


def _without_shared(found: Mapping[str, str | None]) -> dict[str, str]:
    """Each picture once: with the label file whose name is the nearest to its own."""
    owners: dict[str, tuple[int, str]] = {}
    for stem, name in found.items():
        if name:
            alike = [*label_stems(name), stem]
            mine = alike.index(stem), stem
            owners[name] = min(owners.get(name, mine), mine)
    return {stem: name for name, (_, stem) in owners.items()}


class _Index:
    """Pictures by name."""

    def __init__(self, pictures: Sequence[str]) -> None:
        ordered = sorted(pictures)
        self._names = set(ordered)
        self._by_stem = _table((stem, name) for name in ordered for stem in label_stems(name))
        self._folded = _table((_fold(stem), n) for n in ordered for stem in label_stems(n))
        self._by_base = _table(
            (PurePosixPath(stem).name, name) for name in ordered for stem in {*label_stems(name)}
        )

    def called_like(self, stem: str) -> list[str]:
        """Pictures of this path; else those that differ in upper and lower case or accents only."""
        alike = self._by_stem.get(stem)
        if alike:
            return alike
        folded = self._folded.get(_fold(stem), [])
        return folded if len(folded) == 1 else []

    def said(self, name: str) -> str | None:
        """The picture that a name in a label file means: as it is, by its last part, its stem."""
        written = spellings(name) if name.strip() else []
        bases = [PurePosixPath(given).name for given in written]
        for given in (*written, *bases):
            if given in self._names:
                return given
        for base in bases:
            alike = [picture for picture in self._by_base.get(base, []) if _base(picture) == base]
            if len(alike) == 1:
                return alike[0]
        stems = [
            PurePosixPath(given).with_suffix("").name for given in written if given.strip("/.")
        ]
        ways = [self._by_base.get(stem, []) for stem in (*bases, *stems)]
        return next((alike[0] for alike in ways if len(alike) == 1), None)

    def alone(self, stem: str) -> str | None:
        """The only picture of this name in any folder."""
        alike = self._by_base.get(PurePosixPath(stem).name, [])
        return alike[0] if len(alike) == 1 else None


def _table(entries: Iterable[tuple[str, str]]) -> dict[str, list[str]]:
    table: dict[str, list[str]] = {}
    for key, name in entries:
        listed = table.setdefault(key, [])
        if name not in listed:
            listed.append(name)
    return table


def _base(picture: str) -> str:
    return PurePosixPath(picture).name


def _fold(stem: str) -> str:
    return unicodedata.normalize("NFC", stem).casefold()
