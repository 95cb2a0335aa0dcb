"""Settings of a network that only its training knows: precision and recomputation."""

from __future__ import annotations

import mindspore as ms
from mindspore import nn

from focus_detr.errors import FocusDetrError
from focus_detr.ops.products import ProductCell

TYPES = {"fp32": ms.float32, "fp16": ms.float16, "bf16": ms.bfloat16}


def lower_products(model: nn.Cell, precision: str) -> None:
    """Let the training of a model compute its large products in ``precision``.

    These are the backbone's convolutions and the encoder and decoder layers' products; the neck,
    the selector, the heads and everything that makes boxes stay float32.

    Args:
        model: a ``DETR``.
        precision: fp32, fp16 or bf16.

    Raises:
        FocusDetrError: the device cannot compute in it.
    """
    if precision == "bf16" and ms.get_context("device_target") == "CPU":
        raise FocusDetrError("train.precision is bf16, which MindSpore has not on a CPU; set fp16")
    for part in (model.backbone, model.encoder, model.decoder.layers):
        for _, cell in part.cells_and_names():
            if isinstance(cell, ProductCell):
                cell.set_product_type(TYPES[precision])


def recompute(model: nn.Cell, parts: tuple[str, ...]) -> None:
    """Forget what these parts compute for the gradient, and compute it again when it is needed.

    Args:
        model: a ``DETR``.
        parts: of backbone, encoder, decoder.
    """
    cells = {
        "backbone": tuple(model.backbone.blocks_to_recompute()),
        "encoder": tuple(model.encoder.layers),
        "decoder": tuple(model.decoder.layers),
    }
    for part in parts:
        for cell in cells[part]:
            cell.recompute()
