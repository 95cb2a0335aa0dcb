"""The few image shapes that batches are padded to, since each shape is a compiled graph."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

Size = tuple[int, int]  # (height, width) in pixels

_STEP = 32


def round_up(value: int, step: int) -> int:
    """The smallest multiple of ``step`` that is at least ``value``."""
    return -(-value // step) * step


def default_buckets(short_side: int, max_side: int) -> tuple[Size, ...]:
    """Shapes that hold every image within the limits: 4:3 and the longest, lying and standing.

    Most photographs are 4:3 or squarer, so padding all of them to the longest side would waste a
    quarter of each batch.
    """
    short = round_up(min(short_side, max_side), _STEP)
    longest = round_up(max_side, _STEP)
    usual = min(round_up(-(-short * 4 // 3), _STEP), longest)
    lying = dict.fromkeys([(short, usual), (short, longest)])
    return tuple(dict.fromkeys(size for pair in lying for size in (pair, pair[::-1])))


@dataclass(frozen=True)
class ShapeBuckets:
    """Bucket choice.

    With ``round_to`` the list is not used: the bucket is the image's own size rounded up, which
    pads least and compiles most.
    """

    shapes: tuple[Size, ...]
    round_to: int | None = None

    def bucket_for(self, height: int, width: int) -> Size:
        """The smallest bucket that holds the image, else the one that shrinks it least."""
        if self.round_to:
            return round_up(height, self.round_to), round_up(width, self.round_to)
        fitting = [shape for shape in self.shapes if height <= shape[0] and width <= shape[1]]
        if fitting:
            return min(fitting, key=lambda shape: shape[0] * shape[1])
        return max(self.shapes, key=lambda shape: min(shape[0] / height, shape[1] / width))

    def bucket_for_all(self, sizes: Sequence[Size]) -> Size:
        """One bucket for several images; without images the smallest one."""
        if not sizes:
            return self.bucket_for(1, 1)
        return self.bucket_for(max(size[0] for size in sizes), max(size[1] for size in sizes))


def fit_size(size: Size, bucket: Size) -> Size:
    """``size`` scaled down to fit the bucket; unchanged when it fits."""
    scale = min(bucket[0] / size[0], bucket[1] / size[1])
    if scale >= 1:
        return size
    height, width = (max(int(side * scale + 0.5), 1) for side in size)
    return min(height, bucket[0]), min(width, bucket[1])
