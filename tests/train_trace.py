"""A training step that returns what golden files tell about it."""

from __future__ import annotations

from mindspore import Tensor, nn, ops

from focus_detr.losses.training_loss import TrainingLoss, as_draws, as_targets
from focus_detr.models.denoising.slots import attention_mask
from focus_detr.models.detr import Outputs
from focus_detr.models.targets import Targets


class TrainTrace(nn.Cell):
    """The loss first, then its parts, matches, blocked pairs of queries, and predictions.

    Subclasses return ``more``. Without denoising nothing is blocked: the matches stand there again.
    """

    def __init__(self, loss: TrainingLoss) -> None:
        """Take what is differentiated."""
        super().__init__(auto_prefix=False)
        self.loss = loss

    def construct(self, images: Tensor, sizes: Tensor, *batch: Tensor) -> tuple:
        """What follows the images in a batch: boxes, labels, valid, the draws."""
        targets = as_targets(sizes, batch[0], batch[1], batch[2])
        draws = None
        if self.loss.has_denoising:
            draws = as_draws(batch[3], batch[4], batch[5], batch[6])
        depth = batch[7] if self.loss.branches > 0 else None
        outputs, layout = self.loss.predictions(images, targets, draws, depth)
        height, width = images.shape[2:]
        total, parts, matches = self.loss.criterion(outputs, targets, height, width, layout)
        decoded, blocked = outputs["decoded"], matches
        if layout is not None:
            blocked = attention_mask(layout["group"], outputs["queries"]["real"].shape[1])
        predictions = (ops.stack(decoded["logits"]), ops.stack(decoded["boxes"]))
        more = self.more(outputs, targets, height, width)
        return (total, parts, matches, blocked, predictions, *more)

    def more(self, outputs: Outputs, targets: Targets, height: int, width: int) -> tuple:
        """Nothing."""
        return ()
