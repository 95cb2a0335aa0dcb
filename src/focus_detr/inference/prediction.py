"""What was found in one picture."""

from __future__ import annotations

from dataclasses import dataclass, replace

from focus_detr.inference.kept_tokens import KeptTokens
from focus_detr.inference.looks import Looks
from focus_detr.inference.postprocess import Detections


@dataclass(frozen=True)
class Prediction:
    """What was found in one picture."""

    detections: Detections  # in pixels of the picture, best first
    names: tuple[str, ...]  # class name of each detection
    tokens: KeptTokens | None  # None: the model does not tell
    looks: Looks | None = None  # None: nobody asked

    def above(self, threshold: float) -> Prediction:
        """Only the detections whose score is at least ``threshold``."""
        detections = self.detections.above(threshold)
        # Best first, so that what stays is the beginning.
        return replace(self, detections=detections, names=self.names[: len(detections.scores)])


def class_name(label: int, names: tuple[str, ...]) -> str:
    """The label's name, or its number if the model knows more labels than names."""
    return names[label] if label < len(names) else f"class {label}"
