"""Runs an exported file on pictures in a process of its own.

``export.py`` starts it to see the file work where nothing of the training code is loaded.
"""

from __future__ import annotations

import argparse
import subprocess
import sys
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from focus_detr.deploy.engine import Engine, open_engine
from focus_detr.deploy.engine_options import ENGINES, EngineOptions
from focus_detr.deploy.runner import ExportedPredictor, ModelFile
from focus_detr.deploy.sidecar import read_sidecar
from focus_detr.errors import FocusDetrError
from focus_detr.inference.kept_tokens import KeptTokens
from focus_detr.inference.postprocess import Detections
from focus_detr.inference.prediction import Prediction
from focus_detr.io.user_paths import user_path
from focus_detr.process.runtime import command, last_words

FIELDS = ("boxes", "scores", "labels")
TOKEN_FIELDS = ("ranked", "counts", "level_shapes", "image_size")
_OUTPUT = "output{}"  # name in the file of what the graph gave, for all pictures


@dataclass(frozen=True)
class Replayed:
    """What a file found in pictures, and the numbers behind it."""

    predictions: list[Prediction]  # without class names; the kept tokens if the file tells them
    outputs: tuple[np.ndarray, ...]  # of the graph, [pictures, ...] each


class Recorder:
    """An engine that remembers what another one computes."""

    def __init__(self, engine: Engine) -> None:
        self._engine = engine
        self._runs: list[tuple[np.ndarray, ...]] = []

    def run(self, *inputs: np.ndarray) -> tuple[np.ndarray, ...]:
        """Compute the outputs."""
        self._runs.append(self._engine.run(*inputs))
        return self._runs[-1]

    def outputs(self, count: int) -> tuple[np.ndarray, ...]:
        """Of the first pictures, without what fills the last run up: [count, ...] each."""
        return tuple(np.concatenate(arrays)[:count] for arrays in zip(*self._runs, strict=True))


def replay(
    model: Path,
    pictures: Sequence[np.ndarray],
    folder: Path,
    device: str | None = None,
    engine: str | None = None,
) -> Replayed:
    """What a fresh process with an exported file finds in [H, W, 3] uint8 pictures.

    Args:
        model: the file.
        pictures: to detect on.
        folder: for the files by which the processes talk.
        device: CPU, GPU or Ascend; None: the best that is here.
        engine: of ``ENGINES``, for an ONNX file; None: the usual one.

    Raises:
        FocusDetrError: the file cannot be loaded or run.
    """
    sent, received = folder / "pictures.npz", folder / "detections.npz"
    np.savez(sent, **{str(index): picture for index, picture in enumerate(pictures)})
    # whole paths, for a relative one may look like an option or a home
    arguments = [str(path.absolute()) for path in (model, sent, received)]
    arguments += ["--device", device] if device else []
    arguments += ["--engine", engine] if engine else []
    process = subprocess.run(
        [sys.executable, "-m", __name__, *arguments], capture_output=True, text=True, check=False
    )
    if process.returncode != 0:
        reason = last_words(process.stderr) or f"exit status {process.returncode}"
        raise FocusDetrError(f"the exported file does not run: {reason}")
    with np.load(received) as arrays:
        count = len([name for name in arrays if name.startswith(_OUTPUT.format(""))])
        outputs = tuple(arrays[_OUTPUT.format(index)] for index in range(count))
        return Replayed([_read(arrays, index) for index in range(len(pictures))], outputs)


def _read(arrays: Mapping[str, np.ndarray], index: int) -> Prediction:
    detections = Detections(*(arrays[f"{name}{index}"] for name in FIELDS))
    if f"ranked{index}" not in arrays:
        return Prediction(detections, (), None)
    ranked, counts, shapes, size = (arrays[f"{name}{index}"] for name in TOKEN_FIELDS)
    grids = tuple((rows, columns) for rows, columns in shapes.tolist())
    return Prediction(detections, (), KeptTokens(ranked, counts, grids, tuple(size.tolist())))


def _arrays(index: int, prediction: Prediction) -> Iterator[tuple[str, np.ndarray]]:
    """Names in the file, and what they stand for."""
    for source, names in ((prediction.detections, FIELDS), (prediction.tokens, TOKEN_FIELDS)):
        if source is not None:
            yield from ((f"{name}{index}", np.asarray(getattr(source, name))) for name in names)


@command
def main(argv: Sequence[str] | None = None) -> None:
    """Run the command."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("model", type=user_path)
    parser.add_argument("pictures", type=user_path, help="npz file of arrays 0, 1 and so on")
    parser.add_argument("detections", type=user_path, help="npz file to write")
    parser.add_argument("--device")
    parser.add_argument("--engine", choices=ENGINES)
    arguments = parser.parse_args(argv)
    with np.load(arguments.pictures) as arrays:
        pictures = [arrays[str(index)] for index in range(len(arrays.files))]
    sidecar = read_sidecar(arguments.model)
    options = EngineOptions(arguments.engine, as_written=True)
    engine = open_engine(arguments.model, sidecar.graph, arguments.device, options)
    recorder = Recorder(engine)
    file = ModelFile(arguments.model, sidecar, engine=recorder)
    found = ExportedPredictor([file]).predict_batch(pictures)
    pairs = (pair for index, prediction in enumerate(found) for pair in _arrays(index, prediction))
    outputs = recorder.outputs(len(pictures))
    named = {_OUTPUT.format(index): array for index, array in enumerate(outputs)}
    np.savez(arguments.detections, **dict(pairs), **named)


if __name__ == "__main__":
    sys.exit(main(None))
