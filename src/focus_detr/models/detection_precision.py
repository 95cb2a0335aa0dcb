"""Detection with products in lower precision on a CPU."""

from __future__ import annotations

from mindspore import nn

from focus_detr.errors import FocusDetrError
from focus_detr.ops.products import ProductCell
from focus_detr.ops.products_choice import native_products
from focus_detr.ops.products_library import has_bfloat16


def detect_in_bfloat16(model: nn.Cell) -> None:
    """Let the native products of a network round their factors to bfloat16; sums stay float32.

    These are the backbone's convolutions and the products of encoder and decoder layers; the neck,
    the selector, the heads, sampling offsets and everything that makes boxes stay float32.

    Args:
        model: a ``FocusDETR``, before it is compiled.

    Raises:
        FocusDetrError: there are no native products, or oneDNN no instructions for them.
    """
    if native_products() is None:
        raise FocusDetrError(
            "--precision bf16 needs native products, which this network is built without "
            "(docs/products.md): leave --precision out"
        )
    if not has_bfloat16():
        raise FocusDetrError(
            "no instructions for products in bf16 here (this processor lacks them, or "
            "ONEDNN_MAX_CPU_ISA keeps oneDNN from them): leave --precision out"
        )
    for part in (model.backbone, model.encoder, model.decoder.layers):
        for _, cell in part.cells_and_names():
            if isinstance(cell, ProductCell):
                cell.round_factors()
