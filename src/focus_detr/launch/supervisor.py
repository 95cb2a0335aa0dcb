"""Watches the processes of a job: shows the first worker's words, passes on signals, tells why.

msrun kills all workers at the first Ctrl-C, so it runs in a session of its own, and the workers
hear of a signal from here: they save and end together. When a worker dies, msrun ends the others.
When this process is killed, its guard ends the job.
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

from focus_detr.io.files import writing
from focus_detr.io.private_folder import private_folder
from focus_detr.io.temporary_files import placing
from focus_detr.launch.guard import GuardPipe, guarded
from focus_detr.launch.job import Job
from focus_detr.launch.stop_wish import StopWish
from focus_detr.launch.text_follower import TextFollower, last_lines
from focus_detr.launch.workers import Workers
from focus_detr.process.runtime import EXIT_INTERRUPTED
from focus_detr.process.screen import ScreenStream, tell
from focus_detr.process.worker_marks import MARKS_VARIABLE
from focus_detr.wording import counted

_POLL_SECONDS = 0.2
_GRACE_SECONDS = 2.0  # for msrun, which looks once a second; its scheduler would wait for longer
_NODES_GRACE_SECONDS = 5.0  # the scheduler may still serve the workers of other machines
_PATIENCE_SECONDS = 60.0  # for msrun to say how they ended, if they did not all succeed
_SAVING_SECONDS = 120.0  # for workers that were asked to end: several steps on a CPU
_DYING_SECONDS = 5.0  # for what was killed; a driver that hangs may hold it for ever
_SHOWN_LINES = 20
# of a worker that was asked to end: when it had saved, or before it could do anything
_STOPPED = (EXIT_INTERRUPTED, -signal.SIGTERM, -signal.SIGINT, -signal.SIGHUP)
_INTERRUPTED = "msrun process received SIGINT"  # and ended with 0 after killing its workers
_FAILURE = re.compile(r"Worker process (\d+) exit with exception\. Error code: (-?\d+)")


class Supervisor:
    """Runs a job to its end, whichever that is, and leaves no process behind."""

    def __init__(self, job: Job) -> None:
        """Nothing starts yet."""
        self._job = job
        self._workers = Workers(job.ranks)
        self._succeeded = False
        self._wish = StopWish()
        self._passed_on = False
        self._unmet = False  # stopped while workers waited for others
        self._too_slow = 0  # workers that did not end when asked
        self._alone_since: float | None = None  # when the last worker was seen to be gone

    def run(self) -> int:
        """Start the job and wait for it.

        Returns:
            0; 130 after a stop on request, unless the state could not be saved; otherwise the
            status of the worker that failed first, or 1 if a signal killed it or if workers had to
            be killed because they did not stop.

        Raises:
            FocusDetrError: the folder for the logs or a temporary one cannot be made.
        """
        job = self._job
        with writing(job.logs):
            job.logs.mkdir(parents=True, exist_ok=True)
        marks = _marks_folder()
        screen = TextFollower(job.worker_log(job.first_rank), sys.stdout)
        started = f"{counted(job.workers, 'worker')} on {job.device}; logs in {job.logs}"
        print(started, file=ScreenStream(sys.stdout), flush=True)
        with self._wish.noted(), self._launched(marks) as (launcher, guard):
            while launcher.poll() is None and not self._is_to_be_killed(marks):
                screen.forward()
                self._look_at_workers(launcher, marks)
                self._pass_wish_on(guard)
                self._end_if_alone(launcher)
                time.sleep(_POLL_SECONDS)
            screen.forward()
            self._look_at_workers(launcher, marks)
        return self._verdict(launcher.returncode)

    @contextmanager
    def _launched(self, marks: Path) -> Iterator[tuple[subprocess.Popen, GuardPipe]]:
        """Within it msrun runs; at its end nothing that it started does.

        Args:
            marks: folder for what the workers say.
        """
        job = self._job
        with (
            job.launcher_log.open("w", encoding="utf-8") as log,
            guarded(job.ranks, _SAVING_SECONDS, log) as guard,
        ):
            launcher = subprocess.Popen(
                job.command(),
                stdout=log,
                stderr=subprocess.STDOUT,
                env={**job.environment(os.environ), MARKS_VARIABLE: str(marks)},
                start_new_session=True,
                preexec_fn=guard.introduce,
            )
            try:
                yield launcher, guard
            finally:
                self._workers.watch(launcher.pid)
                self._workers.kill()
                with suppress(ProcessLookupError):
                    os.killpg(launcher.pid, signal.SIGKILL)  # msrun and its scheduler
                launcher.wait()
                self._workers.wait(_DYING_SECONDS)

    def _look_at_workers(self, launcher: subprocess.Popen, marks: Path) -> None:
        self._workers.watch(launcher.pid)
        self._succeeded = self._workers.succeeded(marks)

    def _pass_wish_on(self, guard: GuardPipe) -> None:
        if self._wish.asked and not self._passed_on and self._workers.complete:
            self._passed_on = True
            given = f"they have {_SAVING_SECONDS:g} seconds to end"
            tell(f"stopping all workers: {given}; once more stops at once")
            self._workers.stop()
            guard.say_stopping()

    def _is_to_be_killed(self, marks: Path) -> bool:
        """Whether nothing more is to be waited for; notes how many workers were too slow."""
        if self._wish.at_once:
            return True
        if self._wish.asked and self._workers.meet(marks):  # and hear nothing until they have met
            tell("stopped before all workers had met")
            self._unmet = True
            return True
        if self._wish.seconds() <= _SAVING_SECONDS or self._workers.gone():
            return False
        self._too_slow = self._workers.living()
        return True

    def _end_if_alone(self, launcher: subprocess.Popen) -> None:
        """End msrun when nothing is left that it could tell: it waits for its scheduler."""
        if not self._workers.gone():
            return
        now = time.monotonic()
        self._alone_since = self._alone_since or now
        known = self._succeeded or _FAILURE.search(self._said())
        grace = _GRACE_SECONDS if self._job.nodes == 1 else _NODES_GRACE_SECONDS
        if now > self._alone_since + (grace if known else _PATIENCE_SECONDS):
            with suppress(ProcessLookupError):
                os.killpg(launcher.pid, signal.SIGKILL)

    def _said(self) -> str:
        return self._job.launcher_log.read_text(encoding="utf-8", errors="replace")

    def _verdict(self, status: int) -> int:
        """The exit status, after telling why it is not 0.

        It is 0 only by msrun's word or by that of every worker.
        """
        if self._too_slow:
            return self._tell_lost()
        failure = self._failure()
        if self._succeeded and failure is None and not self._wish.at_once:
            return 0  # though it may have been asked to end in its last moment
        if self._was_stopped(failure):
            return EXIT_INTERRUPTED
        if failure is None:
            return self._launcher_verdict(status)
        rank, code = failure
        if code == EXIT_INTERRUPTED:
            return EXIT_INTERRUPTED
        cause = f"ended with status {code}"
        if code < 0:
            cause = f"was killed by {signal.Signals(-code).name}"
        log = self._job.worker_log(rank)
        _tell(f"worker {rank} {cause}, so the others were ended; the last lines of {log}:", log)
        return code if code > 0 else 1

    def _tell_lost(self) -> int:
        tell(
            f"error: {counted(self._too_slow, 'worker')} did not end within {_SAVING_SECONDS:g} "
            "seconds and had to be killed; what they had not saved is lost"
        )
        return 1

    def _was_stopped(self, failure: tuple[int, int] | None) -> bool:
        """Whether it ended as it was asked to; one that failed to save has a reason to tell."""
        if self._wish.at_once or self._unmet:  # then this process killed the workers
            return True
        if failure is not None and failure[1] not in _STOPPED:
            return False
        return self._wish.asked or _INTERRUPTED in self._said()

    def _failure(self) -> tuple[int, int] | None:
        """Rank and code of the worker that failed first: msrun kills the others."""
        told = _FAILURE.search(self._said())
        return told and (self._workers.rank_of(int(told[1])), int(told[2]))

    def _launcher_verdict(self, status: int) -> int:
        if status == 0:
            return 0
        cause = f"msrun ended with status {status}"
        if self._alone_since is not None:
            cause = "all workers are gone, and msrun does not say how they ended"
        log = self._job.launcher_log
        _tell(f"{cause}; the last lines of {log}:", log)
        return 1


def _marks_folder() -> Path:
    with placing():
        return private_folder("marks")


def _tell(sentence: str, log: Path) -> None:
    tell(f"error: {sentence}", *last_lines(log, _SHOWN_LINES))
