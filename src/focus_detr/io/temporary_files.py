"""The place for temporary files, which a small or closed system may not have."""

from __future__ import annotations

import tempfile
from collections.abc import Iterator
from contextlib import contextmanager

from focus_detr.errors import FocusDetrError


@contextmanager
def placing() -> Iterator[None]:
    """Turn what goes wrong with making a temporary file or folder inside into one sentence.

    Raises:
        FocusDetrError: there is no place for it.
    """
    try:
        yield
    except OSError as error:
        raise FocusDetrError(
            f"there is no place for temporary files ({error.strerror}); name a folder for them in "
            "TMPDIR"
        ) from error


def check_temporary_place() -> None:
    """Refuse a system without a place for temporary files.

    Raises:
        FocusDetrError: there is none.
    """
    with placing():
        tempfile.gettempdir()


def temporary_folder(purpose: str) -> tempfile.TemporaryDirectory[str]:
    """A folder that is deleted when the ``with`` block ends.

    Args:
        purpose: a word that its name begins with, after that of the package.

    Raises:
        FocusDetrError: there is no place for it.
    """
    with placing():
        return tempfile.TemporaryDirectory(prefix=f"focus_detr_{purpose}_")
