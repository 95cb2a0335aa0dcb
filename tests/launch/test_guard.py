"""A job ends when its launcher is killed; with a stand-in for msrun and for its workers."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import psutil
import pytest

STAND_IN = Path(__file__).with_name("msrun_stand_in.py")
ENVIRONMENT = {**os.environ, "PYTHONPATH": str(Path(__file__).parents[2] / "src")}
SAVING_SECONDS = 1.0
LAUNCHER = f"""
import pathlib, sys
from focus_detr.launch import supervisor
from focus_detr.launch.job import Job
supervisor._SAVING_SECONDS = {SAVING_SECONDS}
Job.command = lambda job: sys.argv[1:]
supervisor.Supervisor(Job(("train.py",), "CPU", 2, pathlib.Path("logs"), 9000)).run()
"""


@contextmanager
def _job(folder: Path, count: int, manner: str, *ends: str) -> Iterator[list[psutil.Process]]:
    """The launcher of a job, its guard, msrun and workers, once all of them run.

    Args:
        folder: working directory.
        count: of these processes.
        manner: of msrun.
        *ends: of the workers.
    """
    words = [sys.executable, str(STAND_IN), manner, *ends]
    command = [sys.executable, "-c", LAUNCHER, *words]
    launcher = psutil.Popen(command, cwd=folder, env={**ENVIRONMENT, "TMPDIR": str(folder)})
    processes = [launcher]
    try:
        end = time.monotonic() + 30
        while len(processes) < count or len(list(folder.glob("ready_*"))) < count - 3:
            assert time.monotonic() < end and launcher.poll() is None
            time.sleep(0.05)
            processes = [launcher, *launcher.children(recursive=True)]
        yield processes
    finally:
        for process in processes:
            if process.is_running():
                process.kill()
        launcher.wait()


def _kill(*processes: psutil.Process) -> None:
    for process in processes:
        process.kill()
    psutil.wait_procs(processes, timeout=5)


def _survivors(processes: list[psutil.Process]) -> list[psutil.Process]:
    _, alive = psutil.wait_procs(processes, timeout=10)
    return [process for process in alive if process.status() != psutil.STATUS_ZOMBIE]


@pytest.mark.parametrize(
    ("ends", "saved"),
    [(("saves", "saves"), {"saved_0", "saved_1"}), (("saves", "hangs"), {"saved_0"})],
)
def test_workers_save_and_end(tmp_path: Path, ends: tuple[str, ...], saved: set[str]) -> None:
    with _job(tmp_path, 5, "prompt", *ends) as processes:
        _kill(processes[0])
        assert not _survivors(processes)
    assert {path.name for path in tmp_path.glob("saved_*")} == saved
    (log,) = (tmp_path / "logs").iterdir()  # nothing else is left in the run's folder
    assert log.name == "msrun.log" and "launcher is gone" in log.read_text()


def test_workers_that_were_seen_end_without_msrun_too(tmp_path: Path) -> None:
    with _job(tmp_path, 5, "prompt", "saves", "saves") as processes:
        time.sleep(1.5)  # the guard looks once in a while
        msrun = next(process for process in processes if str(STAND_IN) in process.cmdline())
        _kill(processes[0], msrun)
        assert not _survivors(processes)
    assert len(list(tmp_path.glob("saved_*"))) == 2


def test_workers_that_the_launcher_asked_are_not_asked_again(tmp_path: Path) -> None:
    with _job(tmp_path, 5, "prompt", "slowly", "slowly") as processes:
        processes[0].terminate()
        end = time.monotonic() + 5
        while len(list(tmp_path.glob("asked_*"))) < 2:
            assert time.monotonic() < end
            time.sleep(0.01)
        time.sleep(0.1)  # the guard is told after the workers
        _kill(processes[0])
        assert not _survivors(processes)
    assert len(list(tmp_path.glob("saved_*"))) == 2
    assert "waiting for its workers" in (tmp_path / "logs" / "msrun.log").read_text()


def test_msrun_ends_before_it_has_workers(tmp_path: Path) -> None:
    with _job(tmp_path, 3, "loading", "saves", "saves") as processes:
        _kill(processes[0])
        assert not _survivors(processes)
    assert not list(tmp_path.glob("ready_*"))


def test_nothing_to_guard(tmp_path: Path) -> None:
    log = tmp_path / "log"
    words = [sys.executable, "-m", "focus_detr.launch.guard", "0", "2", "1"]
    with log.open("w") as file:
        done = subprocess.run(
            words, input="", text=True, stdout=file, stderr=file, env=ENVIRONMENT, timeout=30
        )
    assert (done.returncode, log.read_text()) == (0, "")
