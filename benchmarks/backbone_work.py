"""Our backbone and the peer's for a worker's process; MindSpore and torch are loaded there."""

from __future__ import annotations

import os
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from peer_work import UNDONE, Size, keep_freed_memory

from focus_detr.config.schema import Config
from focus_detr.config.swin_sizes import SWINS
from focus_detr.errors import FocusDetrError

if TYPE_CHECKING:
    from model_worker import Calls


@dataclass(frozen=True)
class BackboneWork:
    """A backbone's forward pass or, if ``training`` is set, a training step of it.

    The step's loss is the mean square of each map: a backbone alone has none of its own.
    """

    config: Config
    height: int
    width: int
    forward: str  # what the forward pass is called among the parts that are timed
    training: str | None = None  # likewise the step

    def as_training(self, part: str) -> BackboneWork:
        """The training step; ``part`` is its name."""
        return replace(self, training=part)

    def wait(self) -> None:
        """On a CPU, both have finished when a call returns."""


class OurBackbone(BackboneWork):
    """Ours, on MindSpore."""

    def build(self) -> Calls:
        """The backbone on the CPU."""
        from backbone_parts import BackboneForward, BackboneTraining

        from focus_detr.process.runtime import prepare_runtime

        prepare_runtime("CPU")
        return BackboneForward(self) if self.training is None else BackboneTraining(self)


class PeerBackbone(BackboneWork):
    """Hugging Face transformers' Swin of the same sizes, on torch."""

    def build(self) -> Calls:
        """The peer on the CPU."""
        for variable in UNDONE:
            os.environ.pop(variable, None)
        keep_freed_memory()
        from peer_torch_swin import SwinForward, SwinTraining

        return SwinForward(self) if self.training is None else SwinTraining(self)


def peer_backbone_size(work: PeerBackbone) -> Size:
    """Count in the process that calls this, which loads torch."""
    from peer_torch_swin import count

    return count(work)


def refuse_other_backbones(config: Config) -> None:
    """Allow what the peer has.

    Raises:
        FocusDetrError: the settings have another backbone.
    """
    backbone = config.model.backbone
    if backbone.name not in SWINS or backbone.freeze_at != 0:
        raise FocusDetrError(
            "the peer has a Swin Transformer of which nothing is frozen; model.backbone must be "
            "one, as in config/focus_detr_swin_tiny.yaml"
        )
