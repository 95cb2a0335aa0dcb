"""Multi-head attention inside windows, with a bias by relative position (Swin, section 3.2)."""

from __future__ import annotations

import math

import mindspore as ms
from mindspore import Parameter, Tensor, ops
from mindspore.common.initializer import TruncatedNormal, initializer

from focus_detr.models.backbones.windows import (
    cut_windows,
    distance_index,
    merge_windows,
    pad_map,
    padded_size,
    roll_map,
    shift_mask,
    unroll_map,
)
from focus_detr.ops import products_windows
from focus_detr.ops.products import Dense, ProductCell
from focus_detr.ops.products_choice import native_products

TABLE_SPREAD = 0.02


class WindowAttention(ProductCell):
    """Each window's cells attend to each other.

    Cells that fill up the last windows take part: as the reference pads after the norm, their
    query, key and value are the bias of ``qkv``. So the products are made for real cells only.

    Args:
        width: C.
        heads: M.
        window: w, cells along a side.
        shift: cells by which the windows are moved right and down, whatever the map's size.
    """

    def __init__(self, width: int, heads: int, *, window: int, shift: int) -> None:
        super().__init__()
        self.width, self.heads, self.window, self.shift = width, heads, window, shift
        self.scale = 1.0 / math.sqrt(width // heads)
        self.qkv = Dense(width, 3 * width)
        self.proj = Dense(width, width)
        shape = ((2 * window - 1) ** 2, heads)
        self.relative_position_bias_table = Parameter(
            initializer(TruncatedNormal(TABLE_SPREAD), shape)
        )
        self.index = Tensor(distance_index(window).reshape(-1))  # [N*N]
        library = native_products()
        self.native = library is not None
        if library is not None:
            self.attend = products_windows.window_attention(library, window, shift)

    def construct(
        self, x: Tensor, extents: Tensor, inside: Tensor | None, residual: Tensor | None = None
    ) -> Tensor:
        """Attend.

        Args:
            x: [B, h, w, C], normed.
            extents: [B, 2] float32, rows and columns of each image inside the map.
            inside: [B, h, w, 1], 1 for the cells inside these, or None where they fill the map.
            residual: [B, h, w, C], added to the result.

        Returns:
            [B, h, w, C].
        """
        qkv = self.qkv(x)  # [B, h, w, 3C]
        table = self.relative_position_bias_table
        if self.native:
            attended = self.attend(qkv, self.qkv.bias, table, extents)  # [B, h, w, C]
        else:
            attended = self._plain(qkv, extents, inside)
        return self.proj(attended, residual)

    def _plain(self, qkv: Tensor, extents: Tensor, inside: Tensor | None) -> Tensor:
        """[B, h, w, 3C] -> [B, h, w, C], by MindSpore's own operators."""
        rows, columns = qkv.shape[1:3]
        height, width = padded_size(rows, self.window), padded_size(columns, self.window)
        bias = self.qkv.bias
        if inside is not None:
            qkv = qkv * inside + bias * (1.0 - inside)
        windows = cut_windows(
            roll_map(pad_map(qkv, height, width, bias), self.shift), self.window
        )  # [B*W, N, 3C]
        logit_bias = self._bias()
        if self.shift > 0:
            mask = shift_mask(rows, columns, self.window, self.shift, extents)
            logit_bias = logit_bias + mask  # [B*W, M, N, N]
        merged = merge_windows(self._heads(windows, logit_bias), self.window, height, width)
        restored = unroll_map(merged, self.shift)[:, :rows, :columns]  # [B, h, w, C]
        return restored if inside is None else restored * inside

    def _bias(self) -> Tensor:
        """The table spread over pairs of cells: [1, M, N, N]."""
        cells = self.window * self.window
        spread = ops.gather(self.relative_position_bias_table, self.index, 0)  # [N*N, M]
        return spread.swapaxes(0, 1).reshape(1, self.heads, cells, cells)  # [1, M, N, N]

    def _heads(self, windows: Tensor, bias: Tensor) -> Tensor:
        """[B*W, N, 3C] and [1 or B*W, M, N, N] -> [B*W, N, C]."""
        count, cells, _ = windows.shape
        depth = self.width // self.heads
        split = windows.reshape(count, cells, 3, self.heads, depth)  # [B*W, N, 3, M, C/M]
        split = split.transpose(2, 0, 3, 1, 4)  # [3, B*W, M, N, C/M]
        query, key = self.lowered(split[0] * self.scale), self.lowered(split[1])
        logits = self.raised(ops.matmul(query, key.swapaxes(-1, -2)))  # [B*W, M, N, N]
        weights = self.lowered(ops.softmax(logits.astype(ms.float32) + bias, -1))
        attended = ops.matmul(weights, self.lowered(split[2]))  # [B*W, M, N, C/M]
        return attended.swapaxes(1, 2).reshape(count, cells, self.width)  # [B*W, N, C]
