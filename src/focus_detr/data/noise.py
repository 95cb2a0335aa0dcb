"""Random draws of a training step, made on the host so that a run can be repeated."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

_DRAWS_PER_SLOT = 1 + 1 + 4 + 4  # replace the label, by which, signs and sizes of the shifts


@dataclass(frozen=True)
class DenoisingDraws:
    """Draws for B images with D slots each."""

    uniform: np.ndarray  # [B, D] float32 in [0, 1), decides whether the label is replaced
    new_label: np.ndarray  # [B, D] int32, the label that replaces
    sign: np.ndarray  # [B, D, 4] float32, -1 or 1 per corner coordinate
    part: np.ndarray  # [B, D, 4] float32 in [0, 1), size of the shift


def draw_noise(
    generators: Sequence[np.random.Generator], slots: int, num_classes: int
) -> DenoisingDraws:
    """Draw the noise of one batch.

    A slot's draws depend on its image's generator and its place alone: not on the other images, nor
    on how many slots follow.

    Args:
        generators: one for each of the B images; the same state gives the same draws.
        slots: number D of denoising slots per image, 0 without denoising.
        num_classes: labels are drawn below it.
    """
    shape = (slots, _DRAWS_PER_SLOT)
    draws = np.stack([rng.random(shape, dtype=np.float32) for rng in generators])  # [B, D, 10]
    return DenoisingDraws(
        uniform=np.ascontiguousarray(draws[..., 0]),
        new_label=(draws[..., 1].astype(np.float64) * num_classes).astype(np.int32),
        sign=np.where(draws[..., 2:6] < 0.5, -1.0, 1.0).astype(np.float32),
        part=np.ascontiguousarray(draws[..., 6:]),
    )


def draw_branches(generators: Sequence[np.random.Generator], branches: int) -> np.ndarray:
    """Draws of stochastic depth: [B, branches] float32, uniform in [0, 1).

    Args:
        generators: as for ``draw_noise``.
        branches: of the backbone that may be left out.
    """
    return np.stack([rng.random(branches, dtype=np.float32) for rng in generators])
