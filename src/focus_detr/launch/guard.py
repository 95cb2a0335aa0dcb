"""Ends a job whose launcher was killed: at SIGKILL the launcher can do nothing itself.

A second process in a session of its own watches a pipe that the launcher holds open; the system
closes it with the launcher, however that ends. A thread in each worker could watch it too, but
MindSpore keeps the interpreter's lock while it compiles, and nothing would end one that hangs.
"""

from __future__ import annotations

import os
import select
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from typing import TextIO

import psutil

from focus_detr.launch.workers import Workers, lives

_POLL_SECONDS = 0.5
_MODULE = "focus_detr.launch.guard"


@contextmanager
def guarded(ranks: range, saving_seconds: float, log: TextIO) -> Iterator[Callable[[], None]]:
    """Start a guard for the workers of this machine; leave only when the job has ended.

    Args:
        ranks: of the workers.
        saving_seconds: what they have for a last checkpoint before they are killed.
        log: gets what the guard says.

    Yields:
        What msrun's process has to call before it becomes msrun: there is no moment at which the
        launcher could be killed and the guard not know of msrun.
    """
    reading, writing = os.pipe()
    command = [sys.executable, "-m", _MODULE, str(ranks.start), str(len(ranks))]
    with (
        open(reading, "rb"),  # here too, so that writing never fails
        subprocess.Popen(
            [*command, str(saving_seconds)],
            stdin=reading,
            stdout=log,
            stderr=subprocess.STDOUT,
            start_new_session=True,
        ),
        open(writing, "wb"),  # closed first; then the guard is waited for
    ):
        yield lambda: _introduce(writing)


def main(argv: Sequence[str]) -> None:
    """Be the guard.

    Args:
        argv: first rank, number of workers, seconds for saving.
    """
    first, count, saving_seconds = int(argv[0]), int(argv[1]), float(argv[2])
    number = sys.stdin.readline()
    if not number:  # there was nothing to guard yet
        return
    workers = Workers(range(first, first + count))
    with suppress(psutil.NoSuchProcess):
        msrun = psutil.Process(int(number))
        while not _launcher_gone():
            workers.watch(msrun.pid)
        _end(workers, msrun, saving_seconds)


def _introduce(pipe: int) -> None:
    os.write(pipe, f"{os.getpid()}\n".encode())


def _launcher_gone() -> bool:
    """Whether the pipe's other end is closed; looks for a moment, as nothing is ever sent here."""
    return bool(select.select([sys.stdin], [], [], _POLL_SECONDS)[0])


def _end(workers: Workers, msrun: psutil.Process, saving_seconds: float) -> None:
    """Let the workers save and end, then end all; nothing when the launcher did so itself."""
    if not (workers.any_lives() or lives(msrun)):
        return
    print("the launcher is gone: asking its workers to save and end", flush=True)
    with suppress(psutil.NoSuchProcess):
        msrun.suspend()  # it may be starting workers
    workers.watch(msrun.pid)
    workers.stop()
    end = time.monotonic() + saving_seconds
    while workers.any_lives() and time.monotonic() < end:
        time.sleep(_POLL_SECONDS)
    workers.kill()
    with suppress(ProcessLookupError):
        os.killpg(msrun.pid, signal.SIGKILL)  # with its scheduler


if __name__ == "__main__":
    main(sys.argv[1:])
