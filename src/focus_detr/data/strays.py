"""What lies in a folder of pictures and is not read: told, so that nothing is missed unheard."""

from __future__ import annotations

import logging
from collections.abc import Sequence
from os.path import splitext
from pathlib import Path

from focus_detr.data.image_io import IMAGE_SUFFIXES
from focus_detr.data.picture_kinds import ADVICE, FILM_SUFFIXES, UNREAD_SUFFIXES
from focus_detr.wording import counted

_log = logging.getLogger(__name__)

LIKE_PICTURES = IMAGE_SUFFIXES | UNREAD_SUFFIXES | FILM_SUFFIXES


def is_read(name: str) -> bool:
    """Whether a file of this name is a picture of a kind that is read."""
    return splitext(name)[1].lower() in IMAGE_SUFFIXES


def tell_strays(found: Sequence[Path]) -> None:
    """Count films and pictures of a kind that is not read, in a warning each.

    Args:
        found: files of folders.
    """
    unread = [path for path in found if path.suffix.lower() in UNREAD_SUFFIXES]
    if unread:
        _log.warning(
            "left out %s of a kind that is not read, such as %s: %s",
            *(counted(len(unread), "picture"), unread[0], ADVICE),
        )
    films = [path for path in found if path.suffix.lower() in FILM_SUFFIXES]
    if films:
        _log.warning(
            "left out %s, such as %s: only pictures are taken from folders",
            *(counted(len(films), "film"), films[0]),
        )
