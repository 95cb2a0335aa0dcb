"""Stochastic depth (Huang et al. 2016): residual branches that are left out at random.

The draws are inputs of the network, so that a step is a function of its inputs: it can be repeated,
resumed and shared among workers.
"""

from __future__ import annotations

import mindspore as ms
import numpy as np
from mindspore import Tensor, nn

from focus_detr.ops import products_windows
from focus_detr.ops.products_choice import native_products


def drop_rates(depths: tuple[int, ...], largest: float) -> tuple[float, ...]:
    """Rate of each block, rising evenly over all stages from 0 to ``largest``."""
    rates = np.linspace(0.0, largest, sum(depths), dtype=np.float32)
    return tuple(float(rate) for rate in rates)


class BranchFactors(nn.Cell):
    """Turns draws into what each branch is multiplied by: 0 or one over the share that is kept.

    Args:
        rates: of the blocks; the first has none, every other has two branches of its rate.
    """

    def __init__(self, rates: tuple[float, ...]) -> None:
        super().__init__()
        kept = np.repeat(1.0 - np.array(rates[1:], np.float32), 2)[None, :]  # [1, D]
        self.branches = kept.shape[1]
        self.kept = Tensor(kept)

    def construct(self, draws: Tensor) -> Tensor:
        """Uniform draws [B, D] in [0, 1), branches in the order they run -> factors [B, D]."""
        return (draws < self.kept).astype(ms.float32) / self.kept


class AddBranch(nn.Cell):
    """A residual and a branch with a factor for each image."""

    def __init__(self) -> None:
        super().__init__()
        library = native_products()
        self.native = library is not None
        if library is not None:
            self.scaled_sum = products_windows.scaled_sum(library)

    def construct(self, residual: Tensor, branch: Tensor, factor: Tensor) -> Tensor:
        """[B, h, w, C] twice and [B] -> [B, h, w, C]."""
        if self.native:
            return self.scaled_sum(residual, branch, factor)
        return residual + branch * factor.reshape(-1, 1, 1, 1)  # [B, 1, 1, 1]
