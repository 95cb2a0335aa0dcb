"""Taking validation images from the training set."""

from __future__ import annotations

import hashlib
import ntpath
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace
from pathlib import Path, PurePosixPath

from focus_detr.data.annotations import Annotations
from focus_detr.data.json_fields import ImageId
from focus_detr.data.named_files import same_letters, spellings
from focus_detr.data.text_files import is_comment, read_lines
from focus_detr.errors import FocusDetrError

_HASH_BYTES = 8


@dataclass(frozen=True)
class Division:
    """A data set in two parts that share no image."""

    train: Annotations
    val: Annotations


def divide_by_fraction(annotations: Annotations, fraction: float, seed: int) -> Division:
    """Take each image with the given probability.

    The seed and an image's name decide about it alone, so images that are added later, or stand
    in another order, do not move the others from one part to the other.

    Args:
        annotations: the whole set.
        fraction: of the images for validation, above 0 and below 1; met only nearly.
        seed: for another choice.

    Raises:
        FocusDetrError: one part would be empty.
    """
    limit = fraction * 256**_HASH_BYTES
    chosen = {i.image_id for i in annotations.images if _hash(i.name, seed) < limit}
    return _divide(annotations, chosen, f"data.val_fraction {fraction:g}")


def divide_by_list(annotations: Annotations, path: Path) -> Division:
    """Take the images that a text file lists, one on each line.

    A line is a name as the annotations have it, with or without its ending, or a folder that ends
    in a slash and stands for everything below it. It may be spelled as on another system, if it
    then fits one picture or folder only. Lines that begin with ``#`` and are no names are comments.

    Raises:
        FocusDetrError: the file is not readable, a line fits no image, or one part would be empty.
    """
    chosen: set[ImageId] = set()
    images = annotations.images
    exact = _by_name((image.image_id, image.name) for image in images)
    loose = _loosely((image.image_id, name) for image in images for name in spellings(image.name))
    for number, line in enumerate(read_lines(path), start=1):
        name = line.strip()
        ways = [exact.get(name), *map(loose.get, _loose_spellings(name))]
        found = next(filter(None, ways), None)
        if name and not found and not is_comment(name):
            raise FocusDetrError(f"{path}: line {number}: {annotations.source} has no '{name}'")
        chosen |= found or set()
    return _divide(annotations, chosen, f"data.val_list {path}")


def _hash(name: str, seed: int) -> int:
    # a file may be called in another encoding than UTF-8
    digest = hashlib.sha256(f"{seed} {name}".encode(errors="surrogateescape")).digest()
    return int.from_bytes(digest[:_HASH_BYTES], "big")


def _by_name(names: Iterable[tuple[ImageId, str]]) -> dict[str, set[ImageId]]:
    """Ids under the full name, the name without its ending, and each folder with a slash."""
    known: dict[str, set[ImageId]] = {}
    for image_id, name in names:
        path = PurePosixPath(name)
        folders = [f"{parent}/" for parent in path.parents[:-1]]
        for text in {name, str(path.parent / path.stem), *folders}:
            known.setdefault(text, set()).add(image_id)
    return known


def _loosely(names: Iterable[tuple[ImageId, str]]) -> dict[str, set[ImageId]]:
    """The same for names in any case and form of accents; what fits two pictures fits none."""
    spelled: dict[str, set[str]] = {}
    known: dict[str, set[ImageId]] = {}
    for text, ids in _by_name(names).items():
        folded = same_letters(text)
        spelled.setdefault(folded, set()).add(text)
        known.setdefault(folded, set()).update(ids)
    folders = {text for text, ways in spelled.items() if text.endswith("/") and len(ways) == 1}
    return {text: ids for text, ids in known.items() if len(ids) == 1 or text in folders}


def _loose_spellings(name: str) -> Iterator[str]:
    """A name, and the ends of a path that begins elsewhere, as ``_loosely`` has them."""
    for given in spellings(name):
        drive, rest = ntpath.splitdrive(given)
        parts = PurePosixPath(rest).parts
        slash = "/" if rest.endswith("/") else ""
        foreign = drive or "://" in rest or rest.startswith("/")
        for start in range(len(parts) if foreign else 1):
            yield same_letters("/".join(parts[start:]) + slash)


def _divide(annotations: Annotations, chosen: set[ImageId], why: str) -> Division:
    rest = {image.image_id for image in annotations.images} - chosen
    for part, name in ((chosen, "validation"), (rest, "training")):
        if not part:
            raise FocusDetrError(
                f"{why} leaves no image for {name} of the {len(annotations.images)} in "
                f"{annotations.source}"
            )
    # pictures that could not be read belong to one part only, so that they are counted once
    return Division(annotations.only(rest), replace(annotations.only(chosen), unreadable=()))
