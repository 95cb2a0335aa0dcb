"""The workers of a job on this machine: finding them, signalling them, and whether they live."""

from __future__ import annotations

import os
import signal
import time
from contextlib import suppress
from pathlib import Path

import psutil

from focus_detr.process.worker_marks import MEETING, SUCCESS, has_mark

_POLL_SECONDS = 0.1
_VANISHED = (psutil.Error, ProcessLookupError)


class Workers:
    """The processes that msrun started; it is their parent, so only it can wait for them."""

    def __init__(self, ranks: range) -> None:
        """None is known yet.

        Args:
            ranks: of this machine's workers.
        """
        self._ranks = ranks
        self._processes: dict[int, psutil.Process] = {}  # by rank

    @property
    def complete(self) -> bool:
        """Whether all were found."""
        return len(self._processes) == len(self._ranks)

    def watch(self, launcher: int) -> None:
        """Find the workers: they lead sessions of their own; msrun's scheduler does not.

        Args:
            launcher: process number of msrun.
        """
        if not self.complete:
            with suppress(psutil.Error):
                for child in psutil.Process(launcher).children():
                    self._add(child)

    def gone(self) -> bool:
        """Whether all were there and none runs any more."""
        return self.complete and not self.living()

    def living(self) -> int:
        """How many of those that were found still run."""
        return sum(map(lives, self._processes.values()))

    def succeeded(self, marks: Path) -> bool:
        """Whether all are gone, and each left its mark in this folder."""
        workers = self._processes.values()
        return self.gone() and all(has_mark(marks, p.pid, SUCCESS) for p in workers)

    def meet(self, marks: Path) -> bool:
        """Whether one that runs waits for the others, by its mark in this folder."""
        workers = self._processes.values()
        return any(lives(p) and has_mark(marks, p.pid, MEETING) for p in workers)

    def rank_of(self, pid: int) -> int:
        """Rank of the worker with this process number; of the first if it is unknown."""
        ranks = (rank for rank, worker in self._processes.items() if worker.pid == pid)
        return next(ranks, self._ranks.start)

    def stop(self) -> None:
        """Ask all of them to save and end."""
        for worker in self._processes.values():
            with suppress(psutil.Error):
                worker.send_signal(signal.SIGTERM)

    def kill(self) -> None:
        """End all of them and what they started."""
        for worker in self._processes.values():
            with suppress(*_VANISHED):
                if worker.is_running():  # not another process with its number
                    os.killpg(worker.pid, signal.SIGKILL)

    def wait(self, seconds: float) -> None:
        """Until none of those that were found runs any more, but not for longer than this."""
        end = time.monotonic() + seconds
        while self.living() and time.monotonic() < end:
            time.sleep(_POLL_SECONDS)

    def _add(self, child: psutil.Process) -> None:
        with suppress(*_VANISHED):
            if os.getsid(child.pid) == child.pid:
                rank = int(child.environ().get("MS_NODE_ID", self._ranks.start))
                self._processes[rank] = child


def lives(process: psutil.Process) -> bool:
    """Whether a process runs; one that ended and was not waited for does not."""
    try:
        return bool(process.is_running() and process.status() != psutil.STATUS_ZOMBIE)
    except psutil.Error:
        return False
