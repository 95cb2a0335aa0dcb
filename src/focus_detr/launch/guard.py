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
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from io import FileIO
from typing import TextIO

import psutil

from focus_detr.launch.workers import Workers, lives

_POLL_SECONDS = 0.5
_MODULE = "focus_detr.launch.guard"
_STOPPING = b"s"
_SILENCE, _CLOSED = None, b""


@dataclass(frozen=True)
class GuardPipe:
    """The launcher's end of the pipe."""

    number: int  # of the file

    def introduce(self) -> None:
        """Name the process that calls this as msrun; to be called in it before it becomes msrun.

        So there is no moment at which the launcher could be killed and the guard not know of msrun.
        """
        os.write(self.number, f"{os.getpid()}\n".encode())

    def say_stopping(self) -> None:
        """Say that the workers were asked to save and end: a second signal would end them."""
        os.write(self.number, _STOPPING)


@contextmanager
def guarded(ranks: range, saving_seconds: float, log: TextIO) -> Iterator[GuardPipe]:
    """Start a guard for the workers of this machine; leave only when the job has ended.

    Args:
        ranks: of the workers.
        saving_seconds: what they have for a last checkpoint before they are killed.
        log: gets what the guard says.

    Yields:
        What the guard has to be told by.
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
        yield GuardPipe(writing)


def main(argv: Sequence[str]) -> None:
    """Be the guard.

    Args:
        argv: first rank, number of workers, seconds for saving.
    """
    first, count, saving_seconds = int(argv[0]), int(argv[1]), float(argv[2])
    with open(sys.stdin.fileno(), "rb", buffering=0, closefd=False) as pipe:
        number = pipe.readline()
        if not number:  # there was nothing to guard yet
            return
        workers, stopping = Workers(range(first, first + count)), False
        with suppress(psutil.NoSuchProcess):
            msrun = psutil.Process(int(number))
            while (heard := _hear(pipe)) != _CLOSED:
                stopping = stopping or heard == _STOPPING
                workers.watch(msrun.pid)
            _end(workers, msrun, saving_seconds, stopping)


def _hear(pipe: FileIO) -> bytes | None:
    """What comes through the pipe within a moment."""
    ready = select.select([pipe], [], [], _POLL_SECONDS)[0]
    return pipe.read(1) if ready else _SILENCE


def _end(workers: Workers, msrun: psutil.Process, saving_seconds: float, stopping: bool) -> None:
    """Let the workers save and end, then end all; nothing when the launcher did so itself.

    Args:
        workers: of this machine.
        msrun: their parent.
        saving_seconds: what they have.
        stopping: whether the launcher asked them already.
    """
    if not (workers.living() or lives(msrun)):
        return
    act = "waiting for its workers, which it asked" if stopping else "asking its workers"
    print(f"the launcher is gone: {act} to save and end", flush=True)
    with suppress(psutil.NoSuchProcess):
        msrun.suspend()  # it may be starting workers
    workers.watch(msrun.pid)
    if not stopping:
        workers.stop()
    workers.wait(saving_seconds)
    workers.kill()
    with suppress(ProcessLookupError):
        os.killpg(msrun.pid, signal.SIGKILL)  # with its scheduler


if __name__ == "__main__":
    main(sys.argv[1:])
