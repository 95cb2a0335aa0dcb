"""Hugging Face transformers' Swin Transformer with random weights, on torch."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import torch
from backbone_work import PeerBackbone
from peer_torch import STAGES
from peer_work import Size
from torch.utils.flop_counter import FlopCounterMode
from transformers import SwinBackbone, SwinConfig

from focus_detr.config.swin_sizes import SWINS, swin_depths, swin_drop_path, swin_width
from focus_detr.data.random_batch import random_image


def build_swin(work: PeerBackbone) -> SwinBackbone:
    """The sizes of our settings; nothing is downloaded."""
    backbone = work.config.model.backbone
    config = SwinConfig(
        image_size=(work.height, work.width),
        embed_dim=swin_width(backbone),
        depths=list(swin_depths(backbone)),
        num_heads=[SWINS[backbone.name].heads * 2**stage for stage in range(4)],
        window_size=backbone.window,
        drop_path_rate=swin_drop_path(backbone),
        layer_norm_eps=1e-5,
        out_features=list(STAGES),
    )
    return SwinBackbone(config)


class SwinForward:
    """The peer and the random image that ours sees."""

    def __init__(self, work: PeerBackbone) -> None:
        self.peer = build_swin(work).eval()
        self.image = torch.from_numpy(random_image(work.height, work.width))
        self.name = work.forward

    @torch.inference_mode()
    def whole(self) -> object:
        """The forward pass."""
        return self.peer(self.image).feature_maps

    def calls(self) -> dict[str, Callable[[], object]]:
        """The one call there is."""
        return {self.name: self.whole}


class SwinTraining:
    """A training step of the peer, with the loss and the update that ours has."""

    def __init__(self, work: PeerBackbone) -> None:
        train = work.config.train
        images = np.concatenate([random_image(work.height, work.width)] * train.batch_size)
        self.peer = build_swin(work).train()
        self.weights = list(self.peer.parameters())
        self.update = torch.optim.AdamW(
            self.weights, lr=train.optimizer.lr, weight_decay=train.optimizer.weight_decay
        )
        self.clip_norm = train.optimizer.clip_norm
        self.images = torch.from_numpy(images)
        self.name = str(work.training)

    def whole(self) -> object:
        """Forward pass, loss, gradients, clipping and update."""
        loss = sum(features.square().mean() for features in self.peer(self.images).feature_maps)
        self.update.zero_grad()
        loss.backward()
        if self.clip_norm > 0:
            torch.nn.utils.clip_grad_norm_(self.weights, self.clip_norm)
        self.update.step()
        return loss.item()

    def calls(self) -> dict[str, Callable[[], object]]:
        """The one call there is."""
        return {self.name: self.whole}


def count(work: PeerBackbone) -> Size:
    """Weights, and multiply-adds of the products and convolutions that torch knows."""
    forward = SwinForward(work)
    with FlopCounterMode(display=False) as counter:
        forward.whole()
    return Size(
        parameters=sum(weight.numel() for weight in forward.peer.parameters()),
        multiply_adds=counter.get_total_flops() // 2,  # torch counts both halves
    )
