"""The training loss: set losses of all heads, denoising losses and the foreground loss."""

from __future__ import annotations

import mindspore as ms
from mindspore import Tensor, nn, ops

from focus_detr.losses.boxes import corners, generalized_iou
from focus_detr.losses.focal import SigmoidFocalLoss
from focus_detr.models.denoising import SlotLayout

Losses = tuple[Tensor, Tensor, Tensor]  # L1, class, generalized IoU; one value per head each


class SetLosses(nn.Cell):
    """Class, L1 and generalized IoU losses of several heads at once, unweighted."""

    def __init__(self) -> None:
        """Build the loss."""
        super().__init__()
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
        giou = generalized_iou(corners(chosen), corners(target_boxes))  # [H, B, T]
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


def _loss_names(layers: int, denoising: bool, foreground: bool) -> tuple[str, ...]:
    """Names of the losses in the order of the values, as the reference logs them."""
    heads = ("", *(f"_{layer}" for layer in range(layers - 1)))
    if denoising:
        heads += tuple(f"_dn{head}" for head in heads)
    kinds = ("loss_bbox", "loss_class", "loss_giou")
    names = tuple(f"{kind}{head}" for kind in kinds for head in (*heads, "_enc"))
    return (*names, "select_loss") if foreground else names


def _last_first(values: Tensor, layers: int) -> tuple[Tensor, ...]:
    """Values of the last of so many decoder layers, then of the earlier ones, if there are any."""
    last = (values[layers - 1 : layers],)
    return (*last, values[: layers - 1]) if layers > 1 else last


def _with_encoder(layers: Tensor, encoder: Tensor) -> Tensor:
    """[layers, B, Q, n] float32 and [B, Q, n] -> [layers + 1, B, Q, n]."""
    return ops.concat((layers, encoder.astype(ms.float32).expand_dims(0)))


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
        denoising: bool = True,
        class_weight: float = 1.0,
        box_weight: float = 5.0,
        giou_weight: float = 2.0,
        foreground_weight: float = 1.5,
        reduce_count: nn.Cell | None = None,
    ) -> None:
        """Build the criterion.

        Args:
            matcher: from ``build_matcher``.
            foreground_loss: ``ForegroundLoss``, or None to leave the selector unsupervised.
            decoder_layers: how many layers predict.
            denoising: whether the predictions start with denoising slots.
            class_weight: weight of the class losses.
            box_weight: weight of the L1 losses.
            giou_weight: weight of the generalized IoU losses.
            foreground_weight: weight of the foreground loss.
            reduce_count: this worker's number of boxes [] -> what its losses are divided by [],
                see ``BoxesPerWorker``; None with one worker.
        """
        super().__init__()
        self.matcher = matcher
        self.foreground_loss = foreground_loss
        self.weights = (box_weight, class_weight, giou_weight)
        self.foreground_weight = foreground_weight
        self.reduce_count = reduce_count
        self.set_losses = SetLosses()
        self.loss_names = _loss_names(decoder_layers, denoising, foreground_loss is not None)

    def _box_count(self, box_valid: Tensor, given: Tensor | None) -> Tensor:
        count = box_valid.sum() if given is None else given
        if self.reduce_count is not None:
            return self.reduce_count(count)
        return ops.clamp(count, min=1.0) if given is None else count

    def _denoising_losses(
        self,
        logits: Tensor,
        boxes: Tensor,
        labels: Tensor,
        target_boxes: Tensor,
        box_valid: Tensor,
        layout: SlotLayout,
    ) -> Losses:
        """Losses of the slots: positives against their box, the other live ones as background."""
        group, target, positive, groups = layout
        heads, batch, slots, _ = logits.shape
        index = ops.broadcast_to(ops.arange(slots).astype(ms.int32), (heads, batch, slots))
        slot_labels = ops.gather(labels, target, 1)  # [B, D]
        slot_boxes = ops.gather(target_boxes, target, 1)  # [B, D, 4]
        use = ops.gather(box_valid, target, 1) * positive  # [B, D]
        live = (group >= 0).astype(ms.float32)  # [D]
        sums = self.set_losses(logits, boxes, index, slot_labels, slot_boxes, use, live)
        return sums[0] / groups, sums[1] / groups, sums[2] / groups

    def _in_named_order(self, matched: Losses, denoised: Losses | None, count: Tensor) -> Tensor:
        """Weight, normalise and order the losses: last layer, earlier layers, ..., encoder."""
        parts: tuple[Tensor, ...] = ()
        for kind in range(3):
            heads = matched[kind] * self.weights[kind]  # [layers + 1]
            layers = heads.shape[0] - 1
            parts += _last_first(heads, layers)
            if denoised is not None:
                parts += _last_first(denoised[kind] * self.weights[kind], layers)
            parts += (heads[layers:],)
        return ops.concat(parts) / count

    def construct(
        self,
        logits: Tensor,
        boxes: Tensor,
        enc_logits: Tensor,
        enc_boxes: Tensor,
        foreground_scores: Tensor,
        labels: Tensor,
        target_boxes: Tensor,
        box_valid: Tensor,
        image_sizes: Tensor,
        height: int,
        width: int,
        layout: SlotLayout | None = None,
        box_count: Tensor | None = None,
    ) -> tuple[Tensor, Tensor, Tensor]:
        """Compare predictions with targets.

        Args:
            logits: [layers, B, D + Q, classes] of the decoder layers, denoising slots first.
            boxes: [layers, B, D + Q, 4] cx, cy, w, h over the image, in [0, 1].
            enc_logits: [B, Q, classes] of the encoder's proposals.
            enc_boxes: [B, Q, 4].
            foreground_scores: [B, N] logits.
            labels: [B, T] int32.
            target_boxes: [B, T, 4] cx, cy, w, h over each image's own size.
            box_valid: [B, T] float32, 1 for real boxes, which come first.
            image_sizes: [B, 2] (height, width) of each image inside the padding.
            height: of the padded images, pixels.
            width: of the padded images, pixels.
            layout: of the denoising slots (``slot_layout``); None exactly if built without.
            box_count: [], what divides the set losses; None: the boxes of the batch, at least 1.

        Returns:
            Total loss [], weighted parts [len(loss_names)], matches [layers + 1, B, T] int32.
        """
        slots = logits.shape[2] - enc_logits.shape[1]
        logits, boxes = logits.astype(ms.float32), boxes.astype(ms.float32)
        all_logits = _with_encoder(logits[:, :, slots:], enc_logits)
        all_boxes = _with_encoder(boxes[:, :, slots:], enc_boxes)
        fixed = ops.stop_gradient(all_logits), ops.stop_gradient(all_boxes)
        matches = ops.stop_gradient(self.matcher(*fixed, labels, target_boxes, box_valid))
        live = ops.ones((enc_logits.shape[1],), ms.float32)
        matched = self.set_losses(
            all_logits, all_boxes, matches, labels, target_boxes, box_valid, live
        )
        denoised = None
        if layout is not None:
            denoised = self._denoising_losses(
                logits[:, :, :slots], boxes[:, :, :slots], labels, target_boxes, box_valid, layout
            )
        parts = self._in_named_order(matched, denoised, self._box_count(box_valid, box_count))
        if self.foreground_loss is not None:
            scores = foreground_scores.astype(ms.float32)
            targets = (target_boxes, box_valid, image_sizes)
            foreground = self.foreground_weight * self.foreground_loss(
                scores, *targets, height, width
            )
            parts = ops.concat((parts, foreground.reshape(1)))  # [] -> [1]
        return parts.sum(), parts, matches
