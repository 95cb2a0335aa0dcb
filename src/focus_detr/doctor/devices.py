"""Which devices MindSpore finds, and which native operators are there."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from dataclasses import dataclass

from focus_detr.ops.msda_library import BUILD_COMMANDS, find_library
from focus_detr.ops.native_library import LibraryError
from focus_detr.ops.products_library import find_products
from focus_detr.process.runtime import DEVICES

ASCEND = "Ascend"
_SECONDS = 120
_ASK = """
import json, sys
sys.path[:] = [place for place in sys.path if place]
import mindspore as ms
found = {}
for name in sys.argv[1:]:
    try:
        found[name] = ms.hal.device_count(name)
    except Exception as error:
        found[name] = str(error).partition(".")[0].strip()
best = ms.get_context("device_target")
ms.set_device("CPU")
ms.set_context(mode=ms.PYNATIVE_MODE)
computed = (ms.Tensor([1.0]) + 1).asnumpy().tolist()
print(json.dumps({"found": found, "best": best, "computed": computed}))
"""


@dataclass(frozen=True)
class Devices:
    """What MindSpore says."""

    counts: dict[str, int]  # by kind; those that it cannot use have 0
    reasons: dict[str, str]  # why not
    best: str | None  # that is chosen without --device; None: MindSpore does not work
    problem: str | None  # why it does not


def ask_mindspore() -> Devices:
    """Load MindSpore in another process, count devices, and let it add two numbers."""
    command = [sys.executable, "-c", _ASK, *DEVICES]
    try:
        done = subprocess.run(
            command, capture_output=True, text=True, errors="replace", timeout=_SECONDS, check=False
        )
        answer = json.loads(done.stdout.splitlines()[-1])
    except subprocess.TimeoutExpired:
        return without_mindspore(f"it does not start within {_SECONDS} seconds")
    except (IndexError, ValueError):
        lines = done.stderr.strip().splitlines() or [f"it ends with status {done.returncode}"]
        return without_mindspore(lines[-1])
    found = answer["found"]
    return Devices(
        {name: said if isinstance(said, int) else 0 for name, said in found.items()},
        {name: said for name, said in found.items() if not isinstance(said, int)},
        answer["best"],
        None,
    )


def native_operators() -> dict[str, str | None]:
    """For each kind of device why its native operator cannot be used; None: it can.

    Ascend's is not asked for: only building a network there tells.
    """
    return {device: _operator_problem(device) for device in DEVICES if device != ASCEND}


def products_problem() -> str | None:
    """Why the native products cannot be used on a CPU; None: they can."""
    try:
        find_products()
    except LibraryError as error:
        return f"{error}; build them with `{BUILD_COMMANDS['CPU']}` in the repository"
    return None


def chosen_attention() -> str | None:
    """What the environment forces for deformable attention."""
    return os.environ.get("FOCUS_DETR_MSDA") or None


def _operator_problem(device: str) -> str | None:
    try:
        find_library(device)
    except LibraryError as error:
        return f"{error}; build it with `{BUILD_COMMANDS[device]}` in the repository"
    return None


def without_mindspore(reason: str) -> Devices:
    """What there is if it cannot be used."""
    return Devices(dict.fromkeys(DEVICES, 0), {}, None, reason)
