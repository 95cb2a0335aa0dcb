"""Our backbone alone, its forward pass and a training step."""

from __future__ import annotations

from collections.abc import Callable

import mindspore as ms
import numpy as np
from backbone_work import OurBackbone
from mindspore import Tensor, nn, ops

from focus_detr.data.random_batch import random_image
from focus_detr.models.backbones.initial_weights import initialise_backbone
from focus_detr.models.factory import build_backbone
from focus_detr.training.train_step import TrainStep
from focus_detr.training.update import build_update


def drawn_backbone(work: OurBackbone) -> nn.Cell:
    """With the weights that a training without ImageNet's starts from."""
    backbone = build_backbone(work.config.model.backbone)
    initialise_backbone(backbone, np.random.default_rng(0))
    return backbone


class BackboneForward:
    """The backbone and a random image."""

    def __init__(self, work: OurBackbone) -> None:
        self.backbone = drawn_backbone(work).set_train(False)
        self.image = Tensor(random_image(work.height, work.width))
        self.name = work.forward

    def whole(self) -> object:
        """The forward pass."""
        return self.backbone(self.image, None)

    def calls(self) -> dict[str, Callable[[], object]]:
        """The one call there is."""
        return {self.name: self.whole}


class MeanSquares(nn.Cell):
    """A loss of a backbone alone."""

    def __init__(self, backbone: nn.Cell) -> None:
        super().__init__()
        self.backbone = backbone

    def construct(self, images: Tensor, draws: Tensor) -> tuple[Tensor, Tensor]:
        """[B, 3, H, W] and uniform [B, branches] -> total [] and the part of each map [3]."""
        total = Tensor(0.0, ms.float32)
        for features in self.backbone(images, None, draws):
            # a product: MindSpore's mean and its gradient take long, and are no part of a backbone
            row = features.reshape(1, -1)  # [1, n]
            square = ops.matmul(row, row.reshape(-1, 1)).reshape(())  # [1, n] [n, 1] -> []
            total = total + square / features.size  # "+=" would change the constant
        return total, total.reshape(1)  # [1]


class BackboneTraining:
    """A training step on random images, with stochastic depth."""

    def __init__(self, work: OurBackbone) -> None:
        train = work.config.train
        images = np.concatenate([random_image(work.height, work.width)] * train.batch_size)
        loss = MeanSquares(drawn_backbone(work)).set_train()
        branches = loss.backbone.branches
        draws = np.random.default_rng(0).random((train.batch_size, branches), np.float32)
        self.step = TrainStep(loss, build_update(loss, train)).set_train()
        self.batch = (Tensor(images), Tensor(draws))
        self.rate = Tensor(train.optimizer.lr, ms.float32)
        self.name = str(work.training)

    def whole(self) -> object:
        """Forward pass, loss, gradients, clipping and update."""
        return self.step(self.rate, *self.batch)

    def calls(self) -> dict[str, Callable[[], object]]:
        """The one call there is."""
        return {self.name: self.whole}
