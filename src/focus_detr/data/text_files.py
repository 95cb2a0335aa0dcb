"""Reading small text files that people and tools write."""

from __future__ import annotations

from pathlib import Path

from focus_detr.errors import FocusDetrError


def read_text(path: Path) -> str:
    """The text of a UTF-8 file, with or without a byte order mark.

    Raises:
        FocusDetrError: the file is missing or not UTF-8.
    """
    try:
        return path.read_bytes().decode("utf-8-sig")
    except (OSError, ValueError) as error:
        if isinstance(error, UnicodeDecodeError):
            raise FocusDetrError(f"{path} is not UTF-8 text") from error
        reason = getattr(error, "strerror", None) or error
        raise FocusDetrError(f"cannot read {path}: {reason}") from error
