"""Linear layers and convolutions, with what comes at once after them.

On a CPU the native library computes them where it is there (``products_choice``); maps are then
channels last. Otherwise MindSpore's operators do, and training may compute in half precision.
Parameters stay float32; a product's operands are cast where it is computed, so gradients are
float32 again where they reach the parameters. Sums with a residual, norms, softmax, sampling and
boxes stay float32. Evaluation always computes in float32.
"""

from __future__ import annotations

from pathlib import Path

import mindspore as ms
import numpy as np
from mindspore import Tensor, nn, ops

from focus_detr.ops import products_custom, products_windows
from focus_detr.ops.products_choice import native_products

ACTIVATIONS = {"none": None, "relu": ops.relu, "relu6": ops.relu6, "gelu": ops.gelu}


class ProductCell(nn.Cell):
    """Base of the cells whose own products may be of lower precision.

    Without it no cast is in the graph: even one that does nothing takes long to compile.
    """

    def __init__(self) -> None:
        super().__init__()
        self.product_type = ms.float32
        self.lowers = False
        self.rounds = False
        self.native = False
        self.cast = ops.Cast()

    def set_product_type(self, kind: ms.Type) -> None:
        """Compute in this type from the next compilation on, while training."""
        self.product_type = kind
        self.lowers = kind != ms.float32

    def round_factors(self) -> None:
        """Let native products round their factors to bfloat16 from the next compilation on."""
        self.rounds = True  # graphs are told apart by it
        library = native_products()
        if self.native and library is not None:  # not what was built without them
            self.take_native_forms(library, products_custom.BFLOAT16)

    def take_native_forms(self, library: Path, precision: int) -> None:
        """Set the native products that this cell uses, which round their factors so."""

    def lowered(self, x: Tensor) -> Tensor:
        """An operand of a product in the type of the products: any shape."""
        if self.training and self.lowers:
            return self.cast(x, self.product_type)
        return x

    def raised(self, x: Tensor) -> Tensor:
        """A product as float32: any shape."""
        if self.training and self.lowers:
            return self.cast(x, ms.float32)
        return x


class Dense(ProductCell):
    """A linear layer and what follows it; parameters as in ``nn.Dense``.

    Args:
        inputs: C_in.
        outputs: C_out.
        activation: none, relu or gelu.
        has_bias: False: ``bias`` is a constant 0.
    """

    def __init__(
        self, inputs: int, outputs: int, *, activation: str = "none", has_bias: bool = True
    ) -> None:
        super().__init__()
        plain = nn.Dense(inputs, outputs)
        self.weight = plain.weight
        self.bias = plain.bias if has_bias else Tensor(np.zeros(outputs, np.float32))
        self.activation = activation
        library = native_products()
        self.native = library is not None
        # chosen here and not by an if in construct, which is compiled anew for every layer
        if library is None:
            self.dense, self.dense_sum = self._plain, self._plain_sum
            self.dense_valid = self._plain_valid
        else:
            self.take_native_forms(library, products_custom.FLOAT32)
        self.activate = ACTIVATIONS[activation]
        self.product = ops.MatMul(transpose_b=True)
        self.add_bias = ops.BiasAdd()
        self.reshape = ops.Reshape()

    def take_native_forms(self, library: Path, precision: int) -> None:
        """Dense, and with what comes after it."""
        self.fused = self.dense = products_custom.dense(library, self.activation, precision)
        self.dense_sum = products_custom.dense_sum(library, precision)
        self.dense_valid = products_custom.dense_valid(library, precision)
        if self.activation == "gelu":
            self.linear = products_custom.dense(library, "none")
            self.gelu = products_windows.gelu(library)
            self.dense = self._native_gelu

    def construct(self, x: Tensor, residual: Tensor | None = None) -> Tensor:
        """[..., C_in] -> [..., C_out], plus the residual of that shape if there is one."""
        if residual is None:
            return self.dense(x, self.weight, self.bias)
        return self.dense_sum(x, self.weight, self.bias, residual)

    def of_valid(self, x: Tensor, valid: Tensor) -> Tensor:
        """[..., C_in] and [...] of 0 and 1 -> [..., C_out], 0 where ``valid`` is; no activation."""
        return self.dense_valid(x, self.weight, self.bias, valid)

    def _native_gelu(self, x: Tensor, weight: Tensor, bias: Tensor) -> Tensor:
        """The argument is kept for the gradient, which would otherwise need the product again."""
        if self.training:
            return self.gelu(self.linear(x, weight, bias))
        return self.fused(x, weight, bias)

    def _plain_sum(self, x: Tensor, weight: Tensor, bias: Tensor, residual: Tensor) -> Tensor:
        return residual + self._plain(x, weight, bias)

    def _plain_valid(self, x: Tensor, weight: Tensor, bias: Tensor, valid: Tensor) -> Tensor:
        return self._plain(x, weight, bias) * valid[..., None]  # float32 as valid

    def _plain(self, x: Tensor, weight: Tensor, bias: Tensor) -> Tensor:
        """In the type of the products."""
        outputs, inputs = weight.shape
        rows = self.lowered(self.reshape(x, (-1, inputs)))  # [R, C_in]
        rows = self.product(rows, self.lowered(weight))  # [R, C_out]
        rows = self.add_bias(rows, self.lowered(bias))
        if self.activate is not None:
            rows = self.activate(rows)
        shape = x.shape[:-1] + (outputs,)  # noqa: RUF005 (no star in graphs)
        return self.reshape(rows, shape)  # [..., C_out]


class Linear(Dense):
    """A linear layer that is float32 whatever the type of the products."""

    def set_product_type(self, kind: ms.Type) -> None:
        """Nothing."""

    def round_factors(self) -> None:
        """Nothing."""


class Convolution(ProductCell):
    """Convolves with a kernel and a bias that it is given.

    Args:
        outputs: C_out.
        kernel: k.
        stride: of both axes.
        padding: top, bottom, left, right.
        groups: G.
        activation: none, relu or relu6.
    """

    def __init__(
        self,
        outputs: int,
        kernel: int,
        *,
        stride: int,
        padding: tuple[int, int, int, int],
        groups: int = 1,
        activation: str = "none",
    ) -> None:
        super().__init__()
        self.groups, self.activation = groups, activation
        self.place = (stride, *padding, groups)
        library = native_products()
        self.native = library is not None
        if library is not None:
            self.take_native_forms(library, products_custom.FLOAT32)
        else:
            self.convolution, self.convolution_sum = self._plain, self._plain
            self.convolution_valid = self._plain_valid
        self.activate = ACTIVATIONS[activation]
        self.plain = ops.Conv2D(
            outputs, kernel, pad_mode="pad", pad=padding, stride=stride, group=groups
        )
        self.add_bias = ops.BiasAdd()

    def take_native_forms(self, library: Path, precision: int) -> None:
        """The convolution, and with what comes after it."""
        kind = library, self.place, self.activation, precision
        self.convolution = products_custom.convolution(*kind)
        self.convolution_sum = products_custom.convolution_sum(*kind)
        self.convolution_valid = products_custom.convolution_valid(*kind)

    def construct(
        self,
        x: Tensor,
        kernel: Tensor,
        bias: Tensor,
        residual: Tensor | None = None,
        valid: Tensor | None = None,
    ) -> Tensor:
        """Convolve.

        Args:
            x: [B, h, w, C_in] with native products, otherwise [B, C_in, h, w].
            kernel: [C_out, C_in / G, k, k].
            bias: [C_out].
            residual: added before the activation; shaped as the result.
            valid: the result's cells that are image, as a map of one channel; the others
                become 0. Not together with a residual.

        Returns:
            [B, h', w', C_out] or [B, C_out, h', w'].
        """
        if valid is not None:
            return self.convolution_valid(x, kernel, bias, valid)
        if residual is not None:
            return self.convolution_sum(x, kernel, bias, residual)
        return self.convolution(x, kernel, bias)

    def _plain_valid(self, x: Tensor, kernel: Tensor, bias: Tensor, valid: Tensor) -> Tensor:
        y = self._plain(x, kernel, bias)
        return y * (valid if y.dtype == valid.dtype else self.cast(valid, y.dtype))

    def _plain(
        self, x: Tensor, kernel: Tensor, bias: Tensor, residual: Tensor | None = None
    ) -> Tensor:
        y = self.add_bias(self.plain(self.lowered(x), self.lowered(kernel)), self.lowered(bias))
        if residual is not None:
            y = y + residual
        return y if self.activate is None else self.activate(y)


class WeighRows(nn.Cell):
    """Rows times a number each.

    MindSpore's own product of tensors of different shapes keeps 16 bytes for each number of its
    result as long as the graph lives (CPU, 2.10): two gigabytes in a detector.
    """

    def __init__(self) -> None:
        super().__init__()
        library = native_products()
        self.weigh = self._plain if library is None else products_custom.weigh_rows(library)

    def construct(self, x: Tensor, factor: Tensor) -> Tensor:
        """[..., C] and [..., 1] -> [..., C] in the type of ``x``; maps may have channels first."""
        return self.weigh(x, factor)

    def _plain(self, x: Tensor, factor: Tensor) -> Tensor:
        return x * (factor if x.dtype == factor.dtype else factor.astype(x.dtype))
