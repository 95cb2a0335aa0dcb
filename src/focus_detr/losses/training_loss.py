"""What a training step differentiates: network, denoising queries and criterion in one cell."""

from __future__ import annotations

from mindspore import Tensor, nn

from focus_detr.losses.criterion import Criterion
from focus_detr.models.box_math import box_sigmoid
from focus_detr.models.denoising import DenoisingQueries, attention_mask, embed
from focus_detr.models.focus_detr import FocusDETR


class TrainingLoss(nn.Cell):
    """Total loss of a batch; ``loss_names`` lists its parts."""

    def __init__(
        self, model: FocusDETR, criterion: Criterion, denoising: DenoisingQueries | None
    ) -> None:
        super().__init__(auto_prefix=False)
        self.model = model
        self.criterion = criterion
        self.has_denoising = denoising is not None
        if denoising is not None:
            self.denoising = denoising
        self.loss_names = criterion.loss_names
        self.branches = getattr(model.backbone, "branches", 0)  # of stochastic depth

    def predictions(self, images: Tensor, image_sizes: Tensor, *targets: Tensor) -> tuple:
        """The network's outputs and the layout of the denoising slots, None without denoising.

        Args:
            images: [B, 3, H, W] float32, normalised and padded.
            image_sizes: [B, 2] int32.
            *targets: boxes and what else ``DenoisingQueries`` takes, then the backbone's branch
                draws if it has any.
        """
        draws = targets[-1] if self.branches > 0 else None
        if not self.has_denoising:
            return self.model(images, image_sizes, None, None, None, draws), None
        queries_of = targets[:-1] if self.branches > 0 else targets
        slot_labels, slot_boxes, slot_valid, layout = self.denoising(*queries_of)
        content = embed(slot_labels, slot_valid, self.model.label_embed)
        queries = self.model.query_count(images.shape[2], images.shape[3])
        blocked = attention_mask(layout[0], queries)
        boxes = box_sigmoid(slot_boxes)
        return self.model(images, image_sizes, content, boxes, blocked, draws), layout

    def construct(self, *batch: Tensor) -> tuple[Tensor, Tensor]:
        """Loss of one batch, divided by its own box count; otherwise as ``losses``."""
        return self.losses(None, *batch)

    def losses(
        self,
        box_count: Tensor | None,
        images: Tensor,
        image_sizes: Tensor,
        boxes: Tensor,
        labels: Tensor,
        box_valid: Tensor,
        *draws: Tensor,
    ) -> tuple[Tensor, Tensor]:
        """Loss of one batch.

        Args:
            box_count: what the losses are divided by, []; None: the batch's own.
            images: [B, 3, H, W] float32, normalised and padded.
            image_sizes: [B, 2] int32.
            boxes: [B, T, 4] float32 cx cy w h over each image's own size.
            labels: [B, T] int32.
            box_valid: [B, T] float32.
            *draws: of ``data.noise``: uniform [B, D] float32, new label [B, D] int32, sign and
                part [B, D, 4] float32; uniform [B, branches] for a backbone with stochastic depth.

        Returns:
            The total (scalar) and its weighted parts [len(loss_names)].
        """
        outputs, layout = self.predictions(images, image_sizes, boxes, labels, box_valid, *draws)
        size = images.shape[2:]
        total, parts, _ = self.criterion(
            *outputs[:5], labels, boxes, box_valid, image_sizes, *size, layout, box_count
        )
        return total, parts
