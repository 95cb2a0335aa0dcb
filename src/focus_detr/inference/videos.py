"""Frames of video files and cameras."""

from __future__ import annotations

import logging
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np

from focus_detr.data.orientation import UPRIGHT, turn
from focus_detr.data.picture_kinds import FILM_SUFFIXES
from focus_detr.data.visible_files import matching
from focus_detr.errors import FocusDetrError
from focus_detr.inference.video_container import container_orientation
from focus_detr.io.user_paths import check_utf8
from focus_detr.wording import counted

CAMERA = "camera:"  # and a number

_CAMERA_DIGITS = 4
_QUARTER_TURNS = {90: 6, 180: 3, 270: 8}  # degrees to the right -> EXIF's orientation
_USUAL_RATE = 25.0  # frames per second, where a camera does not tell

_log = logging.getLogger(__name__)


@dataclass(frozen=True)
class VideoInput:
    """A video file or a camera."""

    source: Path | int  # a camera's number

    @property
    def name(self) -> str:
        """What results are called."""
        return f"camera_{self.source}" if isinstance(self.source, int) else self.source.stem

    @property
    def is_camera(self) -> bool:
        """Whether it has no end."""
        return isinstance(self.source, int)

    def __str__(self) -> str:
        """As a user would name it."""
        return f"camera {self.source}" if self.is_camera else f"video {self.source}"


def split_videos(paths: Sequence[Path]) -> tuple[list[Path], list[VideoInput]]:
    """Tell videos and cameras from all other paths.

    Raises:
        FocusDetrError: a camera has no number, a video does not exist, or two results would have
            the same name.
    """
    others: list[Path] = []
    videos: list[VideoInput] = []
    for path in paths:
        if str(path).startswith(CAMERA):
            videos.append(VideoInput(_camera_number(str(path))))
        elif path.suffix.lower() in FILM_SUFFIXES and not path.is_dir():
            videos += map(VideoInput, _matching(path))
        else:
            others.append(path)
    names = [video.name for video in videos]
    for name in names:
        if names.count(name) > 1:
            raise FocusDetrError(f"there are several videos {name}: run the command for each")
    return others, videos


def _matching(path: Path) -> list[Path]:
    """The file, or those that a pattern such as ``films/*.mp4`` finds."""
    found = [path] if path.is_file() else matching(path)
    if not found:
        raise FocusDetrError(f"there is no file or folder {path}")
    return found


def _camera_number(text: str) -> int:
    number = text.removeprefix(CAMERA)
    if not number.isdecimal() or len(number) > _CAMERA_DIGITS:
        raise FocusDetrError(f"{text} is no camera: write {CAMERA}0 for the first one")
    return int(number)


class Frames:
    """The frames of a video, one after the other: [H, W, 3] uint8 RGB, turned as it is shown."""

    def __init__(self, video: VideoInput) -> None:
        """Open it.

        Raises:
            FocusDetrError: it cannot be opened.
        """
        self._video = video
        if isinstance(video.source, Path):
            check_utf8(video.source, "OpenCV")  # it would crash
        # from the root, as http:a.mp4 would be an address
        source = video.source if isinstance(video.source, int) else str(video.source.absolute())
        self._capture = cv2.VideoCapture(source)
        if not self._capture.isOpened():
            raise FocusDetrError(
                f"cannot open {video}: it is not there, broken or of a kind that "
                "OpenCV does not read"
            )
        self._orientation = UPRIGHT if video.is_camera else self._turning(str(source))
        rate = self._capture.get(cv2.CAP_PROP_FPS)
        self.rate = rate if np.isfinite(rate) and rate > 0 else _USUAL_RATE  # frames per second
        self.count = max(int(self._capture.get(cv2.CAP_PROP_FRAME_COUNT)), 0)  # 0: not known

    def _turning(self, source: str) -> int:
        """What the container says, as EXIF does; OpenCV knows no mirrors and may turn by itself."""
        self._capture.set(cv2.CAP_PROP_ORIENTATION_AUTO, 0)
        angle = int(self._capture.get(cv2.CAP_PROP_ORIENTATION_META))
        return container_orientation(source) or _QUARTER_TURNS.get(angle % 360, UPRIGHT)

    def __iter__(self) -> Iterator[np.ndarray]:
        """Read to the end.

        Raises:
            FocusDetrError: there is no frame at all.
        """
        read = 0
        while True:
            there, frame = self._capture.read()
            if not there:
                break
            read += 1
            yield turn(cv2.cvtColor(frame, cv2.COLOR_BGR2RGB), self._orientation)
        if not read:
            raise FocusDetrError(f"{self._video} has no frame that can be read")
        if read < self.count and not self._video.is_camera:
            frames = counted(self.count, "frame")
            _log.warning("%s ended after %d of %s", self._video, read, frames)

    def close(self) -> None:
        """Give the file or camera back."""
        self._capture.release()
