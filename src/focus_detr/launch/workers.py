"""The workers of a job on this machine: finding them, signalling them, and how they ended."""

from __future__ import annotations

import os
import signal
from contextlib import suppress
from pathlib import Path

import psutil

_VANISHED = (psutil.Error, ProcessLookupError)
_STATE, _EXIT_CODE = 3, 52  # numbers of the fields in /proc/PID/stat, see proc(5)


class Workers:
    """The processes that msrun started; it is their parent, so only it can wait for them."""

    def __init__(self, ranks: range) -> None:
        """None is known yet.

        Args:
            ranks: of this machine's workers.
        """
        self._ranks = ranks
        self._processes: dict[int, psutil.Process] = {}  # by rank
        self._codes: dict[int, int] = {}  # by rank, as those of ``subprocess``

    @property
    def complete(self) -> bool:
        """Whether all were found."""
        return len(self._processes) == len(self._ranks)

    def watch(self, launcher: int) -> None:
        """Find the workers, and note how those ended that msrun has not waited for.

        They lead sessions of their own; msrun's scheduler does not.

        Args:
            launcher: process number of msrun.
        """
        if not self.complete:
            with suppress(psutil.Error):
                for child in psutil.Process(launcher).children():
                    self._add(child)
        for rank, process in self._processes.items():
            code = _exit_code(process)
            if code is not None:
                self._codes[rank] = code

    def gone(self) -> bool:
        """Whether all were there and none runs any more."""
        return self.complete and not self.any_lives()

    def any_lives(self) -> bool:
        """Whether one of those that were found still runs."""
        return any(map(lives, self._processes.values()))

    def ends_known(self) -> bool:
        """Whether it was seen how each of them ended."""
        return len(self._codes) == len(self._ranks)

    def succeeded(self) -> bool:
        """Whether each of them was seen to end with 0."""
        return self.ends_known() and not any(self._codes.values())

    def failure(self) -> tuple[int, int] | None:
        """Rank and code of one that was seen to fail."""
        return next((item for item in self._codes.items() if item[1] != 0), None)

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


def _exit_code(worker: psutil.Process) -> int | None:
    """How a process ended that its parent has not waited for; None if it runs or has gone.

    The kernel shows 0 to whom it does not trust; whoever could read the environment, it trusts.
    """
    try:
        fields = Path(f"/proc/{worker.pid}/stat").read_text().rpartition(")")[2].split()
    except OSError:
        return None
    if fields[0] != "Z" or not worker.is_running():  # or another process with its number
        return None
    return os.waitstatus_to_exitcode(int(fields[_EXIT_CODE - _STATE]))
