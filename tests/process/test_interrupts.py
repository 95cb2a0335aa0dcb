"""An interrupted command says one word, whatever the libraries below it print."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from focus_detr.process.interrupts import quiet_interrupts

ROOT = Path(__file__).resolve().parents[2]
COMMAND = """
import os, signal, sys
from focus_detr.process.runtime import command, prepare_runtime
from mindspore import Tensor, nn, ops
from mindspore.ops import constexpr


@constexpr
def interrupt():
    os.kill(os.getpid(), signal.{name})
    return 1.0


class Interrupted(nn.Cell):
    def construct(self, x):
        return x + interrupt()


@command
def main(argv):
    prepare_runtime("CPU")
    Interrupted()(Tensor([1.0]))


sys.exit(main([]))
"""


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGHUP])
def test_standard_error_is_silent_until_the_end(
    number: signal.Signals, capfd: pytest.CaptureFixture[str]
) -> None:
    outer = signal.signal(number, signal.SIG_DFL)  # nohup would ignore some
    with pytest.raises(KeyboardInterrupt), quiet_interrupts():
        os.write(2, b"before ")
        try:
            os.kill(os.getpid(), number)
        finally:
            os.write(2, b"trace of a library ")
    os.write(2, b"after")
    assert capfd.readouterr().err == "before after"
    assert signal.signal(number, outer) is signal.SIG_DFL


def test_a_hang_up_comes_twice_and_under_nohup_never() -> None:
    before = signal.signal(signal.SIGHUP, signal.SIG_DFL)
    with pytest.raises(KeyboardInterrupt), quiet_interrupts():
        try:
            os.kill(os.getpid(), signal.SIGHUP)
        finally:
            os.kill(os.getpid(), signal.SIGHUP)
            cleaned_up = True
    assert cleaned_up
    signal.signal(signal.SIGHUP, signal.SIG_IGN)
    with quiet_interrupts():
        os.kill(os.getpid(), signal.SIGHUP)
    signal.signal(signal.SIGHUP, before)


def test_without_a_signal_nothing_changes(capfd: pytest.CaptureFixture[str]) -> None:
    descriptors = len(os.listdir("/proc/self/fd"))
    with quiet_interrupts():
        os.write(2, b"visible")
    assert capfd.readouterr().err == "visible"
    assert len(os.listdir("/proc/self/fd")) == descriptors


@pytest.mark.parametrize("name", ["SIGINT", "SIGTERM"])
def test_a_command_that_compiles_ends_with_one_word(tmp_path: Path, name: str) -> None:
    script = tmp_path / "command.py"
    script.write_text(COMMAND.format(name=name))
    done = subprocess.run(
        [sys.executable, str(script)], cwd=tmp_path, capture_output=True, text=True, check=False
    )
    assert (done.returncode, done.stdout, done.stderr) == (130, "", "interrupted\n")


@pytest.mark.parametrize(
    "command",
    [["train.py", "--config=config/base.yaml"], ["predict.py", "--checkpoint=x", "train.py"]],
)
def test_a_command_that_still_loads_ends_with_one_word(tmp_path: Path, command: list[str]) -> None:
    (tmp_path / "mindspore.py").write_text("import os; os.kill(os.getpid(), 2)")
    done = subprocess.run(
        [sys.executable, *command, "--device=CPU"],
        env={"PYTHONPATH": f"{tmp_path}:{ROOT / 'src'}", "PATH": ""},
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=False,
    )
    assert (done.returncode, done.stdout, done.stderr) == (130, "", "interrupted\n")
