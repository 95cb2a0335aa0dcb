"""What an export writes and how it is checked."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from focus_detr.data.buckets import Size
from focus_detr.deploy.sidecar import MINDIR, ONNX, SUFFIXES, Graph
from focus_detr.errors import FocusDetrError
from focus_detr.io.user_paths import check_utf8

STRIDE = 32  # of the backbone's last map
ANY_NUMBER = "any"  # of pictures at once, on the command line


@dataclass(frozen=True)
class ExportOptions:
    """What to write and how to check it."""

    out: Path  # ends in .mindir or .onnx; with several shapes _HxW is put before it
    sizes: tuple[Size, ...] = ()  # (H, W); empty: all that the checkpoint's pictures are padded to
    batch: int | None = 1  # pictures at once; None: any number, in ONNX
    images: Literal["pixels", "normalised"] = "pixels"
    boxes: Literal["pixels", "unit"] = "pixels"
    msda: Literal["composition", "custom", "ascend"] = "composition"
    tokens: bool = False  # whether the file tells which tokens it kept
    threshold: float = 0.3  # goes into the sidecar
    tolerance: float = 1e-4  # of scores, and of boxes in units of a picture's longer side
    device: str | None = None  # that the file is checked on; None: the best that is here

    def __post_init__(self) -> None:
        """Refuse what does not go together.

        Raises:
            FocusDetrError: says what.
        """
        if self.out.suffix not in SUFFIXES:
            raise FocusDetrError(f"{self.out} must end in {' or '.join(SUFFIXES)}")
        if self.out.suffix == MINDIR:
            check_utf8(self.out)
        if self.out.suffix == ONNX and self.msda != "composition":
            raise FocusDetrError(
                f"--msda {self.msda} is an operation that ONNX does not have: write a {MINDIR} "
                "file, or leave it out"
            )
        if self.batch is None and self.out.suffix != ONNX:
            raise FocusDetrError(
                f"--batch {ANY_NUMBER} needs a {ONNX} file: the shapes in a {MINDIR} are fixed"
            )
        if self.batch is not None and self.batch < 1:
            raise FocusDetrError(f"--batch {self.batch} must be positive")
        if not (0 <= self.threshold <= 1 and 0 < self.tolerance <= 1):
            raise FocusDetrError("--threshold and --tolerance are numbers from 0 to 1")
        check_sizes(self.sizes)

    @property
    def replay_device(self) -> str | None:
        """Where the file runs to be compared; ONNX Runtime chooses for itself."""
        return None if self.out.suffix == ONNX else self.device

    def graph(self, size: Size) -> Graph:
        """Of the file for an image shape."""
        engine: Literal["mindspore", "onnx"] = "onnx" if self.out.suffix == ONNX else "mindspore"
        return Graph(*size, self.batch, self.images, self.boxes, self.msda, engine)

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
    """Pictures at once from a text such as 4; None for any number.

    Raises:
        FocusDetrError: it is no such text.
    """
    if text.lower() == ANY_NUMBER:
        return None
    if not text.isdecimal():
        raise FocusDetrError(f"--batch {text} is neither a number nor {ANY_NUMBER}")
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
