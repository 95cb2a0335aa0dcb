"""Keeping padding out of convolutions."""

from __future__ import annotations

import mindspore as ms
import numpy as np
from mindspore import Tensor, nn, ops
from mindspore.ops import constexpr

from focus_detr.models.maps import CellsToMap

Cells = tuple[int, int, int]  # rows, columns and stride of a map

_split, _less, _cast, _multiply = ops.Split(1, 2), ops.Less(), ops.Cast(), ops.Mul()
_shape, _reshape = ops.Shape(), ops.Reshape()


@constexpr
def _first_rows(cells: Cells) -> Tensor:
    """First pixel of each row: [1, 1, rows, 1] int32."""
    return Tensor((np.arange(cells[0], dtype=np.int32) * np.int32(cells[2])).reshape(1, 1, -1, 1))


@constexpr
def _first_columns(cells: Cells) -> Tensor:
    """First pixel of each column: [1, 1, 1, columns] int32."""
    return Tensor((np.arange(cells[1], dtype=np.int32) * np.int32(cells[2])).reshape(1, 1, 1, -1))


@constexpr
def _all_cells(padded: tuple[int, int, int, int], strides: tuple[int, ...]) -> tuple[Cells, ...]:
    """Of images [B, 3, H, W] at each stride."""
    height, width = padded[2:]
    return tuple((-(-height // stride), -(-width // stride), stride) for stride in strides)


@constexpr
def _with_channel(cells: Cells) -> tuple[int, int, int, int]:
    return -1, cells[0], cells[1], 1


def image_mask(image_sizes: Tensor, rows: int, columns: int, stride: int) -> Tensor:
    """1 where a cell of a stride belongs to the image: [B, 1, rows, columns] float32."""
    return _image_mask(image_sizes, (rows, columns, stride))


def _image_mask(image_sizes: Tensor, cells: Cells) -> Tensor:
    """Of primitives and constants, as brackets take longer to compile than all the rest."""
    heights, widths = _split(image_sizes)  # [B, 1] both
    rows = _less(_first_rows(cells), _reshape(heights, (-1, 1, 1, 1)))  # [B, 1, rows, 1]
    columns = _less(_first_columns(cells), _reshape(widths, (-1, 1, 1, 1)))  # [B, 1, 1, columns]
    return _multiply(_cast(rows, ms.float32), _cast(columns, ms.float32))


class PaddingMasks(nn.Cell):
    """Which cells of a backbone's maps are image.

    Where the others are zeroed before each convolution, a padded image has the features that it
    would have alone: the convolution's own zero padding and the batch's become the same thing.
    """

    def __init__(self, strides: tuple[int, ...]) -> None:
        super().__init__()
        self.strides, self.nothing = strides, (None,) * len(strides)
        self.to_map = CellsToMap()

    def construct(self, images: Tensor, image_sizes: Tensor | None) -> tuple[Tensor | None, ...]:
        """Masks of the maps, by stride.

        Args:
            images: [B, 3, H, W], of which only the shape counts.
            image_sizes: [B, 2] (height, width), or None to leave the maps as they are.

        Returns:
            [B, 1, h, w], or [B, h, w, 1] where maps have their channels last; or None.
        """
        if image_sizes is None:
            return self.nothing
        masks = ()
        for cells in _all_cells(_shape(images), self.strides):
            mask = _image_mask(image_sizes, cells)  # [B, 1, h, w]
            masks += (self.to_map(_reshape(mask, _with_channel(cells))),)  # [B, h, w, 1]
        return masks
