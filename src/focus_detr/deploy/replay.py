"""Runs an exported file on pictures in a process of its own.

``export.py`` starts it to see the file work where nothing of the training code is loaded.
"""

from __future__ import annotations

import argparse
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

import numpy as np

from focus_detr.deploy.runner import ExportedPredictor
from focus_detr.errors import FocusDetrError
from focus_detr.inference.postprocess import Detections
from focus_detr.runtime import command

FIELDS = ("boxes", "scores", "labels")


def replay(
    model: Path, pictures: Sequence[np.ndarray], folder: Path, device: str | None = None
) -> list[Detections]:
    """Detections of an exported file on [H, W, 3] uint8 pictures, found by a fresh process.

    Args:
        model: the file.
        pictures: to detect on.
        folder: for the files by which the processes talk.
        device: CPU, GPU or Ascend; None: the best that is here.

    Raises:
        FocusDetrError: the file cannot be loaded or run.
    """
    sent, received = folder / "pictures.npz", folder / "detections.npz"
    np.savez(sent, **{str(index): picture for index, picture in enumerate(pictures)})
    arguments = [str(model), str(sent), str(received)]
    arguments += ["--device", device] if device else []
    process = subprocess.run(
        [sys.executable, "-m", __name__, *arguments], capture_output=True, text=True, check=False
    )
    if process.returncode != 0:
        told = process.stderr.strip().splitlines() or [f"exit status {process.returncode}"]
        raise FocusDetrError(f"the exported file does not run: {told[-1].removeprefix('error: ')}")
    with np.load(received) as arrays:
        return [
            Detections(*(arrays[f"{name}{index}"] for name in FIELDS))
            for index in range(len(pictures))
        ]


@command
def main(argv: Sequence[str] | None = None) -> None:
    """Run the command."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("model", type=Path)
    parser.add_argument("pictures", type=Path, help="npz file of arrays 0, 1 and so on")
    parser.add_argument("detections", type=Path, help="npz file to write")
    parser.add_argument("--device")
    arguments = parser.parse_args(argv)
    with np.load(arguments.pictures) as arrays:
        pictures = [arrays[str(index)] for index in range(len(arrays.files))]
    found = ExportedPredictor.from_path(arguments.model, arguments.device).predict_batch(pictures)
    np.savez(
        arguments.detections,
        **{
            f"{name}{index}": getattr(prediction.detections, name)
            for index, prediction in enumerate(found)
            for name in FIELDS
        },
    )


if __name__ == "__main__":
    sys.exit(main(None))
