"""What the demo needs beyond the package's own requirements."""

from __future__ import annotations

from focus_detr.errors import FocusDetrError
from focus_detr.process.program import install_command
from focus_detr.process.requirements import missing_modules

_PACKAGES = ("starlette", "uvicorn")


def require_extra() -> None:
    """Look whether the web framework is installed.

    Raises:
        FocusDetrError: naming what is missing and the command that installs it.
    """
    if missing := missing_modules(_PACKAGES):
        raise FocusDetrError(
            f"the demo needs {' and '.join(missing)}: install it with {install_command('demo')}"
        )
