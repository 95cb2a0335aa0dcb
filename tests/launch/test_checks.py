"""What is refused before a worker starts, in one sentence."""

from __future__ import annotations

from pathlib import Path

import pytest
from worker_runs import busy_port

from focus_detr.errors import FocusDetrError
from focus_detr.launch import checks


def test_msrun_has_to_be_on_path(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(FocusDetrError, match="msrun is not on PATH"):
        checks.find_msrun()
    (tmp_path / "msrun").touch(mode=0o755)
    assert checks.find_msrun() == str(tmp_path / "msrun")


def test_a_port_in_use() -> None:
    with busy_port() as listener:
        port = listener.getsockname()[1]
        with pytest.raises(FocusDetrError, match=rf"port {port} cannot be used.*--port"):
            checks.check_port(port, listens=True)
        checks.check_port(port, listens=False)  # it is another machine's
    checks.check_port(checks.free_port(), listens=True)


@pytest.mark.parametrize("port", [0, 1023, 65536])
def test_ports_that_do_not_exist(port: int) -> None:
    with pytest.raises(FocusDetrError, match="1024 to 65535"):
        checks.check_port(port, listens=False)


def test_the_device_is_what_is_here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("FOCUS_DETR_DEVICE", raising=False)
    monkeypatch.setattr(checks, "_ask_mindspore", lambda *_: "Ascend")
    assert checks.choose_device(None, tmp_path) == "CPU"
    (tmp_path / "davinci_manager").touch()  # there without a card too
    assert checks.choose_device(None, tmp_path) == "CPU"
    (tmp_path / "davinci0").touch()
    assert checks.choose_device(None, tmp_path) == "Ascend"
    monkeypatch.setenv("FOCUS_DETR_DEVICE", "cpu")
    assert checks.choose_device(None, tmp_path) == "CPU"
    assert checks.choose_device("gpu", tmp_path) == "GPU"
    with pytest.raises(FocusDetrError, match="unknown device tpu"):
        checks.choose_device("tpu", tmp_path)


@pytest.mark.parametrize(("answer", "found"), [("2", 2), ("", 0)])
def test_every_worker_needs_a_device(
    monkeypatch: pytest.MonkeyPatch, answer: str, found: int
) -> None:
    monkeypatch.setattr(checks, "_ask_mindspore", lambda *_: answer)
    with pytest.raises(FocusDetrError, match=f"4 workers on .* finds {found} GPU devices"):
        checks.check_devices("GPU", 4)
    checks.check_devices("GPU", found)
    checks.check_devices("CPU", 4)
