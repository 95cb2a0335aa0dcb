"""What can be known to go wrong before any worker starts."""

from __future__ import annotations

import os
import shutil
import socket
import subprocess
import sys
from pathlib import Path

from focus_detr.errors import FocusDetrError
from focus_detr.process.runtime import DEVICE_VARIABLE, DEVICES
from focus_detr.wording import counted

PORTS = range(1024, 65536)
_DEVICE_FILES = ("davinci[0-9]*", "nvidia[0-9]*")
# asked in a process of its own: counting devices claims them
_BEST_DEVICE = "import mindspore as ms; print(ms.get_context('device_target'))"
_COUNT = "import sys, mindspore as ms; print(ms.hal.device_count(sys.argv[1]))"


def find_msrun() -> str:
    """Path of MindSpore's launcher.

    Raises:
        FocusDetrError: it is not on PATH.
    """
    path = shutil.which("msrun")
    if path is None:
        raise FocusDetrError(
            "msrun is not on PATH; it comes with MindSpore, so activate the environment that has "
            "it (source .venv/bin/activate)"
        )
    return path


def choose_device(wanted: str | None, devices: Path = Path("/dev")) -> str:
    """The device that all workers use.

    Args:
        wanted: CPU, GPU or Ascend in any case; None: the environment variable
            ``FOCUS_DETR_DEVICE``, or else the best that is here.
        devices: folder with the device files.

    Raises:
        FocusDetrError: there is no such kind of device.
    """
    wanted = wanted or os.environ.get(DEVICE_VARIABLE)
    if wanted is None:
        if not any(list(devices.glob(pattern)) for pattern in _DEVICE_FILES):
            return "CPU"
        wanted = _ask_mindspore(_BEST_DEVICE) or "CPU"
    name = {known.lower(): known for known in DEVICES}.get(wanted.lower())
    if name is None:
        raise FocusDetrError(f"unknown device {wanted}, expected one of {', '.join(DEVICES)}")
    return name


def check_devices(device: str, workers: int) -> None:
    """Every worker needs a device of its own; CPU workers share the processor.

    Raises:
        FocusDetrError: there are too few.
    """
    if device == "CPU":
        return
    answer = _ask_mindspore(_COUNT, device)
    count = int(answer) if answer.isdigit() else 0
    if count < workers:
        raise FocusDetrError(
            f"{counted(workers, 'worker')} on this machine, but MindSpore finds "
            f"{counted(count, f'{device} device')} for them; ask for fewer workers or another "
            "--device"
        )


def check_port(port: int, *, listens: bool) -> None:
    """Whether the workers can meet at this port.

    Args:
        port: of machine 0.
        listens: whether this is machine 0.

    Raises:
        FocusDetrError: it is out of range, or something here listens to it already.
    """
    if port not in PORTS:
        raise FocusDetrError(f"--port must be {PORTS[0]} to {PORTS[-1]}, got {port}")
    if not listens:
        return
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)  # of an ended job: no matter
        try:
            probe.bind(("", port))
        except OSError as error:
            raise FocusDetrError(
                f"port {port} cannot be used ({error.strerror}); choose another with --port"
            ) from error


def free_port() -> int:
    """A port that nothing uses now."""
    with socket.socket() as probe:
        probe.bind(("", 0))
        return int(probe.getsockname()[1])


def _ask_mindspore(code: str, *arguments: str) -> str:
    """Last line that MindSpore prints; empty when it fails."""
    command = [sys.executable, "-c", code, *arguments]
    answer = subprocess.run(command, capture_output=True, text=True, check=False)
    lines = answer.stdout.split() if answer.returncode == 0 else []
    return lines[-1] if lines else ""
