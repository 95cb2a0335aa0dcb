"""The package's own limit on the instructions that oneDNN uses (see ``focus_detr/__init__.py``).

Other libraries carry a oneDNN of their own that reads the same variable.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager

ISA_VARIABLE = "ONEDNN_MAX_CPU_ISA"
CAP_VARIABLE = "FOCUS_DETR_CAPPED_ONEDNN"  # what the package set it to


def is_ours() -> bool:
    """Whether there is a limit that the package set, and not its user."""
    return CAP_VARIABLE in os.environ and os.environ[CAP_VARIABLE] == os.environ.get(ISA_VARIABLE)


@contextmanager
def without_our_cap() -> Iterator[None]:
    """Within it libraries that look for the first time find what the user set, if anything."""
    if not is_ours():
        yield
        return
    cap = os.environ.pop(ISA_VARIABLE)
    try:
        yield
    finally:
        os.environ[ISA_VARIABLE] = cap
