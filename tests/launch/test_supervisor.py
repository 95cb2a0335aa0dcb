"""What a job's status says when msrun is quick, late, silent or stopped; with a stand-in for it."""

from __future__ import annotations

import os
import signal
import sys
import tempfile
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import psutil
import pytest
from gone_reader import unread_stream

from focus_detr.errors import FocusDetrError
from focus_detr.launch import supervisor
from focus_detr.launch.job import Job
from focus_detr.launch.supervisor import Supervisor

pytestmark = pytest.mark.usefixtures("usual_signals")

STAND_IN = Path(__file__).with_name("msrun_stand_in.py")
SOURCES = Path(__file__).parents[2] / "src"
GRACE, PATIENCE = 0.5, 2.0


@pytest.fixture(autouse=True)
def _these_sources(monkeypatch: pytest.MonkeyPatch) -> None:
    """For guard and workers in whichever folder they start, though PYTHONPATH may be relative."""
    monkeypatch.setenv("PYTHONPATH", str(SOURCES))


@pytest.fixture(autouse=True)
def _short_waits(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(supervisor, "_GRACE_SECONDS", GRACE)
    monkeypatch.setattr(supervisor, "_PATIENCE_SECONDS", PATIENCE)


def _run(monkeypatch: pytest.MonkeyPatch, folder: Path, manner: str, codes: list[Any]) -> int:
    words = [sys.executable, str(STAND_IN), manner, *map(str, codes)]
    monkeypatch.setattr(Job, "command", lambda job: words)
    job = Job(("train.py",), "CPU", len(codes), folder, 9000)
    status = Supervisor(job).run()
    assert not psutil.Process().children(recursive=True)
    assert "launcher is gone" not in job.launcher_log.read_text()  # the guard ended for another
    return status


@pytest.mark.parametrize(
    ("manner", "codes", "status", "sentence"),
    [
        ("prompt", [0, 0], 0, ""),
        ("prompt", [0, 3], 3, "worker 1 ended with status 3"),
        ("late", [0, 3], 3, "worker 1 ended with status 3"),
        ("late", [-9, 0], 1, "worker 0 was killed by SIGKILL"),
        ("late", [0, 0], 0, ""),
        ("late", [130, 130], 130, ""),
        ("late", ["done-11", "done5"], 1, "worker 0 was killed by SIGSEGV"),
        ("interrupted", [-9, -9], 130, ""),
        ("interrupted", [0, 0], 0, ""),
    ],
)
def test_status_and_reason(
    monkeypatch: pytest.MonkeyPatch,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
    manner: str,
    codes: list[Any],
    status: int,
    sentence: str,
) -> None:
    assert _run(monkeypatch, tmp_path, manner, codes) == status
    error = capsys.readouterr().err
    assert sentence in error and (sentence or not error)


@pytest.mark.parametrize("codes", [[0, 3], [-9, 0]])
def test_without_a_word_it_is_no_success(
    monkeypatch: pytest.MonkeyPatch,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
    codes: list[int],
) -> None:
    started = time.monotonic()
    assert _run(monkeypatch, tmp_path, "silent", codes) == 1
    assert time.monotonic() - started > PATIENCE
    assert "msrun does not say how they ended" in capsys.readouterr().err


@pytest.mark.parametrize("codes", [[0, 0], [0, 5]])
def test_a_late_msrun_is_not_waited_for_when_the_end_is_known(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, codes: list[int]
) -> None:
    monkeypatch.setattr(supervisor, "_PATIENCE_SECONDS", 1000.0)
    assert _run(monkeypatch, tmp_path, "late", codes) == max(codes)


@contextmanager
def _stopped_once_ready(folder: Path, *numbers: signal.Signals) -> Iterator[None]:
    """Within it this process gets these signals (none: SIGTERM), soon after two workers are ready.

    A moment apart, as those of a closed terminal are.
    """

    def stop() -> None:
        while len(list(folder.glob("ready_*"))) < 2:
            time.sleep(0.05)
        time.sleep(1.0)  # the supervisor has to see them too
        for number in numbers or (signal.SIGTERM,):
            os.kill(os.getpid(), number)
            time.sleep(0.01)

    thread = threading.Thread(target=stop, daemon=True)
    thread.start()
    yield
    thread.join()


def test_workers_save_when_the_stop_took_the_reader_too(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.chdir(tmp_path)
    with unread_stream() as stream, _stopped_once_ready(tmp_path):
        monkeypatch.setattr(sys, "stdout", stream)
        monkeypatch.setattr(sys, "stderr", stream)
        assert _run(monkeypatch, tmp_path / "logs", "prompt", ["saves", "saves"]) == 130
    assert len(list(tmp_path.glob("saved_*"))) == 2


@pytest.mark.parametrize(
    ("end", "status", "sentence"),
    [
        ("ends2", 2, "worker 0 ended with status 2"),
        ("ends1", 1, "worker 0 ended with status 1"),
        ("ends-9", 1, "worker 0 was killed by SIGKILL"),
    ],
)
def test_a_stop_that_could_not_save_is_told(
    monkeypatch: pytest.MonkeyPatch,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
    end: str,
    status: int,
    sentence: str,
) -> None:
    monkeypatch.chdir(tmp_path)
    with _stopped_once_ready(tmp_path):
        assert _run(monkeypatch, tmp_path / "logs", "prompt", [end, "saves"]) == status
    assert sentence in capsys.readouterr().err


def test_a_stop_in_the_last_moment_leaves_it_a_success(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.chdir(tmp_path)
    with _stopped_once_ready(tmp_path):
        assert _run(monkeypatch, tmp_path / "logs", "prompt", ["ends0", "ends0"]) == 0


def test_a_worker_that_ends_by_the_signal_passed_on_was_stopped(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    with _stopped_once_ready(tmp_path):
        assert _run(monkeypatch, tmp_path / "logs", "prompt", ["ends-15", "saves"]) == 130
    assert "error" not in capsys.readouterr().err


@pytest.mark.parametrize("first", [signal.SIGHUP, signal.SIGINT, signal.SIGTERM])
def test_workers_save_when_a_terminal_is_closed(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, first: signal.Signals
) -> None:
    monkeypatch.chdir(tmp_path)
    with _stopped_once_ready(tmp_path, first, signal.SIGHUP):
        assert _run(monkeypatch, tmp_path / "logs", "prompt", ["slowly", "slowly"]) == 130
    assert len(list(tmp_path.glob("saved_*"))) == 2


@pytest.mark.parametrize("second", [signal.SIGINT, signal.SIGTERM])
def test_a_second_signal_stops_at_once(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, second: signal.Signals
) -> None:
    monkeypatch.chdir(tmp_path)
    started = time.monotonic()
    with _stopped_once_ready(tmp_path, signal.SIGINT, second):
        assert _run(monkeypatch, tmp_path / "logs", "prompt", ["hangs", "hangs"]) == 130
    assert time.monotonic() - started < 10


@pytest.mark.parametrize(("ends", "count"), [(("hangs", "hangs"), 2), (("saves", "hangs"), 1)])
def test_workers_that_do_not_stop_are_killed_after_a_while(
    monkeypatch: pytest.MonkeyPatch,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
    ends: tuple[str, ...],
    count: int,
) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(supervisor, "_SAVING_SECONDS", 1.0)
    with _stopped_once_ready(tmp_path, signal.SIGTERM):
        assert _run(monkeypatch, tmp_path / "logs", "prompt", list(ends)) == 1
    error = capsys.readouterr().err
    assert "have 1 seconds to end; once more stops at once" in error
    assert f"{count} worker" in error and "what they had not saved is lost" in error
    assert len(list(tmp_path.glob("saved_*"))) == 2 - count


def test_workers_that_wait_for_others_have_nothing_to_save(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    started = time.monotonic()
    with _stopped_once_ready(tmp_path, signal.SIGINT):
        assert _run(monkeypatch, tmp_path / "logs", "prompt", ["meets", "saves"]) == 130
    assert time.monotonic() - started < 10
    assert capsys.readouterr().err == "stopped before all workers had met\n"


def test_a_second_signal_stops_an_msrun_without_workers(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    for seconds in (1.0, 1.1):
        threading.Timer(seconds, os.kill, (os.getpid(), signal.SIGINT)).start()
    assert _run(monkeypatch, tmp_path, "loading", ["saves", "saves"]) == 130


def test_a_folder_that_cannot_be_written_is_told(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    job = Job(("train.py",), "CPU", 2, tmp_path / "file" / "logs", 9000)
    with pytest.raises(FocusDetrError, match=r"cannot write .*logs: Not a directory"):
        Supervisor(job).run()


def test_without_a_place_for_temporary_files_nothing_starts(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path / "missing"))
    job = Job(("train.py",), "CPU", 2, tmp_path / "logs", 9000)
    with pytest.raises(FocusDetrError, match=r"temporary files \(No such file.*TMPDIR"):
        Supervisor(job).run()
    assert not list(job.logs.iterdir())
