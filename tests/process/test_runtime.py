"""The device and the way a command ends."""

from __future__ import annotations

import errno
import logging
import os
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

import mindspore as ms
import pytest
from gone_reader import unread_stream

from focus_detr.errors import FocusDetrError
from focus_detr.process import runtime
from focus_detr.process.runtime import command, prepare_runtime, thread_limit


@pytest.mark.parametrize("limit", [None, "3"])
def test_processes_started_from_here_may_use_all_cores(limit: str | None) -> None:
    program = (
        "import subprocess\n"
        "from focus_detr.process.runtime import prepare_runtime\n"
        "prepare_runtime('CPU')\n"
        "subprocess.run(['sh', '-c', 'echo limit=$OMP_NUM_THREADS'], check=True)"
    )
    surroundings = {name: text for name, text in os.environ.items() if name != "OMP_NUM_THREADS"}
    done = subprocess.run(
        [sys.executable, "-c", program],
        env=surroundings | ({} if limit is None else {"OMP_NUM_THREADS": limit}),
        capture_output=True,
        text=True,
        check=True,
    )
    assert done.stdout.splitlines()[-1] == f"limit={limit or ''}"


@pytest.mark.parametrize("name", ["CPU", "cpu"])
def test_the_argument_wins_over_the_environment(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("FOCUS_DETR_DEVICE", "nonsense")
    assert prepare_runtime(name) == "CPU"
    assert ms.get_context("device_target") == "CPU"
    assert ms.get_context("mode") == ms.GRAPH_MODE


def test_the_environment_is_read(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("FOCUS_DETR_DEVICE", "abacus")
    with pytest.raises(FocusDetrError, match="unknown device abacus, expected one of CPU"):
        prepare_runtime()


def test_without_a_wish_there_is_a_device(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("FOCUS_DETR_DEVICE", raising=False)
    assert prepare_runtime() == ms.get_context("device_target")


def test_a_device_that_mindspore_refuses_is_one_sentence(monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(name: str) -> None:
        raise RuntimeError(f"\nUnsupported device target {name}.\nlong explanation")

    monkeypatch.setattr(ms, "set_device", refuse)
    with pytest.raises(FocusDetrError) as caught:
        prepare_runtime("ascend")
    assert str(caught.value) == ("device Ascend cannot be used: Unsupported device target Ascend.")


@pytest.mark.parametrize(
    ("limit", "told"), [("3", [3]), ("", []), ("0", []), ("2,1", []), (None, [])]
)
def test_mindspore_uses_as_many_threads_as_openmp(
    monkeypatch: pytest.MonkeyPatch, limit: str | None, told: list[int]
) -> None:
    numbers: list[int] = []

    def take(number: int) -> None:
        numbers.append(number)
        raise RuntimeError("The 'threads_num' can not be set repeatedly.")

    monkeypatch.setattr(ms.device_context.cpu.op_tuning, "threads_num", take)
    if limit is None:
        monkeypatch.delenv("OMP_NUM_THREADS", raising=False)
    else:
        monkeypatch.setenv("OMP_NUM_THREADS", limit)
    prepare_runtime("CPU")
    assert numbers == told


@pytest.mark.parametrize("limit", ["0", "-1", "two", "1.5", "2147483648", "9" * 5000, "\u0663"])
def test_senseless_numbers_of_threads_are_ignored_with_one_warning(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture, limit: str
) -> None:
    monkeypatch.setenv("OMP_NUM_THREADS", limit)
    runtime._warn_of_threads.cache_clear()
    with caplog.at_level(logging.WARNING):
        assert [thread_limit(), thread_limit()] == [None, None]
    (message,) = caplog.messages
    assert message.startswith(f"OMP_NUM_THREADS is {ascii(limit)[:40]}") and message.isascii()
    assert message.endswith(" and ignored; it takes a whole number from 1 to 2147483647")
    assert len(message) < 150


@pytest.mark.parametrize(
    ("limit", "number"), [(" +03 ", 3), ("2147483647", 2147483647), ("2,1", None), (" ", None)]
)
def test_what_openmp_takes_is_no_cause_for_a_warning(
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
    limit: str,
    number: int | None,
) -> None:
    monkeypatch.setenv("OMP_NUM_THREADS", limit)
    with caplog.at_level(logging.WARNING):
        assert thread_limit() == number
    assert not caplog.messages


@pytest.mark.parametrize(("returned", "status"), [(None, 0), (0, 0), (3, 3)])
def test_a_command_returns_its_status(returned: int | None, status: int) -> None:
    seen: list[Sequence[str] | None] = []

    @command
    def main(argv: Sequence[str] | None = None) -> int | None:
        seen.append(argv)
        return returned

    assert main(["a"]) == status
    assert main() == status
    assert seen == [["a"], None]


@pytest.mark.parametrize(
    ("error", "status", "printed"),
    [
        (FocusDetrError("a.json: no images"), 2, "error: a.json: no images\n"),
        (
            OSError(errno.ENOSPC, "No space left on device", "x.ckpt"),
            2,
            "error: no space left on the disk to write x.ckpt\n",
        ),
        (KeyboardInterrupt(), 130, "interrupted\n"),
        (KeyboardInterrupt("a.json lists all"), 130, "interrupted: a.json lists all\n"),
    ],
)
def test_what_a_user_can_mend_is_one_sentence(
    error: BaseException, status: int, printed: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert command(_raising(error))([]) == status
    assert capsys.readouterr() == ("", printed)


@pytest.mark.parametrize("error", [ValueError("defect"), OSError(errno.EIO, "broken disk")])
def test_defects_keep_their_traceback(error: Exception) -> None:
    with pytest.raises(type(error)) as caught:
        command(_raising(error))([])
    assert caught.value is error


def test_a_library_that_cannot_be_loaded_is_one_sentence(
    capsys: pytest.CaptureFixture[str],
) -> None:
    assert command(_raising(ImportError("libgomp.so.1:\n no such file", name="scipy")))([]) == 2
    assert capsys.readouterr().err == (
        "error: libgomp.so.1: no such file; `focus-detr doctor` tells what is missing\n"
    )
    with pytest.raises(ImportError):  # a defect of our own
        command(_raising(ImportError("cannot import name", name="focus_detr.io.files")))([])


def test_mindspore_that_does_not_start_is_one_sentence(tmp_path: Path) -> None:
    (tmp_path / "mindspore.py").write_text("raise OSError('libgomp.so.1: cannot\\n open')")
    code = (
        "from focus_detr.process.runtime import command, prepare_runtime\n"
        "command(lambda argv: prepare_runtime('CPU'))()"
    )
    environment = {**os.environ, "PYTHONPATH": str(tmp_path)}
    done = subprocess.run(
        [sys.executable, "-c", code], env=environment, capture_output=True, text=True, check=True
    )
    assert done.stderr == (
        "error: MindSpore cannot be loaded: libgomp.so.1: cannot open; `focus-detr doctor` tells "
        "more\n"
    )


def _raising(error: BaseException):  # type: ignore[no-untyped-def]
    def main(argv: Sequence[str] | None = None) -> int | None:
        raise error

    return main


@pytest.mark.parametrize(("own", "level"), [(None, "3"), ("1", "1")])
def test_mindspore_is_quiet_unless_the_user_asks(own: str | None, level: str) -> None:
    environment = {key: value for key, value in os.environ.items() if key != "GLOG_v"}
    if own is not None:
        environment["GLOG_v"] = own
    code = "import os, focus_detr.process.runtime; print(os.environ['GLOG_v'])"
    done = subprocess.run(
        [sys.executable, "-c", code], env=environment, capture_output=True, text=True, check=True
    )
    assert done.stdout.split()[-1] == level


def test_a_reader_that_goes_ends_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """As with ``| head -1`` where Python does not buffer: the files are written all the same."""

    @command
    def main(argv: Sequence[str] | None) -> None:
        print("one", flush=True)
        print("two", flush=True)
        (tmp_path / "done").touch()

    with unread_stream() as stream:
        monkeypatch.setattr(sys, "stdout", stream)
        assert main([]) == 0
        assert sys.stdout is stream
    assert (tmp_path / "done").exists()
