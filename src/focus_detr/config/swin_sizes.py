"""What the names of Swin Transformers stand for (Liu et al. 2021, section 3.3)."""

from __future__ import annotations

from collections.abc import Mapping
from typing import NamedTuple

from focus_detr.config.schema import BackboneConfig, BackboneName


class SwinSize(NamedTuple):
    """A published size; each stage has twice the channels and heads of the one before."""

    width: int  # channels of the first stage
    heads: int  # likewise
    depths: tuple[int, int, int, int]  # blocks of the stages
    drop_path: float  # largest rate of stochastic depth; detectron2's 0.2 where none is published


SWINS: Mapping[BackboneName, SwinSize] = {
    "swin_tiny": SwinSize(96, 3, (2, 2, 6, 2), 0.1),
    "swin_small": SwinSize(96, 3, (2, 2, 18, 2), 0.2),
    "swin_base": SwinSize(128, 4, (2, 2, 18, 2), 0.2),
    "swin_large": SwinSize(192, 6, (2, 2, 18, 2), 0.2),
}


def swin_width(config: BackboneConfig) -> int:
    """Channels of the first stage."""
    return int(SWINS[config.name].width * config.width_factor)


def swin_depths(config: BackboneConfig) -> tuple[int, ...]:
    """Blocks of the stages."""
    return config.depths or SWINS[config.name].depths


def swin_drop_path(config: BackboneConfig) -> float:
    """Largest rate of stochastic depth."""
    return SWINS[config.name].drop_path if config.drop_path is None else config.drop_path
