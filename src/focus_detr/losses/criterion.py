"""The training loss: set losses of all heads, denoising losses and the selector's loss."""

from __future__ import annotations

from typing import Literal

import mindspore as ms
from mindspore import Tensor, nn, ops

from focus_detr.losses.denoising_losses import DenoisingLosses
from focus_detr.losses.gathering_losses import GatheringLosses
from focus_detr.losses.loss_parts import (
    USUAL_WEIGHTS,
    LossWeights,
    encoder_heads,
    in_named_order,
    layer_heads,
    part_names,
)
from focus_detr.losses.mask_prediction import MaskPredictionLoss
from focus_detr.losses.matched_losses import MatchedLosses
from focus_detr.losses.pairs import widened
from focus_detr.losses.set_losses import Losses
from focus_detr.models.denoising.slots import SlotLayout
from focus_detr.models.detr import Outputs
from focus_detr.models.targets import Targets
from focus_detr.ops.slicing import part

EncoderLoss = Literal["none", "chosen", "every_token"]


def _as_float(values: tuple[Tensor, ...]) -> Tensor:
    """Items of all layers [B, Q, n] -> [layers, B, Q, n] float32."""
    return ops.stack(values).astype(ms.float32)


def _part(losses: Losses, start: int, stop: int) -> Losses:
    """Losses of some of the heads."""
    return (
        part(losses[0], 0, start, stop),
        part(losses[1], 0, start, stop),
        part(losses[2], 0, start, stop),
    )


class Criterion(nn.Cell):
    """Total training loss and its named parts.

    Every decoder layer and the encoder's proposals are matched and compared with the targets on
    their own; denoising slots know their target. ``loss_names`` lists the parts in order.
    """

    def __init__(
        self,
        *,
        decoder_losses: MatchedLosses,
        encoder_losses: MatchedLosses | None = None,
        denoising_losses: DenoisingLosses | None = None,
        gathering_losses: GatheringLosses | None = None,
        foreground_loss: nn.Cell | None,
        mask_prediction_loss: MaskPredictionLoss | None = None,
        decoder_layers: int = 6,
        encoder: EncoderLoss = "chosen",
        encoder_labels: Literal["classes", "objects"] = "classes",
        encoder_layers: int = 0,
        weights: LossWeights = USUAL_WEIGHTS,
        reduce_count: nn.Cell | None = None,
    ) -> None:
        """Build the criterion.

        Args:
            decoder_losses: of the decoder's queries.
            encoder_losses: of the encoder's predictions; None: as the decoder's.
            denoising_losses: None if the predictions do not start with denoising slots.
            gathering_losses: of the gathering decoder, or None without one.
            foreground_loss: ``ForegroundLoss``, or None to leave the selector unsupervised.
            mask_prediction_loss: of a selector that learns from the decoder's attention map.
            decoder_layers: how many layers predict.
            encoder: what of the encoder predicts: nothing; the proposals that became queries; or
                every token.
            encoder_labels: what the encoder's predictions have to tell: classes, or objects (class
                0) from background.
            encoder_layers: how many layers of the encoder predict for the tokens they refine.
            weights: of the parts.
            reduce_count: this worker's number of boxes [] -> what its losses are divided by [],
                see ``BoxesPerWorker``; None with one worker.
        """
        super().__init__()
        self.decoder_losses = decoder_losses
        self.tells_objects = encoder != "none" and encoder_labels == "objects"
        apart = encoder_losses is not None or encoder == "every_token" or self.tells_objects
        self.encoder_losses = decoder_losses if encoder_losses is None else encoder_losses
        if denoising_losses is not None:
            self.denoising_losses = denoising_losses
        self.gathers = gathering_losses is not None
        self.gathers_slots = False
        if gathering_losses is not None:
            self.gathering_losses = gathering_losses
            self.gathers_slots = gathering_losses.has_slots
        self._take_selector_loss(foreground_loss, mask_prediction_loss)
        self.decoder_layers = decoder_layers
        self.proposals_apart = encoder != "none" and apart  # not matched with the decoder's layers
        self.proposals_join = encoder != "none" and not apart
        self.encoder_layers = encoder_layers
        self.foreground_weight = weights.foreground
        self.mask_prediction_weight = weights.mask_prediction
        self.reduce_count = reduce_count
        self._list_parts(weights, denoising_losses is not None)

    def _take_selector_loss(
        self, foreground_loss: nn.Cell | None, mask_prediction_loss: MaskPredictionLoss | None
    ) -> None:
        self.learns_boxes = foreground_loss is not None
        if foreground_loss is not None:
            self.foreground_loss = foreground_loss
        self.learns_attention = mask_prediction_loss is not None
        if mask_prediction_loss is not None:
            self.mask_prediction_loss = mask_prediction_loss

    def _list_parts(self, weights: LossWeights, has_slots: bool) -> None:
        """Set the names of the parts and the weights of the streams, in order."""
        layers, decoder = self.decoder_layers, weights.of(weights.class_)
        denoising = weights.of(weights.denoising_class)
        heads, stream_weights = layer_heads(layers), [decoder]
        if has_slots:
            heads += layer_heads(layers, "_dn")
            stream_weights.append(denoising)
        if self.gathers:
            first = 0 if self.gathering_losses.first_layer else 1
            heads += layer_heads(layers, "_many", first)
            stream_weights.append(weights.of(weights.class_, self.gathering_losses.share))
        if self.gathers_slots:
            heads += layer_heads(layers, "_dn_many")
            stream_weights.append(denoising)
        proposals = self.proposals_apart or self.proposals_join
        of_encoder = encoder_heads(proposals, self.encoder_layers)
        if of_encoder:
            stream_weights.append(weights.of(weights.encoder_class))
        selector = ("loss_mask_prediction",) if self.learns_attention else ()
        if self.learns_boxes:
            selector = ("select_loss",)
        self.stream_weights = tuple(stream_weights)
        self.loss_names = (*part_names((*heads, *of_encoder)), *selector)

    def _box_count(self, box_valid: Tensor, given: Tensor | None) -> Tensor:
        count = box_valid.sum() if given is None else given
        if self.reduce_count is not None:
            return self.reduce_count(count)
        return ops.clamp(count, min=1.0) if given is None else count

    def _proposals(self, outputs: Outputs) -> tuple[Tensor, Tensor]:
        """What the encoder predicts at the proposals or at every token: [1, B, N, n] each."""
        queries = outputs["queries"]
        return _as_float((queries["logits"],)), _as_float((queries["boxes"],))

    def _decoder(
        self, logits: Tensor, boxes: Tensor, outputs: Outputs, targets: Targets
    ) -> tuple[Losses, Tensor]:
        """Losses and matches of the layers [layers, B, Q, n], and of proposals that join them."""
        if self.proposals_join:
            proposals = self._proposals(outputs)
            logits = ops.concat((logits, proposals[0]))
            boxes = ops.concat((boxes, proposals[1]))
        return self.decoder_losses(logits, boxes, targets["labels"], targets)

    def _encoder(self, outputs: Outputs, targets: Targets) -> tuple[tuple[Losses, Tensor], ...]:
        """Losses and matches of those of the encoder's heads that do not join the decoder's."""
        labels, found = targets["labels"], ()
        if self.proposals_apart:
            told = ops.zeros_like(labels) if self.tells_objects else labels
            found += (self.encoder_losses(*self._proposals(outputs), told, targets),)
        if self.encoder_layers > 0:
            encoded = outputs["encoded"]
            refined = encoded["logits"].astype(ms.float32), encoded["boxes"].astype(ms.float32)
            found += (self.encoder_losses(*refined, labels, targets),)
        return found

    def _gathered(
        self, outputs: Outputs, boxes: Tensor, targets: Targets, layout: SlotLayout | None
    ) -> tuple[Losses, ...]:
        """Losses of the gathering decoder, whose queries are matched by boxes [layers, B, Q, 4]."""
        gathered = outputs["decoded"]["gathered"]
        logits, own = _as_float(gathered["logits"]), _as_float(gathered["boxes"])
        slots = logits.shape[2] - boxes.shape[2]
        end = logits.shape[2]
        of_queries = part(logits, 2, slots, end), part(own, 2, slots, end)
        streams = (self.gathering_losses.matched(*of_queries, boxes, targets)[0],)
        if self.gathers_slots and layout is not None:
            of_slots = part(logits, 2, 0, slots), part(own, 2, 0, slots)
            streams += (self.gathering_losses.denoised(*of_slots, targets, layout),)
        return streams

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
            Total loss [], weighted parts [len(loss_names)], and the matches [heads, B, T*k] int32
            of the decoder's layers and the encoder's heads, k queries of a target one after the
            other.
        """
        decoded, queries, layers = outputs["decoded"], outputs["queries"], self.decoder_layers
        logits, boxes = _as_float(decoded["logits"]), _as_float(decoded["boxes"])
        end = logits.shape[2]
        slots = end - queries["real"].shape[1]
        own_logits, own_boxes = part(logits, 2, slots, end), part(boxes, 2, slots, end)
        # one by one, as the gradient of an unpacked tuple fails in some networks (2.10)
        matched, matches = self._decoder(own_logits, own_boxes, outputs, targets)
        streams = (_part(matched, 0, layers),)
        if layout is not None:
            of_slots = part(logits, 2, 0, slots), part(boxes, 2, 0, slots)
            streams += (self.denoising_losses(*of_slots, targets, layout),)
        if self.gathers:
            streams += self._gathered(outputs, own_boxes, targets, layout)
        encoder = (_part(matched, layers, layers + 1),) if self.proposals_join else ()
        for losses, found in self._encoder(outputs, targets):
            encoder += (losses,)
            matches = ops.concat(widened(matches, found, targets["labels"].shape[1]))
        count = self._box_count(targets["valid"], box_count)
        parts = in_named_order(streams, encoder, self.stream_weights, count)
        if self.learns_boxes or self.learns_attention:
            parts = ops.concat((parts, self._selector_loss(outputs, targets, height, width)))
        return parts.sum(), parts, matches
