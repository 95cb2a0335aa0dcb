"""Keeping padding out of convolutions."""

from __future__ import annotations

from mindspore import Tensor, nn

from focus_detr.models.geometry import cell_validity
from focus_detr.models.maps import CellsToMap


def image_mask(image_sizes: Tensor, rows: int, columns: int, stride: int) -> Tensor:
    """1 where a cell of a stride belongs to the image: [B, 1, rows, columns] float32."""
    row = cell_validity(image_sizes[:, 0], rows * stride, rows, stride, "full")
    column = cell_validity(image_sizes[:, 1], columns * stride, columns, stride, "full")
    return row[:, None, :, None] * column[:, None, None, :]


class PaddingMasks(nn.Cell):
    """Which cells of a backbone's maps are image.

    Where the others are zeroed before each convolution, a padded image has the features that it
    would have alone: the convolution's own zero padding and the batch's become the same thing.
    """

    def __init__(self, strides: tuple[int, ...]) -> None:
        super().__init__()
        self.strides = strides
        self.to_map = CellsToMap()

    def construct(self, images: Tensor, image_sizes: Tensor | None) -> tuple[Tensor | None, ...]:
        """Masks of the maps, by stride.

        Args:
            images: [B, 3, H, W], of which only the shape counts.
            image_sizes: [B, 2] (height, width), or None to leave the maps as they are.

        Returns:
            [B, 1, h, w], or [B, h, w, 1] where maps have their channels last; or None.
        """
        masks: tuple[Tensor | None, ...] = ()
        height, width = images.shape[2:]
        for stride in self.strides:
            if image_sizes is None:
                masks += (None,)
            else:
                rows, columns = -(-height // stride), -(-width // stride)
                mask = image_mask(image_sizes, rows, columns, stride)  # [B, 1, h, w]
                masks += (self.to_map(mask.reshape(-1, rows, columns, 1)),)  # [B, h, w, 1]
        return masks
