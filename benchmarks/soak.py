"""Run many video frames through a detector and see that none is lost and memory stays flat.

    python benchmarks/soak.py --model served/detector.onnx --frames 10000 --engine openvino
    python benchmarks/soak.py --checkpoint best.safetensors --frames 2000 --size 240x320

Draws a video, runs it as predict.py does, and prints memory ten times on the way. Fails
with one sentence if a frame is missing or memory grew by more than --allowed after the first tenth.
"""

from __future__ import annotations

import argparse
import json
import sys
import tempfile
from collections.abc import Iterator, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

import numpy as np
import psutil
from model_arguments import check_least

from focus_detr.comparing.pictures import draw_picture
from focus_detr.deploy.opening import Source
from focus_detr.deploy.source_options import add_engine_options, engine_options
from focus_detr.errors import FocusDetrError
from focus_detr.exporting.options import parse_size
from focus_detr.inference.prediction import Prediction
from focus_detr.inference.session import OutputOptions, PicturePredictor
from focus_detr.inference.video_session import predict_video
from focus_detr.inference.video_writing import whole_video
from focus_detr.inference.videos import VideoInput
from focus_detr.io.files import write_json
from focus_detr.io.user_paths import path_text
from focus_detr.process.runtime import command
from focus_detr.wording import counted

MEASURES = 10
DIFFERENT = 20  # pictures that the video repeats
MEGABYTE = 2**20


class Watched:
    """A predictor that notes the process's memory on the way."""

    def __init__(self, predictor: PicturePredictor, frames: int) -> None:
        self._predictor = predictor
        self._step = max(frames // MEASURES, 1)
        self._done = 0
        self.batch = predictor.batch
        self.megabytes: list[float] = []

    def predict(self, image: np.ndarray) -> Prediction:
        """Pass on one frame."""
        return self.predict_batch([image])[0]

    def predict_batch(self, images: Sequence[np.ndarray]) -> list[Prediction]:
        """Pass on, and measure after every tenth of the frames."""
        found = self._predictor.predict_batch(images)
        before, self._done = self._done, self._done + len(images)
        if before // self._step < self._done // self._step:
            self.megabytes.append(psutil.Process().memory_info().rss / MEGABYTE)
            print(f"{self._done} frames: {self.megabytes[-1]:.0f} MB", flush=True)
        return found

    @property
    def growth(self) -> float:
        """Megabytes since the first measure."""
        return self.megabytes[-1] - self.megabytes[0]


def draw_video(path: Path, frames: int, size: tuple[int, int]) -> None:
    """A few drawn pictures, over and over."""
    pictures = [draw_picture(*size, seed=seed) for seed in range(min(DIFFERENT, frames))]
    with whole_video(path, 25.0) as writer:
        for index in range(frames):
            writer.write(pictures[index % len(pictures)])


def listed_frames(path: Path) -> Iterator[int]:
    """Numbers of the frames in a list of predict.py."""
    with path.open(encoding="utf-8") as lines:
        for line in lines:
            yield json.loads(line)["frame"]


def soak(
    predictor: PicturePredictor, frames: int, size: tuple[int, int], allowed: float
) -> dict[str, Any]:
    """Run the frames.

    Args:
        predictor: detects.
        frames: to run.
        size: (H, W) of a frame.
        allowed: megabytes that memory may grow by after the first tenth.

    Returns:
        Frames, detections, frames per second, and megabytes after each tenth.

    Raises:
        FocusDetrError: a frame is missing, or memory grew by more.
    """
    with tempfile.TemporaryDirectory() as folder:
        film, out = Path(folder) / "film.mp4", Path(folder) / "out"
        draw_video(film, frames, size)
        watched = Watched(predictor, frames)
        summary = predict_video(watched, VideoInput(film), OutputOptions(out, out / "unused.json"))
        gaps = sum(a != b for a, b in enumerate(listed_frames(out / "film.jsonl")))
    print(f"{summary.told('frame')}; memory grew by {watched.growth:.1f} MB")
    if summary.images != frames or gaps:
        missing = counted(frames - summary.images, "frame")
        raise FocusDetrError(f"{missing} missing, {gaps} out of order")
    if watched.growth > allowed:
        raise FocusDetrError(f"memory grew by {watched.growth:.1f} MB, allowed are {allowed:g}")
    return {**asdict(summary), "megabytes": watched.megabytes}


@command
def main(argv: Sequence[str] | None = None) -> None:
    """Run the command."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    source = parser.add_mutually_exclusive_group(required=True)
    source.add_argument("--checkpoint", type=path_text, help="weights to use")
    source.add_argument("--model", type=path_text, help="what export.py wrote")
    add_engine_options(parser)
    parser.add_argument("--frames", type=int, default=10_000, help="to run (10000)")
    parser.add_argument("--size", type=parse_size, default=(240, 320), help="HxW (240x320)")
    parser.add_argument("--allowed", type=float, default=50.0, help="growth in megabytes (50)")
    parser.add_argument("--json", type=path_text, help="save the numbers here")
    arguments = parser.parse_args(argv)
    check_least(arguments, {"frames": MEASURES})
    options = engine_options(arguments)
    predictor, _ = Source(arguments.checkpoint, arguments.model, options=options).open()
    numbers = soak(predictor, arguments.frames, arguments.size, arguments.allowed)
    if arguments.json:
        write_json(arguments.json, numbers, indent=1)


if __name__ == "__main__":
    sys.exit(main(None))
