"""What the demo needs beyond the package's own requirements."""

from __future__ import annotations

from importlib.util import find_spec

from focus_detr.errors import FocusDetrError
from focus_detr.program import install_command

_PACKAGES = ("starlette", "uvicorn")


def require_extra() -> None:
    """Look whether the web framework is installed.

    Raises:
        FocusDetrError: naming what is missing and the command that installs it.
    """
    missing = [name for name in _PACKAGES if find_spec(name) is None]
    if missing:
        raise FocusDetrError(
            f"the demo needs {' and '.join(missing)}: install it with {install_command('demo')}"
        )
