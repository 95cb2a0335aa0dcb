"""The training loss: set losses of all heads, denoising losses and the foreground loss."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import mindspore as ms
from mindspore import Tensor, nn, ops

from focus_detr.losses.boxes import EPS, corners, generalized_iou
from focus_detr.losses.focal import SigmoidFocalLoss
from focus_detr.losses.mask_prediction import MaskPredictionLoss
from focus_detr.models.denoising.slots import SlotLayout
from focus_detr.models.detr import Outputs
from focus_detr.models.targets import Targets

EncoderLoss = Literal["none", "chosen", "every_token"]
Losses = tuple[Tensor, Tensor, Tensor]  # L1, class, generalized IoU; one value per head each


class SetLosses(nn.Cell):
    """Class, L1 and generalized IoU losses of several heads at once, unweighted."""

    def __init__(self, *, giou_epsilon: float = EPS) -> None:
        """Build the loss; the epsilon is that of ``generalized_iou``."""
        super().__init__()
        self.giou_epsilon = giou_epsilon
        self.focal = SigmoidFocalLoss()

    def _class_targets(self, logits: Tensor, index: Tensor, labels: Tensor, use: Tensor) -> Tensor:
        """One-hot targets [H, B, S, classes] of the matched queries, zero elsewhere."""
        heads, batch, queries, classes = logits.shape
        place = index * classes + labels  # [H, B, T]
        flat = ops.zeros((heads, batch, queries * classes), ms.float32)
        flat = ops.tensor_scatter_elements(flat, place, use, axis=2, reduction="add")
        return flat.reshape(logits.shape)  # [H, B, S*classes] -> [H, B, S, classes]

    def _class_loss(self, logits: Tensor, targets: Tensor, live: Tensor) -> Tensor:
        """Summed focal loss per head: [H]."""
        heads, batch, queries, classes = logits.shape
        loss = self.focal(logits, targets).reshape(-1, classes)  # [H*B*S, classes]
        # as a product with ones: a sum over the last axis is 25 times slower on a CPU
        per_query = ops.matmul(loss, ops.ones((classes, 1), ms.float32))  # [H*B*S, 1]
        per_query = per_query.reshape(heads * batch, queries) * live  # [H*B, S]
        return per_query.reshape(heads, -1).sum(1)  # [H, B*S] -> [H]

    def _box_losses(
        self, boxes: Tensor, index: Tensor, target_boxes: Tensor, use: Tensor
    ) -> tuple[Tensor, Tensor]:
        """Summed L1 and generalized IoU losses per head: [H] each."""
        heads = boxes.shape[0]
        rows = ops.broadcast_to(index.expand_dims(3), (*index.shape, 4))  # [H, B, T, 4]
        chosen = ops.gather_d(boxes, 2, rows)  # [H, B, T, 4]
        distance = ops.abs(chosen - target_boxes) * use.expand_dims(3)  # [H, B, T, 4]
        sides = corners(chosen), corners(target_boxes)
        giou = generalized_iou(*sides, self.giou_epsilon)  # [H, B, T]
        missing = ((1.0 - giou) * use).reshape(heads, -1)  # [H, B*T]
        distance = distance.reshape(heads, -1)  # [H, B*T*4]
        return distance.sum(1), missing.sum(1)

    def construct(
        self,
        logits: Tensor,
        boxes: Tensor,
        index: Tensor,
        labels: Tensor,
        target_boxes: Tensor,
        use: Tensor,
        live: Tensor,
    ) -> Losses:
        """Return the three sums per head, [H] each: L1, class, generalized IoU.

        Args:
            logits: [H, B, S, classes] of S queries or slots.
            boxes: [H, B, S, 4] cx, cy, w, h.
            index: [H, B, T] int32, query of each target; below 0: unmatched.
            labels: [B, T] int32.
            target_boxes: [B, T, 4] cx, cy, w, h.
            use: [B, T] float32, 1 for targets that count.
            live: [S] float32, 1 for queries that count.
        """
        use = use * (index >= 0).astype(ms.float32)  # [H, B, T]
        index = ops.relu(index)
        targets = self._class_targets(logits, index, labels, use)
        distance, missing = self._box_losses(boxes, index, target_boxes, use)
        return distance, self._class_loss(logits, ops.stop_gradient(targets), live), missing


@dataclass(frozen=True)
class LossWeights:
    """Of the parts of the total."""

    box: float = 5.0  # L1
    giou: float = 2.0
    class_: float = 1.0  # of the decoder's layers
    encoder_class: float = 1.0
    denoising_class: float = 1.0
    foreground: float = 1.5
    mask_prediction: float = 1.0

    def of(self, class_weight: float) -> tuple[float, float, float]:
        """Of the three kinds in the order of ``Losses``."""
        return self.box, class_weight, self.giou


def _loss_names(
    layers: int, encoder: bool, encoder_layers: int, denoising: bool, selector: str | None
) -> tuple[str, ...]:
    """Names of the losses in the order of the values, as the reference logs them."""
    heads = ("", *(f"_{layer}" for layer in range(layers - 1)))
    if denoising:
        heads += tuple(f"_dn{head}" for head in heads)
    if encoder:
        heads += ("_enc",)
    heads += tuple(f"_enc_{layer}" for layer in range(encoder_layers))
    kinds = ("loss_bbox", "loss_class", "loss_giou")
    names = tuple(f"{kind}{head}" for kind in kinds for head in heads)
    return names if selector is None else (*names, selector)


def _last_first(values: Tensor, layers: int) -> tuple[Tensor, ...]:
    """Values of the last of so many decoder layers, then of the earlier ones, if there are any."""
    last = (values[layers - 1 : layers],)
    return (*last, values[: layers - 1]) if layers > 1 else last


def _as_float(values: tuple[Tensor, ...]) -> Tensor:
    """Items of all layers [B, Q, n] -> [layers, B, Q, n] float32."""
    return ops.stack(values).astype(ms.float32)


def _joined(first: Losses, second: Losses) -> Losses:
    """Losses of some heads, then of others."""
    return (
        ops.concat((first[0], second[0])),
        ops.concat((first[1], second[1])),
        ops.concat((first[2], second[2])),
    )


class Criterion(nn.Cell):
    """Total training loss and its named parts.

    Every decoder layer and the encoder's proposals are matched and compared with the targets on
    their own; denoising slots know their target. ``loss_names`` lists the parts in order.
    """

    def __init__(
        self,
        *,
        matcher: nn.Cell,
        foreground_loss: nn.Cell | None,
        decoder_layers: int = 6,
        encoder: EncoderLoss = "chosen",
        mask_prediction_loss: MaskPredictionLoss | None = None,
        encoder_labels: Literal["classes", "objects"] = "objects",
        encoder_layers: int = 0,
        denoising: bool = True,
        weights: LossWeights = LossWeights(),
        giou_epsilon: float = EPS,
        reduce_count: nn.Cell | None = None,
    ) -> None:
        """Build the criterion.

        Args:
            matcher: from ``build_matcher``.
            foreground_loss: ``ForegroundLoss``, or None to leave the selector unsupervised.
            decoder_layers: how many layers predict.
            mask_prediction_loss: of a selector that learns from the decoder's attention map.
            encoder: what of the encoder predicts: nothing; the proposals that became queries; or
                every token.
            encoder_labels: what every token has to tell: classes, or objects (class 0) from
                background.
            encoder_layers: how many layers of the encoder predict for the tokens they refine.
            denoising: whether the predictions start with denoising slots.
            weights: of the parts.
            giou_epsilon: as for ``generalized_iou``.
            reduce_count: this worker's number of boxes [] -> what its losses are divided by [],
                see ``BoxesPerWorker``; None with one worker.
        """
        super().__init__()
        self.matcher = matcher
        self.learns_boxes = foreground_loss is not None
        if foreground_loss is not None:
            self.foreground_loss = foreground_loss
        self.decoder_layers = decoder_layers
        self.chosen_predict = encoder == "chosen"
        self.every_token_predicts = encoder == "every_token"
        self.tells_objects = encoder_labels == "objects"
        self.encoder_layers = encoder_layers
        self.weights = weights.of(weights.class_)
        self.encoder_weights = weights.of(weights.encoder_class)
        self.denoising_weights = weights.of(weights.denoising_class)
        self.foreground_weight = weights.foreground
        self.learns_attention = mask_prediction_loss is not None
        if mask_prediction_loss is not None:
            self.mask_prediction_loss = mask_prediction_loss
        self.mask_prediction_weight = weights.mask_prediction
        self.reduce_count = reduce_count
        self.set_losses = SetLosses(giou_epsilon=giou_epsilon)
        selector = "loss_mask_prediction" if self.learns_attention else None
        if self.learns_boxes:
            selector = "select_loss"
        self.loss_names = _loss_names(
            decoder_layers, encoder != "none", encoder_layers, denoising, selector
        )

    def _box_count(self, box_valid: Tensor, given: Tensor | None) -> Tensor:
        count = box_valid.sum() if given is None else given
        if self.reduce_count is not None:
            return self.reduce_count(count)
        return ops.clamp(count, min=1.0) if given is None else count

    def _matched_losses(
        self, logits: Tensor, boxes: Tensor, labels: Tensor, targets: Targets
    ) -> tuple[Losses, Tensor]:
        """Sums of heads whose queries [H, B, S, n] are matched, and the matches [H, B, T]."""
        fixed = ops.stop_gradient(logits), ops.stop_gradient(boxes)
        matches = self.matcher(*fixed, labels, targets["boxes"], targets["valid"])
        matches = ops.stop_gradient(matches)
        live = ops.ones((logits.shape[2],), ms.float32)
        rest = (labels, targets["boxes"], targets["valid"], live)
        return self.set_losses(logits, boxes, matches, *rest), matches

    def _denoising_losses(
        self, logits: Tensor, boxes: Tensor, targets: Targets, layout: SlotLayout
    ) -> Losses:
        """Losses of the slots: positives against their box, the other live ones as background."""
        target, positive, groups = layout["target"], layout["positive"], layout["groups"]
        heads, batch, slots, _ = logits.shape
        index = ops.broadcast_to(ops.arange(slots).astype(ms.int32), (heads, batch, slots))
        slot_labels = ops.gather(targets["labels"], target, 1)  # [B, D]
        slot_boxes = ops.gather(targets["boxes"], target, 1)  # [B, D, 4]
        use = ops.gather(targets["valid"], target, 1) * positive  # [B, D]
        live = (layout["group"] >= 0).astype(ms.float32)  # [D]
        sums = self.set_losses(logits, boxes, index, slot_labels, slot_boxes, use, live)
        return sums[0] / groups, sums[1] / groups, sums[2] / groups

    def _in_named_order(self, matched: Losses, denoised: Losses | None, count: Tensor) -> Tensor:
        """Weight, normalise and order the losses: last layer, earlier layers, ..., encoder."""
        parts: tuple[Tensor, ...] = ()
        layers = self.decoder_layers
        for kind in range(3):
            parts += _last_first(matched[kind][:layers] * self.weights[kind], layers)
            if denoised is not None:
                parts += _last_first(denoised[kind] * self.denoising_weights[kind], layers)
            if self.chosen_predict or self.every_token_predicts or self.encoder_layers > 0:
                parts += (matched[kind][layers:] * self.encoder_weights[kind],)
        return ops.concat(parts) / count

    def _matched(
        self, logits: Tensor, boxes: Tensor, outputs: Outputs, targets: Targets
    ) -> tuple[Losses, Tensor]:
        """Losses and matches of the decoder's layers [layers, B, Q, n] and of the encoder."""
        labels, queries = targets["labels"], outputs["queries"]
        if self.chosen_predict:
            logits = ops.concat((logits, _as_float((queries["logits"],))))
            boxes = ops.concat((boxes, _as_float((queries["boxes"],))))
        losses, matches = self._matched_losses(logits, boxes, labels, targets)
        if self.every_token_predicts:
            told = ops.zeros_like(labels) if self.tells_objects else labels
            every = _as_float((queries["logits"],)), _as_float((queries["boxes"],))  # [1, B, N, n]
            encoder, found = self._matched_losses(*every, told, targets)
            losses, matches = _joined(losses, encoder), ops.concat((matches, found))
        if self.encoder_layers > 0:
            encoded = outputs["encoded"]
            refined = encoded["logits"].astype(ms.float32), encoded["boxes"].astype(ms.float32)
            encoder, found = self._matched_losses(*refined, labels, targets)
            losses, matches = _joined(losses, encoder), ops.concat((matches, found))
        return losses, matches

    def _selector_loss(self, outputs: Outputs, targets: Targets, height: int, width: int) -> Tensor:
        """Weighted loss of the selector's scores: [1]."""
        selection = outputs["selection"]
        scores = selection["scores"].astype(ms.float32)  # [B, N]
        if self.learns_attention:
            attention = outputs["decoded"]["attention_map"]  # [B, N]
            valid, kept = outputs["grid"]["valid"], selection["written"][:, 0]
            loss = self.mask_prediction_loss(scores, attention, valid, kept)
            return (self.mask_prediction_weight * loss).reshape(1)  # [] -> [1]
        of_images = (targets["boxes"], targets["valid"], targets["image_sizes"])
        loss = self.foreground_loss(scores, *of_images, height, width)
        return (self.foreground_weight * loss).reshape(1)  # [] -> [1]

    def construct(
        self,
        outputs: Outputs,
        targets: Targets,
        height: int,
        width: int,
        layout: SlotLayout | None = None,
        box_count: Tensor | None = None,
    ) -> tuple[Tensor, Tensor, Tensor]:
        """Compare predictions with targets.

        Args:
            outputs: of the network.
            targets: of the batch.
            height: of the padded images, pixels.
            width: of the padded images, pixels.
            layout: of the denoising slots; None exactly if built without.
            box_count: [], what divides the set losses; None: the boxes of the batch, at least 1.

        Returns:
            Total loss [], weighted parts [len(loss_names)], matches [heads, B, T] int32.
        """
        decoded, queries = outputs["decoded"], outputs["queries"]
        logits, boxes = _as_float(decoded["logits"]), _as_float(decoded["boxes"])
        slots = logits.shape[2] - queries["real"].shape[1]
        matched, matches = self._matched(
            logits[:, :, slots:], boxes[:, :, slots:], outputs, targets
        )
        denoised = None
        if layout is not None:
            denoised = self._denoising_losses(
                logits[:, :, :slots], boxes[:, :, :slots], targets, layout
            )
        count = self._box_count(targets["valid"], box_count)
        parts = self._in_named_order(matched, denoised, count)
        if self.learns_boxes or self.learns_attention:
            parts = ops.concat((parts, self._selector_loss(outputs, targets, height, width)))
        return parts.sum(), parts, matches
