"""The one door to native products: decides when a network is built.

On a CPU the operators of ``custom_ops/products`` compute dense layers, convolutions, norms and
attention; maps are then channels last. Elsewhere, and where the library cannot be used, MindSpore's
own operators do, on maps with channels first. ``FOCUS_DETR_PRODUCTS`` chooses: ``auto``, ``native``
(an error where it is not available) or ``plain``.
"""

from __future__ import annotations

import logging
import os
import platform
from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from pathlib import Path

import mindspore as ms

from focus_detr.errors import FocusDetrError
from focus_detr.ops.native_library import LibraryError
from focus_detr.ops.products_library import find_products, lift_cap, slows_convolutions

CHOICE_VARIABLE = "FOCUS_DETR_PRODUCTS"
AUTO, NATIVE, PLAIN = CHOICES = ("auto", "native", "plain")
TRIED = ("x86_64", "amd64")  # processors that the native operators were run on
BUILD_COMMAND = "python custom_ops/build.py"

_log = logging.getLogger(__name__)
_told: set[str] = set()  # reasons of this process that were given already
_forced_plain: ContextVar[bool] = ContextVar("forced_plain", default=False)


@contextmanager
def plain_products() -> Iterator[None]:
    """Within it networks are built of MindSpore's own operators, as files for elsewhere need."""
    token = _forced_plain.set(True)
    try:
        yield
    finally:
        _forced_plain.reset(token)


def native_products() -> Path | None:
    """The library whose operators cells that are built now use; None: MindSpore's own.

    With a library oneDNN may use every instruction of the processor from now on.

    Raises:
        FocusDetrError: no such choice, or the native operators are forced but not available.
    """
    library = chosen_library()
    if library is not None:
        lift_cap()
    elif slows_convolutions():
        _tell(
            "convolutions of this network may be slow, as this process has built one with native "
            "products: use another process, or set ONEDNN_MAX_CPU_ISA=AVX2"
        )
    return library


def chosen_library() -> Path | None:
    """What ``native_products`` returns and raises; oneDNN stays as it is."""
    choice = os.environ.get(CHOICE_VARIABLE) or AUTO
    if choice not in CHOICES:
        raise FocusDetrError(f"{CHOICE_VARIABLE} is {choice}, expected one of {', '.join(CHOICES)}")
    if choice == PLAIN or _forced_plain.get():
        return None
    device, processor = ms.get_context("device_target"), platform.machine()
    if choice == AUTO and (device != "CPU" or processor.lower() not in TRIED):
        return None
    try:
        if device != "CPU":
            raise LibraryError(f"they are for CPUs, not for {device}")
        return find_products()
    except LibraryError as error:
        if choice == NATIVE:
            raise FocusDetrError(f"{CHOICE_VARIABLE} is {NATIVE}, but {error}") from error
        _tell(
            f"products are MindSpore's own, which is slower: {error} (docs/products.md; "
            f"`{BUILD_COMMAND}` builds ours)"
        )
        return None


def _tell(sentence: str) -> None:
    if sentence not in _told:
        _told.add(sentence)
        _log.warning(sentence)
