"""The package of OpenVINO, without its telemetry."""

from __future__ import annotations

import importlib
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from types import ModuleType

from focus_detr.deploy.engine_options import OPENVINO, engine_missing
from focus_detr.errors import FocusDetrError

DEVICE = "CPU"
OpenVinoError = (RuntimeError, ValueError, TypeError)  # what its functions raise
_TELEMETRY = "openvino_telemetry"


def load_openvino(path: Path | str = "this") -> ModuleType:
    """Import OpenVINO.

    Its import tells its makers that it was imported, and keeps two files about that in the
    home folder, unless the package for that is missing: so this hides it.

    Args:
        path: what needs it, for the message.

    Raises:
        FocusDetrError: OpenVINO is not installed, or its installation is broken.
    """
    try:
        with _hidden(_TELEMETRY):
            return importlib.import_module(OPENVINO)
    except ModuleNotFoundError as error:
        raise engine_missing(path, OPENVINO) from error
    except ImportError as error:
        raise FocusDetrError(f"OpenVINO cannot be imported: {first_reason(error)}") from error


def first_reason(error: BaseException) -> str:
    """The first line that says what is wrong; OpenVINO puts lines about its sources before it."""
    lines = [line.strip() for line in str(error).splitlines() if line.strip()]
    told = [
        line
        for line in lines
        if not line.startswith(("Exception from", "Check '")) and not line.endswith(":")
    ]
    return (told or lines or [type(error).__name__])[0].rstrip(".")


@contextmanager
def _hidden(name: str) -> Iterator[None]:
    """Let imports of a module fail, as if it were not installed."""
    if name in sys.modules:  # somebody else wants it
        yield
        return
    sys.modules[name] = None  # type: ignore[assignment]
    try:
        yield
    finally:
        del sys.modules[name]
