"""From the network's output to detections."""

from __future__ import annotations

import mindspore as ms
from mindspore import Tensor, ops

from focus_detr.graph_cache.kept_graphs import KeptGraphs
from focus_detr.models.box_math import BoxSigmoid
from focus_detr.models.detr import DETR
from focus_detr.models.tokens import UNRANKED, TopScores
from focus_detr.ops.slicing import part

NOT_A_DETECTION = -1.0


class Detector(KeptGraphs):
    """A network plus post-processing: the best (query, class) pairs of the last decoder layer.

    Args:
        model: the network.
        max_detections: R, at most.
        tells_attention: tell where the decoder looks, which the network has to map.
    """

    def __init__(
        self, model: DETR, *, max_detections: int = 300, tells_attention: bool = False
    ) -> None:
        super().__init__(auto_prefix=False)
        self.model = model
        self.max_detections = max_detections
        self.tells_attention = tells_attention
        self.top = TopScores()
        self.sigmoid = BoxSigmoid()
        self.expand = ops.ExpandDims()

    def construct(self, images: Tensor, image_sizes: Tensor) -> tuple[Tensor, ...]:
        """Detect.

        Args:
            images: [B, 3, H, W] float32, normalised and padded.
            image_sizes: [B, 2] int32.

        Returns:
            scores [B, R] (-1: not a detection); labels [B, R] int32; boxes [B, R, 4] x1 y1 x2 y2 in
            units of the image; ranked tokens [B, K] int32; refined counts [B, layers] int32. If it
            tells the attention: the decoder's map [B, N], and which tokens are image [B, N].
        """
        outputs = self.model(images, image_sizes)
        decoded, selection = outputs["decoded"], outputs["selection"]
        logits, boxes = decoded["logits"][-1], decoded["boxes"][-1]
        scores, labels, corners = self.best(logits, boxes, outputs["queries"]["real"])
        found = (scores, labels, corners, selection["ranked"], selection["written"])
        if self.tells_attention:
            return (*found, decoded["attention_map"], outputs["grid"]["valid"])
        return found

    def best(self, logits: Tensor, boxes: Tensor, is_real: Tensor) -> tuple[Tensor, ...]:
        """Rank (query, class) pairs.

        Args:
            logits: [B, Q, classes].
            boxes: [B, Q, 4] cx cy w h.
            is_real: [B, Q] slot validity.

        Returns:
            [B, R] scores, [B, R] int32 labels, [B, R, 4] x1 y1 x2 y2.
        """
        batch, queries, classes = logits.shape
        real = ops.broadcast_to(self.expand(is_real, -1) > 0.5, logits.shape)  # [B, Q, classes]
        ranked = ops.select(real, logits, ops.full_like(logits, UNRANKED))
        count = min(self.max_detections, queries * classes)
        # ranked by logits: the CPU's approximate sigmoid would turn near ties round
        best, pairs = self.top(ranked.reshape(batch, queries * classes), count)  # [B, R]
        is_detection = best > 0.5 * UNRANKED
        scores = ops.select(is_detection, self.sigmoid(best), ops.full_like(best, NOT_A_DETECTION))
        query = pairs // classes  # [B, R]
        index = ops.broadcast_to(self.expand(query, -1), (batch, count, 4)).astype(ms.int64)
        picked = ops.gather_d(boxes, 1, index)  # [B, R, 4]
        centre, half = part(picked, 2, 0, 2), part(picked, 2, 2, 4) * 0.5
        corners = ops.concat((centre - half, centre + half), axis=-1)
        return scores, pairs - query * classes, corners
