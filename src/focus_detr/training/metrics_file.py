"""What a run says, as records for programs."""

from __future__ import annotations

import json
import math
from collections.abc import Mapping
from pathlib import Path

import numpy as np

from focus_detr.training.line_file import LineFile
from focus_detr.training.run_log import Smoothed, StepReport


class JsonLinesSink:
    """``metrics.jsonl``: one JSON object per line.

    A resumed run appends; of lines with the same step the last counts.
    """

    def __init__(self, path: Path) -> None:
        """Open the file for appending.

        Raises:
            FocusDetrError: it cannot be written; as from every other method.
        """
        self._file = LineFile(path)

    def step(self, report: StepReport, smoothed: Smoothed) -> None:
        """Write one line of kind ``train``."""
        numbers = {"loss": report.total, "loss_smoothed": smoothed.total, "lr": report.lr}
        place = {"epoch": report.epoch + 1, "step": report.step}
        # JSON has no infinity; half precision may have such a gradient
        length = report.gradient_norm if math.isfinite(report.gradient_norm) else None
        norm = {"gradient_norm": length, **report.scaling()}
        parts = {"parts": dict(report.parts)}
        self._write({"kind": "train", **place, **numbers, **norm, **smoothed.times(), **parts})

    def evaluation(self, epoch: int, step: int, metrics: Mapping[str, float]) -> None:
        """Write one line of kind ``evaluation``."""
        place = {"epoch": epoch + 1, "step": step}
        self._write({"kind": "evaluation", **place, "metrics": dict(metrics)})

    def pictures(self, step: int, pictures: Mapping[str, np.ndarray]) -> None:
        """Pictures are not for lines of text."""

    def message(self, text: str) -> None:
        """Write one line of kind ``message``."""
        self._write({"kind": "message", "text": text})

    def close(self) -> None:
        """Close the file."""
        self._file.close()

    def _write(self, record: Mapping[str, object]) -> None:
        self._file.write(json.dumps(record))
