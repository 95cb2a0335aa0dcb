"""Predicting videos: a drawn copy, and the detections of each frame."""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import closing
from itertools import islice
from pathlib import Path
from typing import Any, TextIO

import numpy as np
from tqdm import tqdm

from focus_detr.errors import FocusDetrError
from focus_detr.inference.drawing import draw_detections
from focus_detr.inference.prediction import Prediction
from focus_detr.inference.rate import Rate
from focus_detr.inference.records import detection_records
from focus_detr.inference.session import OutputOptions, PicturePredictor, Summary
from focus_detr.inference.video_writing import SUFFIX, VideoWriter, whole_video
from focus_detr.inference.videos import Frames, VideoInput
from focus_detr.io.files import whole_file

LIST_SUFFIX = ".jsonl"  # a line of JSON for each frame, so that length does not cost memory


def predict_video(
    predictor: PicturePredictor,
    video: VideoInput,
    options: OutputOptions,
    most_frames: int | None = None,
) -> Summary:
    """Write NAME.mp4 with drawn detections and NAME.jsonl with a line for each frame.

    A line has frame (from 0), time (seconds from the start), width, height and detections.

    Args:
        predictor: detects.
        video: a file, or a camera, which ends on Ctrl-C and keeps what was written, if any.
        options: where results go, and the smallest score.
        most_frames: to end after; None: at the video's end.

    Raises:
        FocusDetrError: the video cannot be read, a frame is too small, a result cannot be written,
            tokens were wanted, or ``most_frames`` is not positive.
    """
    if options.tokens:
        raise FocusDetrError("--tokens is for pictures, not for videos")
    check_frames(most_frames)
    drawn = options.folder / f"{video.name}{SUFFIX}"
    if isinstance(video.source, Path) and drawn.resolve() == video.source.resolve():
        raise FocusDetrError(f"the result would overwrite {drawn}; choose another folder")
    with (
        closing(Frames(video)) as frames,
        whole_video(drawn, frames.rate) as writer,
        whole_file(drawn.with_suffix(LIST_SUFFIX)) as part,
        part.open("w", encoding="utf-8") as lines,
    ):
        run = _Run(predictor, options, writer, lines, frames.rate)
        try:
            run.all(islice(frames, most_frames), most_frames or frames.count or None, video)
        except KeyboardInterrupt:
            if not (video.is_camera and run.frames):
                raise
    return Summary(run.frames, run.detections, 0, run.rate.per_second)


def check_frames(most: int | None) -> None:
    """Refuse to end before the first frame.

    Raises:
        FocusDetrError: ``most`` is a number that is not positive.
    """
    if most is not None and most < 1:
        raise FocusDetrError(f"--frames {most} must be positive")


class _Run:
    def __init__(
        self,
        predictor: PicturePredictor,
        options: OutputOptions,
        writer: VideoWriter,
        lines: TextIO,
        rate: float,
    ) -> None:
        self.predictor, self.options = predictor, options
        self.writer, self.lines, self.frame_rate = writer, lines, rate
        self.frames = 0
        self.detections = 0
        self.rate = Rate()

    def all(self, frames: Iterator[np.ndarray], total: int | None, video: VideoInput) -> None:
        """Detect in frames ([H, W, 3] uint8 RGB) until they end, and write each one down.

        Args:
            frames: to detect in.
            total: how many there will be, if that is known.
            video: named in messages.

        Raises:
            FocusDetrError: a frame is too small, or a result cannot be written.
        """
        with tqdm(desc=video.name, total=total, unit="frame", disable=None) as bar:
            while batch := list(islice(frames, self.predictor.batch)):
                try:
                    found = self.predictor.predict_batch(batch)
                except FocusDetrError as error:
                    raise FocusDetrError(f"{video}, frame {self.frames}: {error}") from error
                for frame, prediction in zip(batch, found, strict=True):
                    self._keep(frame, prediction.above(self.options.threshold))
                self.rate.add(len(batch))
                bar.update(len(batch))

    def _keep(self, frame: np.ndarray, prediction: Prediction) -> None:
        self.writer.write(draw_detections(frame, prediction.detections, prediction.names))
        record: dict[str, Any] = {
            "frame": self.frames,
            "time": round(self.frames / self.frame_rate, 4),
            "width": frame.shape[1],
            "height": frame.shape[0],
            "detections": detection_records(prediction),
        }
        self.lines.write(json.dumps(record, allow_nan=False) + "\n")
        self.frames += 1
        self.detections += len(record["detections"])
