"""Writing a video, whole or not at all."""

from __future__ import annotations

import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import cv2
import numpy as np

from focus_detr.errors import FocusDetrError
from focus_detr.io.files import whole_file, writing
from focus_detr.io.user_paths import check_utf8

SUFFIX = ".mp4"
_CODEC = "mp4v"


class VideoWriter:
    """Takes RGB frames of one size; the first one says which.

    Args:
        path: ends in .mp4.
        rate: frames per second.
    """

    def __init__(self, path: Path, rate: float) -> None:
        self._path = path
        self._rate = rate
        self._writer: cv2.VideoWriter | None = None
        self._size = (0, 0)

    def write(self, frame: np.ndarray) -> None:
        """Append [H, W, 3] uint8 RGB.

        Raises:
            FocusDetrError: OpenCV cannot write videos here, or the frame has another size.
        """
        size = frame.shape[1], frame.shape[0]
        if self._writer is None:
            codec = cv2.VideoWriter.fourcc(*_CODEC)
            self._writer, self._size = (
                cv2.VideoWriter(str(self._path.absolute()), codec, self._rate, size),
                size,
            )
            if not self._writer.isOpened():
                raise FocusDetrError(f"OpenCV cannot write the video {self._path.name}")
        if size != self._size:
            raise FocusDetrError(f"the frames of {self._path.name} change their size")
        self._writer.write(cv2.cvtColor(frame, cv2.COLOR_RGB2BGR))

    def close(self) -> None:
        """Finish the file."""
        if self._writer is not None:
            self._writer.release()


@contextmanager
def whole_video(path: Path, rate: float) -> Iterator[VideoWriter]:
    """A writer whose file appears as ``path`` when the block ends without an error.

    Raises:
        FocusDetrError: the file cannot be written.
    """
    check_utf8(path, "OpenCV")
    with writing(path):
        path.parent.mkdir(parents=True, exist_ok=True)
        place = tempfile.TemporaryDirectory(prefix=".video.", dir=path.parent)
    with place as folder:
        draft = Path(folder) / path.name  # OpenCV chooses the format by the ending
        writer = VideoWriter(draft, rate)
        try:
            yield writer
        finally:
            writer.close()
        with whole_file(path) as part:
            draft.replace(part)
