"""The cause of a failure is found in what MindSpore Lite logs."""

from __future__ import annotations

import os

import pytest
from lite_stand_in import FAILED_BUILD

from focus_detr.deploy.lite_log import cause, failures_explained

ABORTED = """\
[ERROR] CORE(6,7f,converter_lite):2026-01-31-10:00:00.000.000 [a.cc:39] operator^] \
Runtime error for null exception handler.
terminate called after throwing an instance of 'std::runtime_error'
  what():  can only support the maximum mind ir version: 1

----------------------------------------------------
"""
UNSUPPORTED = """\
[WARNING] LITE(6,7f,a b):2026-01-31-10:00:00.000.000 [p.cc:37] Check] no node input:
[ERROR] LITE(6,7f,a b):2026-01-31-10:00:00.000.000 [p.cc:39] Convert] not support ArgMin [] now
[ERROR] LITE(6,7f,a b):2026-01-31-10:00:00.000.000 [c.cc:11] RunConverter] Convert model failed
CONVERT RESULT FAILED:-1
"""


@pytest.mark.parametrize(
    ("log", "words"),
    [
        (UNSUPPORTED, "not support ArgMin [] now"),
        (ABORTED, "can only support the maximum mind ir version: 1"),
        ("\n".join(FAILED_BUILD), "Catch exception: mind ir version 3 is too new"),
        ("loading\nno space left\n", "no space left"),
        (" \n", ""),
    ],
)
def test_the_first_error_is_the_cause(log: str, words: str) -> None:
    assert cause(log) == words


def test_warnings_of_what_succeeds_are_still_seen(capfd: pytest.CaptureFixture[str]) -> None:
    with failures_explained("loading"):
        os.write(2, b"[WARNING] no libnuma.so\n")
    assert capfd.readouterr().err == "[WARNING] no libnuma.so\n"


def test_other_exceptions_pass_with_standard_error_restored(
    capfd: pytest.CaptureFixture[str],
) -> None:
    with pytest.raises(KeyboardInterrupt), failures_explained("loading"):
        raise KeyboardInterrupt
    os.write(2, b"after")
    assert capfd.readouterr().err == "after"
