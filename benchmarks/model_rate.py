"""How fast this machine multiplies matrices: what a network's time is held against."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

ROWS, INPUTS, OUTPUTS = 4096, 2048, 2048
PRODUCT = "product"
PRODUCT_MULTIPLY_ADDS = ROWS * INPUTS * OUTPUTS


class Product:
    """A dense layer [4096, 2048] -> [4096, 2048] without anything around it."""

    def __init__(self) -> None:
        import mindspore as ms
        import numpy as np

        from focus_detr.ops.products import Dense

        draw = np.random.default_rng(0)
        self.layer = Dense(INPUTS, OUTPUTS).set_train(False)
        self.rows = ms.Tensor(draw.normal(size=(ROWS, INPUTS)).astype(np.float32))

    def whole(self) -> object:
        """The product [4096, 2048]."""
        return self.layer(self.rows)

    def calls(self) -> dict[str, Callable[[], object]]:
        """The one call there is."""
        return {PRODUCT: self.whole}


@dataclass(frozen=True)
class ProductWork:
    """A worker's job: the product, on the network's device."""

    device: str | None

    def build(self) -> Product:
        """The layer on its device."""
        from focus_detr.process.runtime import prepare_runtime

        prepare_runtime(self.device)
        return Product()

    def as_training(self, part: str) -> ProductWork:
        """The same: a product has no training step."""
        del part
        return self

    def wait(self) -> None:
        """Wait for the device."""
        from model_worker import wait_for_device

        wait_for_device()
