"""From a batch to the arguments of the training loss."""

from __future__ import annotations

from dataclasses import dataclass

import mindspore as ms
import numpy as np

from focus_detr.config.schema import Config
from focus_detr.data.batch import Batch
from focus_detr.data.noise import draw_branches, draw_noise
from focus_detr.distributed.world import SINGLE, World
from focus_detr.models.denoising.slots import slot_count

# keep these random numbers apart from those of order and augmentation, and from each other
_NOISE_STREAM, _DEPTH_STREAM = 2, 3


@dataclass(frozen=True)
class StepInputs:
    """Adds the denoising draws, and those of stochastic depth, to a batch.

    They are a pure function of the seed, the step and the image's place among the images that all
    workers take in this step, so they do not depend on how these are dealt.
    """

    seed: int
    denoising_number: int
    num_labels: int  # rows of the label embedding
    world: World = SINGLE
    denoising_kind: str = "contrastive"
    branches: int = 0  # of the backbone that stochastic depth may leave out

    def __call__(self, batch: Batch, step: int) -> tuple[ms.Tensor, ...]:
        """The training loss's arguments.

        Returns:
            Images [B, 3, H, W], image sizes [B, 2], boxes [B, T, 4], labels [B, T], box validity
            [B, T], then the draws for D slots: uniform [B, D], label [B, D], sign [B, D, 4],
            part [B, D, 4]; with stochastic depth uniform [B, branches].
        """
        size, targets = batch.labels.shape
        places = range(self.world.rank, size * self.world.size, self.world.size)
        slots = slot_count(self.denoising_kind, self.denoising_number, targets)
        noise = draw_noise(self._generators(step, places, _NOISE_STREAM), slots, self.num_labels)
        target_arrays = (batch.boxes, batch.labels, batch.box_valid)
        noise_arrays = (noise.uniform, noise.new_label, noise.sign, noise.part)
        arrays = [batch.images, batch.image_sizes, *target_arrays, *noise_arrays]
        if self.branches > 0:
            generators = self._generators(step, places, _DEPTH_STREAM)
            arrays.append(draw_branches(generators, self.branches))
        return tuple(ms.Tensor(array) for array in arrays)

    def _generators(self, step: int, places: range, stream: int) -> list[np.random.Generator]:
        return [np.random.default_rng((self.seed, step, place, stream)) for place in places]


def step_inputs(
    config: Config, num_classes: int, world: World = SINGLE, *, branches: int = 0
) -> StepInputs:
    """What adds the draws that the settings ask for; ``branches`` as for ``StepInputs``."""
    denoising = config.denoising
    labels = num_classes + (config.model.label_rows == "one_more")
    return StepInputs(config.train.seed, denoising.number, labels, world, denoising.kind, branches)
