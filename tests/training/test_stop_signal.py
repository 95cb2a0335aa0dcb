"""One signal is a wish, two are an order."""

from __future__ import annotations

import os
import signal
import sys

import pytest
from gone_reader import unread_stream

from focus_detr.training.stop_signal import StopSignal

pytestmark = pytest.mark.usefixtures("usual_signals")


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGHUP])
def test_the_first_signal_is_only_noted(
    number: signal.Signals, capsys: pytest.CaptureFixture[str]
) -> None:
    with StopSignal() as stop:
        assert not stop.requested
        os.kill(os.getpid(), number)
        assert stop.requested
    expected = "stopping after this step or evaluation; once more stops at once\n"
    assert capsys.readouterr().err == expected


def test_a_signal_that_took_the_reader_of_the_screen_too_is_noted(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    with unread_stream() as stream, StopSignal() as stop:
        monkeypatch.setattr(sys, "stderr", stream)
        os.kill(os.getpid(), signal.SIGINT)
    assert stop.requested


def test_the_second_interrupt_interrupts() -> None:
    with pytest.raises(KeyboardInterrupt), StopSignal():
        os.kill(os.getpid(), signal.SIGINT)
        os.kill(os.getpid(), signal.SIGINT)


def test_a_terminal_that_hangs_up_twice_is_one_wish() -> None:
    with StopSignal() as stop:
        for _ in range(3):
            os.kill(os.getpid(), signal.SIGHUP)
        assert stop.requested
        with pytest.raises(KeyboardInterrupt):
            os.kill(os.getpid(), signal.SIGINT)
    assert signal.getsignal(signal.SIGHUP) is signal.SIG_DFL


def test_under_nohup_a_terminal_may_hang_up() -> None:
    signal.signal(signal.SIGHUP, signal.SIG_IGN)
    with StopSignal() as stop:
        os.kill(os.getpid(), signal.SIGHUP)
        assert not stop.requested
