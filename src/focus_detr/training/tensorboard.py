"""What a run says, for TensorBoard."""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np
from tensorboardX.event_file_writer import EventsWriter
from tensorboardX.proto.event_pb2 import Event, SessionLog
from tensorboardX.proto.summary_pb2 import Summary

from focus_detr.inference.image_writing import encode_image
from focus_detr.io.files import writing
from focus_detr.training.run_log import Smoothed, StepReport

_RGB = 3  # TensorBoard's number for it


class TensorBoardSink:
    """Scalars and pictures for TensorBoard.

    Written in this thread: ``SummaryWriter`` has one of its own, which dies when the disk is full,
    and then training waits for it without end.
    """

    def __init__(self, folder: Path, first_step: int = 0) -> None:
        """Open the writer.

        Args:
            folder: where the event files go.
            first_step: what an earlier run logged after this step is hidden.

        Raises:
            FocusDetrError: it cannot be written; as from every other method.
        """
        self._folder = folder
        with writing(folder):
            folder.mkdir(parents=True, exist_ok=True)
            self._writer = EventsWriter(str(folder / "events"))
        self._write(Event(step=first_step, session_log=SessionLog(status=SessionLog.START)))

    def step(self, report: StepReport, smoothed: Smoothed) -> None:
        """Write the losses, rates, norm and times."""
        losses = {"total": report.total, **report.parts}
        scalars = {f"loss/{name}": value for name, value in losses.items()}
        scalars |= {"lr": report.lr, "gradient_norm": report.gradient_norm, **report.scaling()}
        scalars |= {f"lr/{name}": value for name, value in report.own_lrs.items()}
        scalars |= {f"time/{name}": value for name, value in smoothed.times().items()}
        self._write_scalars(scalars, report.step)

    def evaluation(self, epoch: int, step: int, metrics: Mapping[str, float]) -> None:
        """Write the metrics."""
        self._write_scalars({f"evaluation/{name}": v for name, v in metrics.items()}, step)

    def pictures(self, step: int, pictures: Mapping[str, np.ndarray]) -> None:
        """Write the pictures, as JPEG."""
        values = []
        for name, picture in pictures.items():
            height, width = picture.shape[:2]
            content = encode_image(picture, ".jpg")
            image = Summary.Image(
                height=height, width=width, colorspace=_RGB, encoded_image_string=content
            )
            values.append(Summary.Value(tag=name, image=image))
        self._write_values(values, step)

    def message(self, text: str) -> None:
        """Sentences are not for plots."""

    def close(self) -> None:
        """Flush and close."""
        with writing(self._folder):
            self._writer.close()

    def _write_scalars(self, scalars: Mapping[str, float], step: int) -> None:
        values = [Summary.Value(tag=name, simple_value=value) for name, value in scalars.items()]
        self._write_values(values, step)

    def _write_values(self, values: Sequence[Summary.Value], step: int) -> None:
        self._write(Event(step=step, wall_time=time.time(), summary=Summary(value=values)))

    def _write(self, event: Event) -> None:
        with writing(self._folder):
            self._writer.write_event(event)
            self._writer.flush()
