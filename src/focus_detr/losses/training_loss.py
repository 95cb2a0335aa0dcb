"""What a training step differentiates: network, denoising queries and criterion in one cell."""

from __future__ import annotations

from mindspore import Tensor, nn

from focus_detr.losses.criterion import Criterion
from focus_detr.models.denoising.queries import DenoisingQueries
from focus_detr.models.denoising.slots import SlotLayout
from focus_detr.models.detr import DETR, Outputs
from focus_detr.models.targets import Draws, Targets


class TrainingLoss(nn.Cell):
    """Total loss of a batch; ``loss_names`` lists its parts."""

    def __init__(
        self, model: DETR, criterion: Criterion, denoising: DenoisingQueries | None
    ) -> None:
        super().__init__(auto_prefix=False)
        self.model = model
        self.criterion = criterion
        self.has_denoising = denoising is not None
        if denoising is not None:
            self.denoising = denoising
        self.loss_names = criterion.loss_names
        self.branches = getattr(model.backbone, "branches", 0)  # of stochastic depth

    def predictions(
        self,
        images: Tensor,
        targets: Targets,
        draws: Draws | None,
        branch_draws: Tensor | None = None,
    ) -> tuple[Outputs, SlotLayout | None]:
        """The network's outputs and the layout of the denoising slots, None without denoising.

        Args:
            images: [B, 3, H, W] float32, normalised and padded.
            targets: of the batch.
            draws: of the denoising queries.
            branch_draws: [B, branches] of the backbone's stochastic depth, or None for none.
        """
        image_sizes = targets["image_sizes"]
        if not self.has_denoising:
            return self.model(images, image_sizes, None, branch_draws), None
        queries = self.model.query_count(images.shape[2], images.shape[3])
        denoising, layout = self.denoising(targets, draws, queries)
        return self.model(images, image_sizes, denoising, branch_draws), layout

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
        targets = as_targets(image_sizes, boxes, labels, box_valid)
        branch_draws = draws[-1] if self.branches > 0 else None
        noise = None
        if self.has_denoising:
            noise = as_draws(draws[0], draws[1], draws[2], draws[3])
        outputs, layout = self.predictions(images, targets, noise, branch_draws)
        total, parts, _ = self.criterion(
            outputs, targets, images.shape[2], images.shape[3], layout, box_count
        )
        return total, parts


def as_targets(image_sizes: Tensor, boxes: Tensor, labels: Tensor, valid: Tensor) -> Targets:
    """Tensors of a batch by name."""
    return {"boxes": boxes, "labels": labels, "valid": valid, "image_sizes": image_sizes}


def as_draws(uniform: Tensor, new_label: Tensor, sign: Tensor, part: Tensor) -> Draws:
    """Tensors of a batch's noise by name."""
    return {"uniform": uniform, "new_label": new_label, "sign": sign, "part": part}
