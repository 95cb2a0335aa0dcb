"""What it takes to repeat a run: ``run.json`` has an entry for each start and each resumption."""

from __future__ import annotations

import json
import os
import platform
import shlex
import sys
from collections.abc import Sequence
from dataclasses import asdict
from datetime import datetime
from pathlib import Path
from typing import Any

import cv2
import mindspore as ms
import numpy as np

import focus_detr
from focus_detr.config.loading import to_dict
from focus_detr.config.schema import Config
from focus_detr.errors import FocusDetrError
from focus_detr.io.files import read_json, sha256_of, write_json
from focus_detr.process.runtime import THREADS_VARIABLE
from focus_detr.training.checkout import checkout_of


def record_start(
    path: Path, config: Config, *, step: int, workers: int, files: Sequence[Path]
) -> None:
    """Append an entry about this process to a run's record.

    Args:
        path: the record; a missing one is begun.
        config: all settings.
        step: updates that the run has done before.
        workers: that train together.
        files: what the weights come from; none if they are drawn.

    Raises:
        FocusDetrError: the record cannot be read or written.
    """
    checkout = checkout_of(Path(focus_detr.__file__))
    entry = {
        "started": datetime.now().astimezone().isoformat(timespec="seconds"),
        "step": step,
        "command": shlex.join(sys.orig_argv),
        "working_folder": os.getcwd(),
        "versions": _versions(),
        "checkout": None if checkout is None else asdict(checkout),
        "seed": config.train.seed,
        "device": ms.get_context("device_target"),
        "workers": workers,
        "host": _host(),
        "files": [{"path": str(file), "sha256": sha256_of(file)} for file in files],
        # JSON has no infinity; as text, settings take it back
        "settings": json.loads(json.dumps(to_dict(config)), parse_constant=str),
    }
    write_json(path, [*_entries(path), entry], indent=1)


def _entries(path: Path) -> list[Any]:
    entries = read_json(path) if path.exists() else []
    if not isinstance(entries, list):
        raise FocusDetrError(f"{path} is not the record of a run: it has no list of starts")
    return entries


def _versions() -> dict[str, str]:
    return {
        "focus_detr": focus_detr.__version__,
        "mindspore": ms.__version__,
        "numpy": np.__version__,
        "opencv": cv2.__version__,
        "python": platform.python_version(),
    }


def _host() -> dict[str, Any]:
    """Results depend on processor and threads in the last bits."""
    return {
        "platform": platform.platform(),
        "cores": os.cpu_count(),
        THREADS_VARIABLE: os.environ.get(THREADS_VARIABLE),
    }
