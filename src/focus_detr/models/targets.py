"""What a training batch holds beside its images."""

from __future__ import annotations

from typing import TypedDict

from mindspore import Tensor


class Targets(TypedDict):
    """Padded targets of B images."""

    boxes: Tensor  # [B, T, 4] float32 cx cy w h over each image's own size
    labels: Tensor  # [B, T] int32
    valid: Tensor  # [B, T] float32, 1 for real boxes, which come first
    image_sizes: Tensor  # [B, 2] int32, (height, width) of each image inside the padding


class Draws(TypedDict):
    """Random numbers of the denoising queries, from ``data.noise``."""

    uniform: Tensor  # [B, D] float32 in [0, 1), decides about the label
    new_label: Tensor  # [B, D] int32, the label that replaces
    sign: Tensor  # [B, D, 4] float32, -1 or 1
    part: Tensor  # [B, D, 4] float32 in [0, 1), size of the shift
