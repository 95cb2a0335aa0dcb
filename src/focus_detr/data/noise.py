"""Random draws of the denoising queries, made on the host so that a run can be repeated."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np


@dataclass(frozen=True)
class DenoisingDraws:
    """Draws for B images with D slots each."""

    uniform: np.ndarray  # [B, D] float32 in [0, 1), decides whether the label is replaced
    new_label: np.ndarray  # [B, D] int32, the label that replaces
    sign: np.ndarray  # [B, D, 4] float32, -1 or 1 per corner coordinate
    part: np.ndarray  # [B, D, 4] float32 in [0, 1), size of the shift


def draw_noise(
    rng: np.random.Generator, batch_size: int, slots: int, num_classes: int
) -> DenoisingDraws:
    """Draw the noise of one batch.

    Args:
        rng: generator; the same state gives the same draws.
        batch_size: number B of images.
        slots: number D of denoising slots per image, 0 without denoising.
        num_classes: labels are drawn below it.
    """
    shape = (batch_size, slots)
    return DenoisingDraws(
        uniform=rng.random(shape, dtype=np.float32),
        new_label=rng.integers(0, num_classes, shape, dtype=np.int32),
        sign=rng.integers(0, 2, (*shape, 4)).astype(np.float32) * 2.0 - 1.0,
        part=rng.random((*shape, 4), dtype=np.float32),
    )
