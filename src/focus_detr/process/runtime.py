"""Where a program meets its surroundings: the device it runs on and the way it ends."""

from __future__ import annotations

import errno
import functools
import logging
import os
import re
import sys
from collections.abc import Callable, Sequence
from contextlib import suppress
from types import ModuleType
from typing import Protocol

from focus_detr.errors import FocusDetrError
from focus_detr.io.temporary_files import check_temporary_place
from focus_detr.process.interrupts import quiet_interrupts
from focus_detr.process.program import called
from focus_detr.process.requirements import check_packages
from focus_detr.process.screen import prepare_screen, screen_may_go, settle_screen, tell
from focus_detr.process.worker_marks import SUCCESS, leave_mark
from focus_detr.process.working_folder import check_working_folder
from focus_detr.wording import first_line

DEVICE_VARIABLE = "FOCUS_DETR_DEVICE"
THREADS_VARIABLE = "OMP_NUM_THREADS"  # followed by oneDNN, and by MindSpore if we tell it
DEVICES = ("CPU", "GPU", "Ascend")
EXIT_BAD_INPUT = 2
ERROR_PREFIX = "error: "  # before the sentence of bad input
EXIT_INTERRUPTED = 130  # what a shell reports for a program ended by Ctrl-C

_log = logging.getLogger(__name__)
_NUMBER = re.compile(r"\s*\+?0*([1-9]\d{0,9})\s*", re.ASCII)  # as OpenMP reads one
_MOST_THREADS = 2**31 - 1  # more do not fit into the numbers of MindSpore and ONNX Runtime
_SHOWN = 40  # characters of a senseless value

Main = Callable[[Sequence[str] | None], int | None]


class Command(Protocol):
    """A command of the package, also callable from Python."""

    def __call__(self, argv: Sequence[str] | None = None) -> int:
        """Run with these arguments (None: those of the process); returns the exit status."""


def prepare_runtime(device: str | None = None) -> str:
    """Choose the device and graph mode, before anything is built.

    Args:
        device: CPU, GPU or Ascend in any case; None: the environment variable
            ``FOCUS_DETR_DEVICE``, or else the best device that MindSpore found when it loaded.

    Returns:
        The device's name as MindSpore spells it.

    Raises:
        FocusDetrError: no such device here, or this process already uses another.
    """
    check_packages()
    ms = load_mindspore()
    wanted = device or os.environ.get(DEVICE_VARIABLE) or ms.get_context("device_target")
    name = {known.lower(): known for known in DEVICES}.get(wanted.lower())
    if name is None:
        raise FocusDetrError(f"unknown device {wanted}, expected one of {', '.join(DEVICES)}")
    try:
        ms.set_device(name)
    except (RuntimeError, ValueError) as error:
        raise FocusDetrError(f"device {name} cannot be used: {first_line(error)}") from error
    ms.set_context(mode=ms.GRAPH_MODE)
    follow_thread_limit()
    return name


def load_mindspore() -> ModuleType:
    """MindSpore; late, so that commands without a network start at once.

    Raises:
        FocusDetrError: it cannot be loaded here, for instance without a place for temporary files.
    """
    check_temporary_place()
    try:
        import mindspore
    except Exception as error:  # its start raises whatever it meets on an unfit machine
        raise FocusDetrError(
            f"MindSpore cannot be loaded: {_one_line(error)}; `{called('doctor')}` tells more"
        ) from error
    _leave_threads_to_children()
    return mindspore


def _leave_threads_to_children() -> None:
    """Take away the limit of one thread that MindSpore leaves to processes started from here.

    It sets ``OMP_NUM_THREADS`` to 1 below Python, where nobody set it: too late for this process,
    whose OpenMP has read it, but every process that it starts would use a single core.
    """
    if THREADS_VARIABLE not in os.environ:
        os.unsetenv(THREADS_VARIABLE)


def follow_thread_limit() -> None:
    """Let MindSpore's own operations use only as many threads as ``OMP_NUM_THREADS`` allows.

    By default they use every core, and each waits for the slowest, which takes milliseconds beside
    other programs.
    """
    import mindspore as ms

    if limit := thread_limit():
        with suppress(RuntimeError):  # it was set before; MindSpore takes it once
            ms.device_context.cpu.op_tuning.threads_num(limit)


def thread_limit() -> int | None:
    """Threads that ``OMP_NUM_THREADS`` allows; None: it says nothing, or not a single number.

    What OpenMP cannot take either is ignored, with one warning.
    """
    limit = os.environ.get(THREADS_VARIABLE, "")
    number = _NUMBER.fullmatch(limit)
    if number is not None and int(number[1]) <= _MOST_THREADS:
        return int(number[1])
    if limit.strip() and "," not in limit:  # a list is for regions within regions
        _warn_of_threads(limit)
    return None


@functools.cache
def _warn_of_threads(limit: str) -> None:
    shown = ascii(limit if len(limit) <= _SHOWN else f"{limit[:_SHOWN]}...")
    _log.warning(
        "%s is %s and ignored; it takes a whole number from 1 to %d",
        *(THREADS_VARIABLE, shown, _MOST_THREADS),
    )


def command(main: Main) -> Command:
    """Make a command out of ``main``: what the user can mend becomes one sentence.

    Bad input and a full disk print it to standard error and give status 2; Ctrl-C, SIGTERM and
    SIGHUP give 130. A reader that goes, such as ``head``, ends nothing: files may be still to come.
    Anything else is a defect and keeps its traceback.

    Args:
        main: takes the arguments (None: those of the process), returns a status or None for 0.
    """

    @functools.wraps(main)
    def _run(argv: Sequence[str] | None = None) -> int:
        prepare_screen()
        try:
            with screen_may_go():
                status = _status(main, argv)
            if status == 0:
                leave_mark(SUCCESS)
            return status
        finally:
            settle_screen()

    return _run


def _status(main: Main, argv: Sequence[str] | None) -> int:
    try:
        with quiet_interrupts():
            check_working_folder()
            status = main(argv) or 0
            sys.stdout.flush()
            return status
    except FocusDetrError as error:
        return _refuse(str(error))
    except OSError as error:
        if error.errno != errno.ENOSPC:
            raise
        return _refuse(f"no space left on the disk to write {error.filename or 'a file'}")
    except ImportError as error:
        if (error.name or "").startswith("focus_detr"):
            raise
        return _refuse(f"{_one_line(error)}; `{called('doctor')}` tells what is missing")
    except KeyboardInterrupt as interrupt:
        tell(": ".join(["interrupted", *map(str, interrupt.args)]))  # and what was saved
        return EXIT_INTERRUPTED


def _one_line(error: Exception) -> str:
    return " ".join(str(error).split())


def last_words(stderr: str) -> str:
    """What a command said at last, be it that MindSpore logged something after it."""
    lines = stderr.strip().splitlines()
    told = [line for line in lines if line.startswith(ERROR_PREFIX)] or lines
    return told[-1].removeprefix(ERROR_PREFIX) if told else ""


def _refuse(sentence: str) -> int:
    tell(f"{ERROR_PREFIX}{sentence}")
    return EXIT_BAD_INPUT
