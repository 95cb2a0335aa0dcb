"""Watches the processes of a job: shows the first worker's words, passes on signals, tells why.

msrun kills all workers at the first Ctrl-C, so it runs in a session of its own, and the workers
hear of a signal from here: they save and end together. When a worker dies, msrun ends the others.
"""

from __future__ import annotations

import os
import re
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from types import FrameType

import psutil

from focus_detr.launch.job import Job
from focus_detr.launch.text_follower import TextFollower, last_lines
from focus_detr.runtime import EXIT_INTERRUPTED
from focus_detr.wording import counted

_POLL_SECONDS = 0.2
_GRACE_SECONDS = 5.0  # for msrun, once its workers are gone; its scheduler would wait for longer
_SHOWN_LINES = 20
_STOP_SIGNALS = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)
_FAILURE = re.compile(r"Worker process (\d+) exit with exception\. Error code: (-?\d+)")


class Supervisor:
    """Runs a job to its end, whichever that is, and leaves no process behind."""

    def __init__(self, job: Job) -> None:
        """Nothing starts yet."""
        self._job = job
        self._workers: dict[int, psutil.Process] = {}  # by rank
        self._signals = 0  # received
        self._passed_on = 0
        self._alone_since: float | None = None  # when the last worker was seen to be gone

    def run(self) -> int:
        """Start the job and wait for it.

        Returns:
            0; 130 after a stop on request; otherwise the status of the worker that failed first, or
            1 if a signal killed it.
        """
        job = self._job
        job.logs.mkdir(parents=True, exist_ok=True)
        screen = TextFollower(job.worker_log(job.first_rank), sys.stdout)
        print(f"{counted(job.workers, 'worker')} on {job.device}; logs in {job.logs}", flush=True)
        with self._signals_noted(), self._launched() as launcher:
            while launcher.poll() is None:
                screen.forward()
                self._find_workers(launcher.pid)
                self._pass_signals_on()
                self._end_if_alone(launcher)
                time.sleep(_POLL_SECONDS)
            screen.forward()
        return self._verdict(launcher.returncode)

    @contextmanager
    def _signals_noted(self) -> Iterator[None]:
        def note(number: int, frame: FrameType | None) -> None:
            self._signals += 1

        kept = [s for s in _STOP_SIGNALS if signal.getsignal(s) is not signal.SIG_IGN]
        outer = {number: signal.signal(number, note) for number in kept}
        try:
            yield
        finally:
            for number, handler in outer.items():
                signal.signal(number, handler)

    @contextmanager
    def _launched(self) -> Iterator[subprocess.Popen]:
        job = self._job
        with job.launcher_log.open("w", encoding="utf-8") as log:
            launcher = subprocess.Popen(
                job.command(),
                stdout=log,
                stderr=subprocess.STDOUT,
                env=job.environment(os.environ),
                start_new_session=True,
            )
        try:
            yield launcher
        finally:
            self._find_workers(launcher.pid)
            self._kill_workers()
            with suppress(ProcessLookupError):
                os.killpg(launcher.pid, signal.SIGKILL)  # msrun and its scheduler
            launcher.wait()

    def _find_workers(self, launcher: int) -> None:
        """Remember msrun's workers; they lead sessions of their own, its scheduler does not."""
        if len(self._workers) == self._job.workers:
            return
        with suppress(psutil.Error, ProcessLookupError):
            for child in psutil.Process(launcher).children():
                if os.getsid(child.pid) == child.pid:
                    rank = int(child.environ().get("MS_NODE_ID", self._job.first_rank))
                    self._workers[rank] = child

    def _pass_signals_on(self) -> None:
        if self._passed_on == 0 < self._signals and len(self._workers) == self._job.workers:
            self._passed_on = 1
            print("stopping all workers; once more stops at once", file=sys.stderr, flush=True)
            for worker in self._workers.values():
                with suppress(psutil.Error):
                    worker.send_signal(signal.SIGTERM)
        elif self._signals > 1:
            self._kill_workers()

    def _kill_workers(self) -> None:
        for worker in self._workers.values():
            with suppress(psutil.Error, ProcessLookupError):
                if worker.is_running():  # not another process with its number
                    os.killpg(worker.pid, signal.SIGKILL)

    def _end_if_alone(self, launcher: subprocess.Popen) -> None:
        """End msrun when it only waits for its scheduler after a worker's death."""
        if self._alone_since is None:
            known = len(self._workers) == self._job.workers
            if known and not any(_lives(worker) for worker in self._workers.values()):
                self._alone_since = time.monotonic()
        elif time.monotonic() > self._alone_since + _GRACE_SECONDS:
            with suppress(ProcessLookupError):
                os.killpg(launcher.pid, signal.SIGKILL)

    def _verdict(self, status: int) -> int:
        """The exit status, after telling why it is not 0."""
        said = self._job.launcher_log.read_text(encoding="utf-8", errors="replace")
        failure = _FAILURE.search(said)
        if failure is None:
            return self._launcher_verdict(status)
        rank = self._rank_of(int(failure[1]))
        code = int(failure[2])
        if code == EXIT_INTERRUPTED or self._signals > 0:
            return EXIT_INTERRUPTED
        cause = f"ended with status {code}"
        if code < 0:
            cause = f"was killed by {signal.Signals(-code).name}"
        log = self._job.worker_log(rank)
        _tell(f"worker {rank} {cause}, so the others were ended; the last lines of {log}:", log)
        return code if code > 0 else 1

    def _launcher_verdict(self, status: int) -> int:
        if self._signals > 0:
            return EXIT_INTERRUPTED
        if status == 0 or self._alone_since is not None:
            return 0  # without a failed worker, only the scheduler was slow to end
        log = self._job.launcher_log
        _tell(f"msrun ended with status {status}; the last lines of {log}:", log)
        return 1

    def _rank_of(self, pid: int) -> int:
        ranks = [rank for rank, worker in self._workers.items() if worker.pid == pid]
        return ranks[0] if ranks else self._job.first_rank


def _lives(worker: psutil.Process) -> bool:
    try:
        return bool(worker.is_running() and worker.status() != psutil.STATUS_ZOMBIE)
    except psutil.Error:
        return False


def _tell(sentence: str, log: Path) -> None:
    print(f"error: {sentence}", *last_lines(log, _SHOWN_LINES), sep="\n    ", file=sys.stderr)
