"""Hugging Face transformers' Deformable DETR with random weights, on torch."""

from __future__ import annotations

from collections.abc import Callable

import torch
from peer_work import PeerWork, Size
from torch import Tensor
from torch.utils.flop_counter import FlopCounterMode
from transformers import DeformableDetrConfig, DeformableDetrForObjectDetection, ResNetConfig

from focus_detr.data.batch import Batch
from focus_detr.data.random_batch import random_batch, random_image

Peer = DeformableDetrForObjectDetection
STAGES = ("stage2", "stage3", "stage4")  # strides 8, 16 and 32


def build_peer(work: PeerWork) -> Peer:
    """Two stages and box refinement, as the nearest to ours; nothing is downloaded."""
    config = DeformableDetrConfig(
        use_timm_backbone=False,
        use_pretrained_backbone=False,
        backbone=None,
        backbone_config=ResNetConfig(out_features=list(STAGES)),
        two_stage=True,
        with_box_refine=True,
        auxiliary_loss=True,
        dropout=0.0,
        **work.settings,
    )
    return Peer(config)


def freeze(peer: Peer, freeze_at: int) -> None:
    """Train the backbone from the stage on from which ours is trained.

    By itself the peer trains none: it looks for layers by names that this backbone does not have.
    """
    backbone = peer.model.backbone.conv_encoder.model
    for number, stage in enumerate((backbone.embedder, *backbone.encoder.stages)):
        stage.requires_grad_(number >= freeze_at)


def labels(batch: Batch) -> list[dict[str, Tensor]]:
    """Classes [n] and boxes [n, 4] of the real boxes of each image."""
    return [
        {
            "class_labels": torch.from_numpy(classes[valid > 0]).long(),
            "boxes": torch.from_numpy(boxes[valid > 0]),
        }
        for classes, boxes, valid in zip(batch.labels, batch.boxes, batch.box_valid, strict=True)
    ]


class PeerForward:
    """The peer and the random image that ours sees."""

    def __init__(self, work: PeerWork) -> None:
        self.peer = build_peer(work).eval()
        self.image = torch.from_numpy(random_image(work.height, work.width))
        self.mask = torch.ones(1, work.height, work.width)
        self.name = work.forward

    @torch.inference_mode()
    def whole(self) -> object:
        """The forward pass."""
        return self.peer(self.image, self.mask)

    def calls(self) -> dict[str, Callable[[], object]]:
        """The one call there is."""
        return {self.name: self.whole}


class PeerTraining:
    """A training step of the peer on the random batch that ours sees."""

    def __init__(self, work: PeerWork) -> None:
        optimizer = work.config.train.optimizer
        batch = random_batch(work.config, work.num_classes, work.height, work.width)
        self.peer = build_peer(work).train()
        freeze(self.peer, work.config.model.backbone.freeze_at)
        self.trained = [weight for weight in self.peer.parameters() if weight.requires_grad]
        self.update = torch.optim.AdamW(
            self.trained, lr=optimizer.lr, weight_decay=optimizer.weight_decay
        )
        self.clip_norm = optimizer.clip_norm
        self.images, self.labels = torch.from_numpy(batch.images), labels(batch)
        self.mask = torch.ones(len(batch.images), work.height, work.width)
        self.name = str(work.training)

    def whole(self) -> object:
        """Forward pass, matching, losses, gradients, clipping and update."""
        loss = self.peer(self.images, self.mask, labels=self.labels).loss
        self.update.zero_grad()
        loss.backward()
        if self.clip_norm > 0:
            torch.nn.utils.clip_grad_norm_(self.trained, self.clip_norm)
        self.update.step()
        return loss.item()

    def calls(self) -> dict[str, Callable[[], object]]:
        """The one call there is."""
        return {self.name: self.whole}


def count(work: PeerWork) -> Size:
    """Weights, and multiply-adds of the products and convolutions that torch knows."""
    forward = PeerForward(work)
    with FlopCounterMode(display=False) as counter:
        forward.whole()
    return Size(
        parameters=sum(weight.numel() for weight in forward.peer.parameters()),
        multiply_adds=counter.get_total_flops() // 2,  # torch counts both halves
    )
