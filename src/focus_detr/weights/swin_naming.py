"""Names of Swin Transformer's tensors: Microsoft's, timm's and torchvision's.

Ours are Microsoft's, which detectron2 has too, but norms are gamma and beta. Each table gives
Microsoft's name; ``naming`` does the rest.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping

import numpy as np

from focus_detr.models.backbones.windows import distance_index
from focus_detr.weights.templates import both_ways

CLASSIFIER = ("norm.", "head.")  # a norm of its own, not one of those that are put out
OUTPUT_NORMS = ("norm1", "norm2", "norm3")  # which no classifier has
_MASK = re.compile(r"\.attn_mask$")
_TABLE = re.compile(r"(.*\.attn\.)relative_position_bias_table$")


def _timm_pairs() -> Iterator[tuple[str, str]]:
    # merging stands at the beginning of the next stage
    for stage in range(1, 4):
        yield f"layers.{stage}.downsample.", f"layers.{stage - 1}.downsample."


def _torchvision_pairs() -> Iterator[tuple[str, str]]:
    yield "features.0.0.", "patch_embed.proj."
    yield "features.0.2.", "patch_embed.norm."
    for stage in range(4):
        theirs, ours = f"features.{2 * stage + 1}.#", f"layers.{stage}.blocks.#"
        yield f"{theirs}.mlp.0.", f"{ours}.mlp.fc1."
        yield f"{theirs}.mlp.3.", f"{ours}.mlp.fc2."
        yield f"{theirs}.", f"{ours}."
    for stage in range(3):
        yield f"features.{2 * stage + 2}.", f"layers.{stage}.downsample."


from_timm, _ = both_ways(_timm_pairs())
from_torchvision, _ = both_ways(_torchvision_pairs())


def is_mask(name: str) -> bool:
    """Whether an entry is a mask of shifted windows, which depends on the classifier's images."""
    return _MASK.search(name) is not None


def position_indices(state: Mapping[str, np.ndarray]) -> dict[str, np.ndarray]:
    """The index buffers that torch models keep beside their tables: [N, N] int64 by torch name."""
    indices = {}
    for name, table in state.items():
        if match := _TABLE.match(name):
            window = (round(len(table) ** 0.5) + 1) // 2
            index = distance_index(window).astype(np.int64)
            indices[f"{match[1]}relative_position_index"] = index
    return indices
