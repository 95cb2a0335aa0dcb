"""What an export writes and how it is checked."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from focus_detr.data.buckets import Size
from focus_detr.deploy.sidecar import SUFFIXES, Graph
from focus_detr.errors import FocusDetrError

STRIDE = 32  # of the backbone's last map
DYNAMIC = "dynamic"  # batch size of a file that takes any


@dataclass(frozen=True)
class ExportOptions:
    """What to write and how to check it."""

    out: Path  # its suffix is the format; with several shapes _HxW is put before it
    sizes: tuple[Size, ...] = ()  # (H, W); empty: all that the checkpoint's pictures are padded to
    batch: int | None = 1  # None: any
    images: Literal["pixels", "normalised"] = "pixels"
    boxes: Literal["pixels", "unit"] = "pixels"
    msda: Literal["composition", "custom", "ascend"] = "composition"
    threshold: float = 0.3  # goes into the sidecar
    tolerance: float = 1e-4  # of scores, and of boxes in units of a picture's longer side
    device: str | None = None  # that the file is checked on; None: the best that is here

    def __post_init__(self) -> None:
        """Refuse what does not go together.

        Raises:
            FocusDetrError: says what.
        """
        onnx = self.out.suffix == SUFFIXES["ONNX"]
        if self.out.suffix not in SUFFIXES.values():
            raise FocusDetrError(f"{self.out} must end in {' or '.join(SUFFIXES.values())}")
        if onnx and self.msda != "composition":
            raise FocusDetrError(f"an ONNX file cannot hold --msda {self.msda}; use composition")
        if onnx and self.batch is None:
            raise FocusDetrError("an ONNX file needs a fixed --batch; MINDIR takes dynamic")
        if self.batch is not None and self.batch < 1:
            raise FocusDetrError(f"--batch {self.batch} must be positive")
        if not (0 <= self.threshold <= 1 and 0 < self.tolerance <= 1):
            raise FocusDetrError("--threshold and --tolerance are numbers from 0 to 1")
        check_sizes(self.sizes)

    def graph(self, size: Size) -> Graph:
        """Of the file for an image shape."""
        form: Literal["MINDIR", "ONNX"] = (
            "ONNX" if self.out.suffix == SUFFIXES["ONNX"] else "MINDIR"
        )
        return Graph(form, *size, self.batch, self.images, self.boxes, self.msda)

    def file(self, size: Size, among: int) -> Path:
        """The file for one of several image shapes."""
        if among == 1:
            return self.out
        return self.out.with_stem(f"{self.out.stem}_{size[0]}x{size[1]}")


def parse_size(text: str) -> Size:
    """(H, W) from a text such as 800x1344.

    Raises:
        FocusDetrError: it is no such text.
    """
    height, _, width = text.lower().partition("x")
    if not (height.isdecimal() and width.isdecimal()):
        raise FocusDetrError(f"--size {text} is no height and width such as 800x1344")
    return int(height), int(width)


def parse_batch(text: str) -> int | None:
    """A number, or None for ``dynamic``.

    Raises:
        FocusDetrError: neither of both.
    """
    if text == DYNAMIC:
        return None
    if not text.isdecimal():
        raise FocusDetrError(f"--batch {text} is neither a number nor {DYNAMIC}")
    return int(text)


def check_sizes(sizes: Sequence[Size]) -> None:
    """Refuse image shapes that the network's strides do not divide, and the same one twice.

    Raises:
        FocusDetrError: naming the shape.
    """
    for height, width in sizes:
        if min(height, width) < STRIDE or height % STRIDE or width % STRIDE:
            raise FocusDetrError(
                f"size {height}x{width} does not fit the network's strides: both sides must be "
                f"multiples of {STRIDE}"
            )
    if len(set(sizes)) < len(sizes):
        raise FocusDetrError("a size is given twice")
