"""The folder that a program runs in, which may be gone or closed to it."""

from __future__ import annotations

import os

from focus_detr.errors import FocusDetrError


def check_working_folder() -> None:
    """Refuse a working folder that is gone: MindSpore and paths fail in it in words of their own.

    Raises:
        FocusDetrError: it was deleted, or nothing in it may be reached.
    """
    try:
        folder = os.getcwd()
    except FileNotFoundError as error:
        raise FocusDetrError(
            "the working folder was deleted; change to another one and try again"
        ) from error
    except OSError as error:
        raise FocusDetrError(_closed("", error)) from error
    try:
        os.stat(os.curdir)
    except OSError as error:
        raise FocusDetrError(_closed(f" {folder}", error)) from error


def _closed(folder: str, error: OSError) -> str:
    return f"cannot use the working folder{folder}: {error.strerror}; change to another one"
