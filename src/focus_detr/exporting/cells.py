"""The graph that is exported: the detector with preparation and post-processing around it."""

from __future__ import annotations

from collections.abc import Sequence

import mindspore as ms
import numpy as np
from mindspore import Tensor, nn, ops

from focus_detr.models.backbones.padding import image_mask
from focus_detr.models.detector import Detector


class PixelNormalisation(nn.Cell):
    """``data.transforms.normalise`` and the padding with zeros, inside the graph."""

    def __init__(self, mean: Sequence[float], std: Sequence[float]) -> None:
        super().__init__()
        self.mean = Tensor(np.array(mean, np.float32).reshape(1, 3, 1, 1))
        scale = [np.float32(1 / channel) for channel in std]
        self.scale = Tensor(np.array(scale, np.float32).reshape(1, 3, 1, 1))

    def construct(self, pixels: Tensor, image_sizes: Tensor) -> Tensor:
        """[B, H, W, 3] uint8 and [B, 2] int32 (height, width) -> [B, 3, H, W] float32."""
        images = pixels.astype(ms.float32).transpose(0, 3, 1, 2)  # [B, 3, H, W]
        inside = image_mask(image_sizes, images.shape[2], images.shape[3], 1)
        return (images - self.mean) * self.scale * inside


def boxes_in_file(boxes: Tensor, picture_sizes: Tensor) -> Tensor:
    """Scale and clip: [B, R, 4] in 0..1 and [B, 2] (height, width) -> [B, R, 4] pixels."""
    height, width = picture_sizes[:, 0:1], picture_sizes[:, 1:2]
    extent = ops.concat((width, height, width, height), axis=1).astype(ms.float32)  # [B, 4]
    extent = extent[:, None, :]  # [B, 1, 4]
    return ops.minimum(ops.relu(boxes * extent), extent)


class ExportedDetector(nn.Cell):
    """What ``deploy.sidecar.Graph`` describes.

    Args:
        detector: in evaluation mode.
        normalisation: None if images come normalised.
        tokens: whether to give the ranked tokens and refined counts too.
    """

    def __init__(
        self, detector: Detector, normalisation: PixelNormalisation | None, *, tokens: bool = False
    ) -> None:
        super().__init__(auto_prefix=False)
        self.detector = detector
        self.tells_tokens = tokens
        self.takes_pixels = normalisation is not None
        if normalisation is not None:
            self.normalisation = normalisation

    def construct(
        self, images: Tensor, image_sizes: Tensor, picture_sizes: Tensor | None = None
    ) -> tuple[Tensor, ...]:
        """Detect.

        Args:
            images: padded pictures, [B, 3, H, W] float32 normalised or, if the cell normalises,
                [B, H, W, 3] uint8.
            image_sizes: [B, 2] int32, height and width without padding.
            picture_sizes: [B, 2] int32 of the picture files.

        Returns:
            Scores [B, R], labels [B, R] and boxes [B, R, 4], in pixels of the picture files if
            their sizes are given. With ``tokens`` also the ranked tokens [B, K] int32 and how
            many of them each layer refined, [B, layers] int32.
        """
        if self.takes_pixels:
            images = self.normalisation(images, image_sizes)
        outputs = self.detector(images, image_sizes)
        boxes = outputs[2]
        if picture_sizes is not None:
            boxes = boxes_in_file(boxes, picture_sizes)
        if self.tells_tokens:
            return outputs[0], outputs[1], boxes, outputs[3], outputs[4]
        return outputs[0], outputs[1], boxes
