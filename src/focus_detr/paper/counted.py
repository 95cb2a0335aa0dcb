"""Multiply-adds of a built network, counted at its cells while it runs.

``models.flops`` has the formula that this is compared with.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from math import prod
from typing import Any

import mindspore as ms
import numpy as np
from mindspore import Tensor, nn

from focus_detr.models.backbones.window_attention import WindowAttention
from focus_detr.models.backbones.windows import padded_size
from focus_detr.models.detr import DETR
from focus_detr.models.flops import SAMPLING_PER_CHANNEL
from focus_detr.models.layers import MultiHeadAttention
from focus_detr.ops.msda import MSDeformableAttention
from focus_detr.ops.products import Convolution, Dense

Inputs = tuple[Any, ...]
Count = Callable[[nn.Cell, Inputs, Any], int]  # of a cell, its inputs and its output


def count_built(model: DETR, height: int, width: int) -> dict[str, int]:
    """Run a network on a grey image of height x width pixels: multiply-adds by its parts.

    The parts are those under which cells are first met in the network: ``backbone``, ``neck``,
    ``selection``, ``encoder``, ``queries`` and ``decoder``. Activations, norms and the like do not
    count, as in ``models.flops``.
    """
    image = Tensor(np.zeros((1, 3, height, width), np.float32))
    size = Tensor(np.array([[height, width]], np.int32))
    counts: dict[str, int] = defaultdict(int)
    with _operation_by_operation(), _hooked(model, counts):
        model.set_train(False)(image, size)
    return dict(counts)


@contextmanager
def _operation_by_operation() -> Iterator[None]:
    """Hooks are only called in this mode."""
    before = ms.get_context("mode")
    ms.set_context(mode=ms.PYNATIVE_MODE)
    try:
        yield
    finally:
        ms.set_context(mode=before)


@contextmanager
def _hooked(model: DETR, counts: dict[str, int]) -> Iterator[None]:
    handles, part = [], [""]

    def add(count: Count) -> Callable[[nn.Cell, Inputs, Any], None]:
        """Called after a cell of one kind."""

        def hook(cell: nn.Cell, inputs: Inputs, output: Any) -> None:
            """Add what a cell computed to the part that runs."""
            counts[part[0]] += count(cell, inputs, output)

        return hook

    def enter(name: str) -> Callable[[nn.Cell, Inputs], None]:
        """Called before a part."""

        def hook(cell: nn.Cell, inputs: Inputs) -> None:
            """A part begins to run."""
            part[0] = name

        return hook

    for name in ("backbone", "neck", "selection", "encoder", "queries", "decoder"):
        handles.append(getattr(model, name).register_forward_pre_hook(enter(name)))
    for _, cell in model.cells_and_names():
        counted = [count for kind, count in _COUNTS.items() if isinstance(cell, kind)]
        handles += [cell.register_forward_hook(add(count)) for count in counted]
    try:
        yield
    finally:
        for handle in handles:
            handle.remove()


def _convolution(cell: nn.Cell, inputs: Inputs, output: Tensor) -> int:
    return prod(output.shape) * prod(inputs[1].shape[1:])  # kernel [C_out, C_in / G, k, k]


def _dense(cell: nn.Cell, inputs: Inputs, output: Tensor) -> int:
    return prod(output.shape) * int(cell.weight.shape[1])


def _attention(cell: nn.Cell, inputs: Inputs, output: Tensor) -> int:
    """Input projections, logits and weighted sum; the output's projection is a cell."""
    batch, tokens, width = inputs[0].shape
    return int(batch * (3 * tokens * width**2 + 2 * tokens**2 * width))


def _deformable(cell: nn.Cell, inputs: Inputs, output: Tensor) -> int:
    """Projections of query and value, which are no calls of cells, and sampling."""
    query, value = inputs[:2]  # [B, Q, C], [B, N, M, C/M]
    (batch, queries, width), tokens = query.shape, value.shape[1]
    samples = cell.levels * cell.points
    offsets = width * 3 * cell.heads * samples + samples * width * SAMPLING_PER_CHANNEL
    return int(batch * (queries * offsets + tokens * width**2))


def _windows(cell: nn.Cell, inputs: Inputs, output: Tensor) -> int:
    """Logits and weighted sum within each window, cells that fill them up included."""
    batch, rows, columns, width = inputs[0].shape
    cells = padded_size(rows, cell.window) * padded_size(columns, cell.window)
    return int(batch * cells * 2 * cell.window**2 * width)


_COUNTS: dict[type, Count] = {
    Convolution: _convolution,
    Dense: _dense,
    MultiHeadAttention: _attention,
    MSDeformableAttention: _deformable,
    WindowAttention: _windows,
}
