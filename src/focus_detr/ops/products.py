"""Matrix products and convolutions that training may compute in half precision.

Parameters stay float32; a product's operands are cast where it is computed, so gradients are
float32 again where they reach the parameters. Sums with a residual, norms, softmax, sampling and
boxes stay float32. Evaluation always computes in float32.
"""

from __future__ import annotations

import mindspore as ms
from mindspore import Tensor, nn, ops


class ProductCell(nn.Cell):
    """Base of the cells whose own products may be of lower precision.

    Without it no cast is in the graph: even one that does nothing takes long to compile.
    """

    def __init__(self) -> None:
        super().__init__()
        self.product_type = ms.float32
        self.lowers = False
        self.cast = ops.Cast()

    def set_product_type(self, kind: ms.Type) -> None:
        """Compute in this type from the next compilation on, while training."""
        self.product_type = kind
        self.lowers = kind != ms.float32

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
    """A linear layer; parameters as in ``nn.Dense``.

    Args:
        inputs: C_in.
        outputs: C_out.
    """

    def __init__(self, inputs: int, outputs: int) -> None:
        super().__init__()
        plain = nn.Dense(inputs, outputs)
        self.weight = plain.weight
        self.bias = plain.bias
        self.product = ops.MatMul(transpose_b=True)
        self.add_bias = ops.BiasAdd()
        self.reshape = ops.Reshape()

    def construct(self, x: Tensor) -> Tensor:
        """[..., C_in] -> [..., C_out] in the type of the products."""
        outputs, inputs = self.weight.shape
        rows = self.lowered(self.reshape(x, (-1, inputs)))  # [R, C_in]
        rows = self.product(rows, self.lowered(self.weight))  # [R, C_out]
        rows = self.add_bias(rows, self.lowered(self.bias))
        shape = x.shape[:-1] + (outputs,)  # noqa: RUF005 (no star in graphs)
        return self.reshape(rows, shape)  # [..., C_out]
