"""Small building blocks: perceptrons, feed-forward, attention, norms."""

from __future__ import annotations

import math
from itertools import pairwise
from pathlib import Path

import mindspore as ms
from mindspore import Parameter, Tensor, nn, ops
from mindspore.common.initializer import initializer
from mindspore.ops import constexpr

from focus_detr.models.layer_norm import EPSILON
from focus_detr.ops import attention_custom, products_custom
from focus_detr.ops.products import Dense, Linear, ProductCell
from focus_detr.ops.products_choice import native_products

BLOCKED = -1e9  # added to an attention logit: weight 0 after the softmax in float32


class MLP(nn.Cell):
    """Linear layers with ReLU between them."""

    def __init__(self, inputs: int, hidden: int, outputs: int, layers: int) -> None:
        super().__init__()
        sizes = [inputs] + [hidden] * (layers - 1) + [outputs]
        kinds = ["relu"] * (layers - 1) + ["none"]
        self.layers = nn.CellList(
            [Linear(a, b, activation=k) for (a, b), k in zip(pairwise(sizes), kinds, strict=True)]
        )

    def construct(self, x: Tensor) -> Tensor:
        """[..., inputs] -> [..., outputs]."""
        for layer in self.layers:
            x = layer(x)
        return x


class FeedForward(nn.Cell):
    """Transformer feed-forward block with its residual (the norm is outside)."""

    def __init__(self, width: int, hidden: int, *, dropout: float = 0.0) -> None:
        super().__init__()
        self.linear1 = Dense(width, hidden, activation="relu")
        self.linear2 = Dense(hidden, width)
        self.drops = dropout > 0
        self.dropout = nn.Dropout(p=dropout)

    def construct(self, x: Tensor) -> Tensor:
        """[B, N, C] -> [B, N, C]."""
        if self.drops and self.training:
            return x + self.dropout(self.linear2(self.dropout(self.linear1(x))))
        return self.linear2(self.linear1(x), x)


@constexpr
def _with_columns(bias: tuple[int, ...], tokens: tuple[int, int, int]) -> tuple[int, ...]:
    """Shape of a bias whose last axis is as long as the tokens [B, N, C] are many."""
    return *bias[:3], tokens[1]


class MultiHeadAttention(ProductCell):
    """Attention among one set of tokens: query and key carry positions, the value does not.

    Args:
        width: C.
        heads: M.
        dropout: of the attention weights, while training; native products have none.
    """

    def __init__(self, width: int, heads: int, *, dropout: float = 0.0) -> None:
        super().__init__()
        self.heads = heads
        self.scale = 1.0 / math.sqrt(width // heads)
        self.width = width
        self.in_proj_weight = Parameter(initializer("xavier_uniform", (3 * width, width)))
        self.in_proj_bias = Parameter(initializer("zeros", (3 * width,)))
        self.out_proj = Dense(width, width)
        self.drops = dropout > 0
        self.dropout = nn.Dropout(p=dropout)
        library = native_products()
        self.native = library is not None
        self.attend = self._plain
        if library is not None:
            self.take_native_forms(library, products_custom.FLOAT32)
            self.attention = attention_custom.attention(library, heads)
            self.attend = self._plain_in_training if self.drops else self._native
        self.shape = ops.Shape()

    def take_native_forms(self, library: Path, precision: int) -> None:
        """The projections."""
        self.attention_inputs = attention_custom.attention_inputs(library, precision)

    def _split(self, x: Tensor) -> Tensor:
        """[B, N, C] -> [B, M, N, C/M]."""
        batch, tokens, width = x.shape
        split = x.reshape(batch, tokens, self.heads, width // self.heads)  # [B, N, M, C/M]
        return split.swapaxes(1, 2)  # [B, M, N, C/M]

    def construct(self, x: Tensor, position: Tensor, bias: Tensor) -> Tensor:
        """Attend.

        Args:
            x: [B, N, C] content.
            position: [B, N, C], added for query and key.
            bias: [B or 1, 1, N or 1, N or 1], added to the logits (``BLOCKED`` hides a key).

        Returns:
            [B, N, C], the content with what it attended to added.
        """
        return self.out_proj(self.attend(x, position, bias), x)  # [B, N, C]

    def _plain_in_training(self, x: Tensor, position: Tensor, bias: Tensor) -> Tensor:
        return self._plain(x, position, bias) if self.training else self._native(x, position, bias)

    def _native(self, x: Tensor, position: Tensor, bias: Tensor) -> Tensor:
        query_key, value = self.attention_inputs(
            x, position, self.in_proj_weight, self.in_proj_bias
        )  # [B, N, 2C], [B, N, C]
        columns = _with_columns(self.shape(bias), self.shape(x))
        return self.attention(query_key, value, ops.broadcast_to(bias, columns))

    def _plain(self, x: Tensor, position: Tensor, bias: Tensor) -> Tensor:
        split = 2 * self.width
        weight, bias_in = self.lowered(self.in_proj_weight), self.lowered(self.in_proj_bias)
        query_key = ops.dense(self.lowered(x + position), weight[:split], bias_in[:split])
        value = self._split(ops.dense(self.lowered(x), weight[split:], bias_in[split:]))
        query = self._split(query_key[..., : self.width] * self.scale)
        key = self._split(query_key[..., self.width :])
        logits = self.raised(ops.matmul(query, key.swapaxes(-1, -2))) + bias  # [B, M, N, N]
        weights = ops.softmax(logits, -1)
        if self.drops:
            weights = self.dropout(weights)
        weights = self.lowered(weights)
        attended = ops.matmul(weights, value).swapaxes(1, 2)  # [B, N, M, C/M]
        return attended.reshape(x.shape)  # [B, N, C]


def _sums(values: Tensor, ones: Tensor) -> Tensor:
    """Sum over the last axis: [B, G, n] and ones [n, 1] -> [B, G, 1].

    The product has two axes, as the gradient of one with three does not compile for a batch of one
    image (MindSpore 2.10).
    """
    batch, groups, size = values.shape
    sums = ops.matmul(values.reshape(-1, size), ones)  # [B*G, n] x [n, 1] -> [B*G, 1]
    return sums.reshape(batch, groups, 1)  # [B, G, 1]


@constexpr
def _of_cells(shape: tuple[int, int, int, int]) -> tuple[int, int]:
    """Shape of what each cell of [B, h, w, C] has one of: (B, h*w)."""
    return shape[0], shape[1] * shape[2]


class MaskedGroupNorm(nn.Cell):
    """GroupNorm whose statistics can leave padded cells out.

    Sums are matrix products with ones: reductions over a long last axis are 25 times slower on a
    CPU in MindSpore 2.10.
    """

    def __init__(self, groups: int, channels: int) -> None:
        super().__init__()
        self.groups = groups
        self.gamma = Parameter(initializer("ones", (channels,)))
        self.beta = Parameter(initializer("zeros", (channels,)))
        library = native_products()
        self.native = library is not None
        if library is not None:
            self.norm = products_custom.group_norm(library, groups, EPSILON)
        self.shape, self.reshape = ops.Shape(), ops.Reshape()

    def construct(self, x: Tensor, mask: Tensor | None) -> Tensor:
        """[B, C, h, w] and the cells that count ([B, 1, h, w] or None for all) -> [B, C, h, w].

        With native products channels are last: [B, h, w, C] and [B, h, w, 1].
        """
        return self._native(x, mask) if self.native else self._plain(x, mask)

    def _native(self, x: Tensor, mask: Tensor | None) -> Tensor:
        cells = _of_cells(self.shape(x))
        counted = ops.ones(cells, ms.float32) if mask is None else self.reshape(mask, cells)
        return self.norm(x, counted, self.gamma, self.beta)

    def _plain(self, x: Tensor, mask: Tensor | None) -> Tensor:
        batch, channels, rows, columns = x.shape
        size = channels // self.groups * rows * columns
        grouped = x.reshape(batch, self.groups, size)  # [B, G, C/G*h*w]
        ones = ops.ones((size, 1), ms.float32)
        if mask is None:
            mean = _sums(grouped, ones) / size  # [B, G, 1]
            centred = grouped - mean
            variance = _sums(ops.square(centred), ones) / size
        else:
            counted = ops.broadcast_to(mask, (batch, channels // self.groups, rows, columns))
            counted = counted.reshape(batch, 1, size)  # [B, 1, C/G*h*w]
            count = _sums(counted, ones)  # [B, 1, 1]
            mean = _sums(grouped * counted, ones) / count
            centred = grouped - mean
            variance = _sums(ops.square(centred) * counted, ones) / count
        scaled = centred * ops.rsqrt(variance + EPSILON)
        scaled = scaled.reshape(x.shape)  # [B, C, h, w]
        gamma = self.gamma.reshape(1, -1, 1, 1)  # [1, C, 1, 1]
        beta = self.beta.reshape(1, -1, 1, 1)  # [1, C, 1, 1]
        return scaled * gamma + beta
