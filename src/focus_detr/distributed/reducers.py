"""Numbers inside the step's graph that all workers have to share.

With them, workers with a batch each take the step that one worker would take with all the images:
the mean of the workers' losses is then the loss of the whole batch.
"""

from __future__ import annotations

import mindspore as ms
from mindspore import Tensor, nn, ops

_FUSED = 1  # gradients with the same number may be reduced as one


def _mean(reduce: ops.Primitive, share: float, gradient: Tensor) -> Tensor:
    return reduce(gradient.astype(ms.float32)) * share


class GradientMean(nn.Cell):
    """The mean of the workers' gradients.

    MindSpore's own reducer compiles its ``construct`` for itself, which does not work inside the
    graph of a training step (2.10).
    """

    def __init__(self, workers: int) -> None:
        super().__init__()
        self.share = 1.0 / workers
        self.sum = ops.AllReduce(ops.ReduceOp.SUM)
        self.sum.add_prim_attr("fusion", _FUSED)
        self.map = ops.HyperMap()

    def construct(self, gradients: tuple[Tensor, ...]) -> tuple[Tensor, ...]:
        """This worker's gradients -> float32 means of the same shapes."""
        return self.map(ops.partial(_mean, self.sum, self.share), gradients)


class BoxesPerWorker(nn.Cell):
    """The number of boxes of all workers (at least 1) divided by the number of workers.

    Args:
        workers: that share a step.
        batches: of a worker in a step; the numbers, given and returned, are means over them.
    """

    def __init__(self, workers: int, batches: int = 1) -> None:
        super().__init__()
        self.workers = workers
        self.least = 1.0 / batches
        self.sum = ops.AllReduce(ops.ReduceOp.SUM)

    def construct(self, count: Tensor) -> Tensor:
        """This worker's count [] float32 -> [] float32."""
        total = self.sum(ops.stop_gradient(count).reshape(1))  # [1]
        return (ops.clamp(total, min=self.least) / self.workers).reshape(())  # []


class LargestOfWorkers(nn.Cell):
    """The largest of the workers' numbers."""

    def __init__(self) -> None:
        super().__init__()
        self.gather = ops.AllGather()  # on a CPU, MindSpore 2.10 reduces sums of floats only

    def construct(self, number: Tensor) -> Tensor:
        """This worker's number [] int32 -> [] int32."""
        return self.gather(ops.stop_gradient(number).reshape(1)).max()  # [workers] -> []
