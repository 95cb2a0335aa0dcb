"""Which tensors of an ONNX file are arguments and results of deformable sampling.

The file itself says so, in a property beside the graph, which consists of standard operators only.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import asdict, dataclass

from focus_detr.config.values import convert
from focus_detr.data.buckets import Size

PROPERTY = "focus_detr.samplings"


@dataclass(frozen=True)
class Sampling:
    """Names of tensors in the file, which hold their numbers in this order under any shape."""

    value: str  # [B, N, M, C/M]
    references: str  # [B, Q, L, 2] points or [B, Q, L, 4] boxes
    projected: str  # [B, Q, 3*M*L*P], offsets and logits
    result: str  # [B, Q, C]
    value_shape: tuple[int, ...]
    references_shape: tuple[int, ...]
    grids: tuple[Size, ...]  # (rows, columns) of each of L levels


def samplings_in_words(samplings: Sequence[Sampling]) -> str:
    """The text of the property."""
    return json.dumps([asdict(sampling) for sampling in samplings])


def read_samplings(text: str) -> tuple[Sampling, ...]:
    """The inverse; of none where the text is none that we know, so that it runs as any file."""
    try:
        found: tuple[Sampling, ...] = convert(tuple[Sampling, ...], json.loads(text))
    except (ValueError, TypeError):
        return ()
    return found
