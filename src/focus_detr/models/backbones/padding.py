"""Keeping padding out of convolutions."""

from __future__ import annotations

from mindspore import Tensor

from focus_detr.models.geometry import cell_validity


def image_mask(image_sizes: Tensor, rows: int, columns: int, stride: int) -> Tensor:
    """1 where a cell of a stride belongs to the image: [B, 1, rows, columns] float32."""
    row = cell_validity(image_sizes[:, 0], rows * stride, rows, stride, "full")
    column = cell_validity(image_sizes[:, 1], columns * stride, columns, stride, "full")
    return row[:, None, :, None] * column[:, None, None, :]


def mask_padding(x: Tensor, image_sizes: Tensor | None, stride: int, channels_last: bool) -> Tensor:
    """Zero the padded cells of [B, C, h, w] or, with channels last, [B, h, w, C].

    With ``image_sizes`` a padded image has the features that it would have alone: the convolution's
    own zero padding and the batch's padding become the same thing. None leaves the map as it is.
    """
    if image_sizes is None:
        return x
    if channels_last:
        mask = image_mask(image_sizes, x.shape[1], x.shape[2], stride)  # [B, 1, h, w]
        return x * mask.reshape(x.shape[0], x.shape[1], x.shape[2], 1)  # [B, h, w, 1]
    mask = image_mask(image_sizes, x.shape[2], x.shape[3], stride)
    return x * (mask if x.dtype == mask.dtype else mask.astype(x.dtype))
