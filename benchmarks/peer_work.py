"""The public peer, for a worker's process; torch is loaded there only."""

from __future__ import annotations

import ctypes
import os
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

from focus_detr.config.schema import Config, ModelConfig
from focus_detr.errors import FocusDetrError
from focus_detr.process.requirements import missing_modules

if TYPE_CHECKING:
    from model_worker import Calls

PACKAGES = {"torch": "2.13.0", "transformers": "4.57.1"}
BACKBONE = "resnet50"
UNDONE = ("ONEDNN_MAX_CPU_ISA", "GOMP_SPINCOUNT")  # ours, and no favour to torch
_TRIM_THRESHOLD, _MMAP_THRESHOLD = -1, -3  # of mallopt
_LARGE = 2**30  # bytes; larger than any tensor here


@dataclass(frozen=True)
class PeerWork:
    """What a worker holds: the peer's forward pass or, if ``training`` is set, its whole step."""

    config: Config
    settings: dict[str, Any]  # of the peer
    num_classes: int
    height: int
    width: int
    forward: str  # what the forward pass is called among the parts that are timed
    training: str | None = None  # likewise the step

    def build(self) -> Calls:
        """The peer on the CPU."""
        for variable in UNDONE:
            os.environ.pop(variable, None)
        keep_freed_memory()
        from peer_torch import PeerForward, PeerTraining

        return PeerForward(self) if self.training is None else PeerTraining(self)

    def as_training(self, part: str) -> PeerWork:
        """The training step; ``part`` is its name."""
        return replace(self, training=part)

    def wait(self) -> None:
        """On a CPU, torch has finished when it returns."""


@dataclass(frozen=True)
class Size:
    """Of a network."""

    parameters: int
    multiply_adds: int  # of the forward pass, without deformable sampling: torch does not count it


def peer_size(work: PeerWork) -> Size:
    """Count in the process that calls this, which loads torch."""
    from peer_torch import count

    return count(work)


def require_packages() -> None:
    """Refuse to start without what the peer needs.

    Raises:
        FocusDetrError: a package is missing.
    """
    if missing := missing_modules(PACKAGES):
        pins = " ".join(f"{name}=={version}" for name, version in PACKAGES.items())
        raise FocusDetrError(
            f"the comparison needs {' and '.join(missing)}: python -m pip install {pins}"
        )


def peer_settings(config: ModelConfig, num_classes: int, queries: int) -> dict[str, Any]:
    """The sizes in our settings under the peer's names.

    Args:
        config: our network's settings.
        num_classes: number of object classes.
        queries: of the decoder, at most one per token.

    Raises:
        FocusDetrError: the peer has no such backbone.
    """
    backbone = config.backbone
    if backbone.name != BACKBONE or backbone.width_factor != 1 or backbone.depths is not None:
        raise FocusDetrError(f"the peer has an ordinary {BACKBONE}; model.backbone must be that")
    sizes: dict[str, Any] = {
        "num_labels": num_classes,
        "d_model": config.width,
        "num_feature_levels": config.levels,
        "num_queries": queries,
        "two_stage_num_proposals": queries,
    }
    for name, part in (("encoder", config.encoder), ("decoder", config.decoder)):
        sizes |= {
            f"{name}_layers": part.layers,
            f"{name}_ffn_dim": part.ffn_width,
            f"{name}_n_points": part.points,
            f"{name}_attention_heads": config.heads,
        }
    return sizes


def keep_freed_memory() -> None:
    """Let glibc keep what is freed, as MindSpore's pool does.

    Otherwise page faults make torch's operations on large tensors two to eight times as long.
    """
    library = ctypes.CDLL(None)
    if hasattr(library, "mallopt"):
        library.mallopt(_MMAP_THRESHOLD, _LARGE)
        library.mallopt(_TRIM_THRESHOLD, _LARGE)
