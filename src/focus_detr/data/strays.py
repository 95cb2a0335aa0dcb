"""What lies in a folder of pictures and is not read: told, so that nothing is missed unheard."""

from __future__ import annotations

import logging
from collections.abc import Iterable
from pathlib import Path, PurePath

from focus_detr.data.image_io import IMAGE_SUFFIXES
from focus_detr.data.picture_kinds import ADVICE, FILM_SUFFIXES, UNREAD_SUFFIXES
from focus_detr.wording import counted

_log = logging.getLogger(__name__)

LIKE_PICTURES = IMAGE_SUFFIXES | UNREAD_SUFFIXES | FILM_SUFFIXES


def without_strays(paths: Iterable[Path]) -> list[Path]:
    """The pictures of kinds that are read; warnings count the other pictures, and the films.

    Args:
        paths: of files found in folders, with endings of ``LIKE_PICTURES``.
    """
    found = list(paths)
    unread = [path for path in found if _ending(path) in UNREAD_SUFFIXES]
    if unread:
        _log.warning(
            "left out %s of a kind that is not read, such as %s: %s",
            *(counted(len(unread), "picture"), unread[0], ADVICE),
        )
    films = [path for path in found if _ending(path) in FILM_SUFFIXES]
    if films:
        _log.warning(
            "left out %s, such as %s: only pictures are taken from folders",
            *(counted(len(films), "film"), films[0]),
        )
    return [path for path in found if _ending(path) in IMAGE_SUFFIXES]


def _ending(path: PurePath) -> str:
    return path.suffix.lower()
