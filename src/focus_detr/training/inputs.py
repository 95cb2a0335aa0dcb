"""From a batch to the arguments of the training loss."""

from __future__ import annotations

from dataclasses import dataclass

import mindspore as ms
import numpy as np

from focus_detr.data.batch import Batch
from focus_detr.data.noise import draw_noise
from focus_detr.models.denoising import denoising_slots

_NOISE_STREAM = 2  # keeps these random numbers apart from those of order and augmentation


@dataclass(frozen=True)
class StepInputs:
    """Adds the denoising draws, a pure function of seed, worker and step, to a batch."""

    seed: int
    denoising_number: int
    num_classes: int
    rank: int = 0

    def __call__(self, batch: Batch, step: int) -> tuple[ms.Tensor, ...]:
        """The training loss's arguments.

        Returns:
            Images [B, 3, H, W], image sizes [B, 2], boxes [B, T, 4], labels [B, T], box validity
            [B, T], then the draws for D slots: uniform [B, D], label [B, D], sign [B, D, 4],
            part [B, D, 4].
        """
        size, targets = batch.labels.shape
        random = np.random.default_rng((self.seed, step, self.rank, _NOISE_STREAM))
        slots = denoising_slots(self.denoising_number, targets)
        noise = draw_noise(random, size, slots, self.num_classes)
        target_arrays = (batch.boxes, batch.labels, batch.box_valid)
        noise_arrays = (noise.uniform, noise.new_label, noise.sign, noise.part)
        arrays = (batch.images, batch.image_sizes, *target_arrays, *noise_arrays)
        return tuple(ms.Tensor(array) for array in arrays)
