"""Maps of features: [B, C, h, w], or [B, h, w, C] where native products compute them.

``native_products`` decides when a network is built; cells that read a map's shape ask here.
"""

from __future__ import annotations

from itertools import accumulate

from mindspore import Tensor, nn, ops
from mindspore.ops import constexpr

from focus_detr.models.geometry import Shapes
from focus_detr.ops import products_custom
from focus_detr.ops.products_choice import native_products
from focus_detr.ops.slicing import part

_shape, _reshape = ops.Shape(), ops.Reshape()


def channels_last() -> bool:
    """Whether networks that are built now have their channels last."""
    return native_products() is not None


class ImagesToMap(nn.Cell):
    """Images as the data pipeline gives them, as a map."""

    def __init__(self) -> None:
        super().__init__()
        self.channels_last = channels_last()

    def construct(self, images: Tensor) -> Tensor:
        """[B, 3, H, W] -> a map."""
        return images.transpose(0, 2, 3, 1) if self.channels_last else images


@constexpr
def _as_tokens(shape: tuple[int, int, int, int]) -> tuple[int, int, int]:
    """Shape of [B, h, w, C] as tokens."""
    return shape[0], -1, shape[3]


@constexpr
def _level_places(shapes: Shapes) -> tuple[tuple[int, int, int, int], ...]:
    """First token, end, rows and columns of each level."""
    ends = list(accumulate(rows * columns for rows, columns in shapes))
    return tuple(
        (end - rows * columns, end, rows, columns)
        for end, (rows, columns) in zip(ends, shapes, strict=True)
    )


class MapToTokens(nn.Cell):
    """A map's cells as tokens, row-major."""

    def __init__(self) -> None:
        super().__init__()
        self.channels_last = channels_last()

    def construct(self, x: Tensor) -> Tensor:
        """A map -> [B, h*w, C]."""
        if self.channels_last:
            return _reshape(x, _as_tokens(_shape(x)))  # [B, h*w, C]
        return x.reshape(x.shape[0], x.shape[1], -1).swapaxes(1, 2)  # [B, h*w, C]


class MapToCells(nn.Cell):
    """A map with its channels last, wherever they are in maps."""

    def __init__(self) -> None:
        super().__init__()
        self.channels_last = channels_last()

    def construct(self, x: Tensor) -> Tensor:
        """A map -> [B, h, w, C]."""
        return x if self.channels_last else x.transpose(0, 2, 3, 1)


class CellsToMap(nn.Cell):
    """The inverse of ``MapToCells``."""

    def __init__(self) -> None:
        super().__init__()
        self.channels_last = channels_last()

    def construct(self, x: Tensor) -> Tensor:
        """[B, h, w, C] -> a map."""
        return x if self.channels_last else x.transpose(0, 3, 1, 2)


class LevelMasks(nn.Cell):
    """Which cells of each level's map are image, so that it multiplies the map."""

    def __init__(self) -> None:
        super().__init__()
        self.channels_last = channels_last()

    def construct(self, valid: Tensor, shapes: Shapes) -> tuple[Tensor, ...]:
        """[B, N] tokens -> [B, 1, h, w], or [B, h, w, 1], per level."""
        masks = ()
        for start, end, rows, columns in _level_places(shapes):
            level = part(valid, 1, start, end)
            if self.channels_last:
                masks += (_reshape(level, (-1, rows, columns, 1)),)
            else:
                masks += (_reshape(level, (-1, 1, rows, columns)),)
        return masks


class MaxPool(nn.Cell):
    """The largest of each window; outside the map nothing counts."""

    def __init__(self, kernel: int, stride: int, padding: int) -> None:
        super().__init__()
        library = native_products()
        if library is None:
            self.pool = nn.MaxPool2d(kernel, stride, pad_mode="pad", padding=padding)
        else:
            self.pool = products_custom.max_pool(library, kernel, stride, padding)

    def construct(self, x: Tensor) -> Tensor:
        """A map to a map."""
        return self.pool(x)
