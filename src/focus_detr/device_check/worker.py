"""One process, one device, one part of the check."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from focus_detr.device_check.told import Numbers
from focus_detr.errors import FocusDetrError
from focus_detr.io.temporary_files import temporary_folder
from focus_detr.process.runtime import EXIT_BAD_INPUT, command, last_words, prepare_runtime

ATTENTION, DETECTIONS, TRAINING = PARTS = ("attention", "detections", "losses and gradients")
_MSDA_VARIABLE = "FOCUS_DETR_MSDA"  # of ops/msda_choice.py, which would load MindSpore here


class Refused(Exception):
    """The process ended with a sentence for its user, which is the message."""


@dataclass(frozen=True)
class Task:
    """What to compute, and where."""

    part: str  # one of ``PARTS``
    device: str
    msda: str  # implementation of deformable attention
    checkpoint: str = ""  # not for the attention alone
    choices: Numbers | None = None  # of a device, to be followed; not for the attention

    def numbers(self) -> Numbers:
        """Compute in a process of its own, as MindSpore keeps to one device.

        Raises:
            Refused: no such implementation here, no checkpoint, numbers that are not finite.
            FocusDetrError: the process failed.
        """
        with temporary_folder("numbers") as folder:
            file, choices = (Path(folder) / name for name in ("numbers.npz", "choices.npz"))
            words = [self.part, self.device, str(file), self.checkpoint]
            if self.choices is not None:
                np.savez(choices, **self.choices)
                words.append(str(choices))
            process = subprocess.run(
                [sys.executable, "-m", __name__, *words],
                env={**os.environ, _MSDA_VARIABLE: self.msda},
                capture_output=True,
                text=True,
                check=False,
            )
            told = last_words(process.stderr) or f"exit status {process.returncode}"
            if process.returncode == EXIT_BAD_INPUT:
                raise Refused(told)
            if process.returncode != 0:
                raise FocusDetrError(told)
            return _read(file)


def _read(file: Path) -> Numbers:
    with np.load(file) as arrays:
        return dict(arrays)


@command
def main(argv: Sequence[str] | None = None) -> None:
    """Be the process: part, device, file for the numbers, checkpoint, and perhaps choices."""
    part, device, file, checkpoint, *choices = sys.argv[1:] if argv is None else argv
    prepare_runtime(device)
    # here, so that the device is chosen before anything is built
    from focus_detr.device_check.attention import attention_numbers
    from focus_detr.device_check.network import detection_numbers, training_numbers

    if part == ATTENTION:
        numbers = attention_numbers()
    else:
        compute = detection_numbers if part == DETECTIONS else training_numbers
        numbers = compute(Path(checkpoint), *(_read(Path(name)) for name in choices))
    np.savez(file, **numbers)


if __name__ == "__main__":
    sys.exit(main())
