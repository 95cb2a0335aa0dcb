"""What a detector found in a picture."""

from __future__ import annotations

import os
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from focus_detr.api.pictures import PictureSource
from focus_detr.errors import FocusDetrError
from focus_detr.inference.drawing import draw_detections
from focus_detr.inference.image_writing import encode_image, write_image
from focus_detr.inference.kept_tokens import KeptTokens
from focus_detr.inference.prediction import Prediction
from focus_detr.inference.records import detection_records
from focus_detr.inference.token_overlay import draw_token_overlay
from focus_detr.io.user_paths import user_path
from focus_detr.wording import counted

_SHOWN = 3  # detections in the short form


@dataclass(frozen=True, repr=False, eq=False)
class Found:
    """The detections of one picture, best first; D is their number.

    Attributes:
        size: (height, width) of the picture in pixels.
    """

    prediction: Prediction = field(repr=False)
    size: tuple[int, int]
    _source: PictureSource = field(repr=False)

    @property
    def boxes(self) -> np.ndarray:
        """[D, 4] float32: x1, y1, x2, y2 in pixels of the picture."""
        return self.prediction.detections.boxes

    @property
    def scores(self) -> np.ndarray:
        """[D] float32 in 0..1, falling."""
        return self.prediction.detections.scores

    @property
    def labels(self) -> np.ndarray:
        """[D] int: index into the detector's ``class_names``."""
        return self.prediction.detections.labels

    @property
    def names(self) -> tuple[str, ...]:
        """The class name of each detection."""
        return self.prediction.names

    @property
    def tokens(self) -> KeptTokens | None:
        """Which cells of the picture each encoder layer refined; None: the model does not tell."""
        return self.prediction.tokens

    def __len__(self) -> int:
        """How many detections."""
        return len(self.names)

    def __repr__(self) -> str:
        """The best of them."""
        pairs = zip(self.names[:_SHOWN], self.scores[:_SHOWN].tolist(), strict=True)
        best = ", ".join(f"{name} {score:.2f}" for name, score in pairs)
        more = ", ..." if len(self) > _SHOWN else ""
        return f"<Found {counted(len(self), 'detection')}: {best or 'nothing'}{more}>"

    def above(self, threshold: float) -> Found:
        """Only the detections whose score is at least ``threshold``."""
        return Found(self.prediction.above(threshold), self.size, self._source)

    def to_dicts(self) -> list[dict[str, Any]]:
        """One entry for each detection, ready for JSON: label, name, score, box."""
        return detection_records(self.prediction)

    def draw(self) -> np.ndarray:
        """The picture with boxes, names and scores; one that lies in a file is read again.

        Returns:
            [s*H, s*W, 3] uint8 RGB; s is 1, except for pictures so small that nothing on them
            could be read.

        Raises:
            FocusDetrError: the file is gone or another picture by now.
        """
        return draw_detections(self._image(), self.prediction.detections, self.names)

    def draw_tokens(self) -> np.ndarray:
        """Which tokens each encoder layer refined, a row for each layer: uint8 RGB.

        Raises:
            FocusDetrError: the model does not tell, or the file is gone.
        """
        if self.tokens is None:
            raise FocusDetrError("this model does not tell its tokens: export it with tokens")
        return draw_token_overlay(self._image(), self.tokens)

    def save(self, path: str | os.PathLike[str]) -> None:
        """Write what ``draw`` returns.

        Args:
            path: ends in .png or .jpg; its folder is made.

        Raises:
            FocusDetrError: it cannot be written.
        """
        write_image(user_path(path), self.draw())

    def to_supervision(self) -> Any:
        """The same as ``supervision.Detections``.

        Raises:
            FocusDetrError: the package supervision is not installed.
        """
        try:
            import supervision
        except ImportError as error:
            raise FocusDetrError(
                f"to_supervision needs the package supervision ({error}): pip install --no-deps "
                "supervision pyDeprecate defusedxml, as it would bring another OpenCV"
            ) from error
        return supervision.Detections(
            xyxy=self.boxes.astype(np.float32),
            confidence=self.scores.astype(np.float32),
            class_id=self.labels.astype(np.int64),
            data={"class_name": np.array(self.names, dtype=str)},
        )

    def _image(self) -> np.ndarray:
        image = self._source.read()
        if image.shape[:2] != self.size:
            raise FocusDetrError(f"{self._source.name} is another picture by now")
        return image

    def _repr_png_(self) -> bytes:
        """How notebooks show it."""
        return encode_image(self.draw(), ".png")
