"""``command`` for benchmarks whose own modules load MindSpore.

It is imported before them, so that a working folder that is gone or an unfit package is one
sentence: MindSpore would end in a traceback.
"""

from __future__ import annotations

from focus_detr.errors import FocusDetrError
from focus_detr.process.requirements import check_packages
from focus_detr.process.runtime import ERROR_PREFIX, EXIT_BAD_INPUT, command
from focus_detr.process.screen import tell
from focus_detr.process.working_folder import check_working_folder

__all__ = ["command"]

try:
    check_working_folder()
    check_packages()
except FocusDetrError as error:
    tell(f"{ERROR_PREFIX}{error}")
    raise SystemExit(EXIT_BAD_INPUT) from error
