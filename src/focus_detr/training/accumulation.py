"""Several batches per update: their gradients add up to those of one large batch.

Each batch's box losses are divided by the mean number of boxes of the group's batches, and the
gradients by the number of batches, so sums over the group are divided by the boxes of all, as in
one large batch. What a large batch would do otherwise: its denoising groups follow the image with
the most boxes of all, and its images share one padded shape.
"""

from __future__ import annotations

from collections.abc import Callable, Generator, Iterator
from dataclasses import dataclass
from itertools import islice
from typing import Any, Protocol

import mindspore as ms
from mindspore import Parameter, ParameterTuple, Tensor, nn, ops

from focus_detr.data.batch import Batch
from focus_detr.data.json_fields import ImageId
from focus_detr.errors import FocusDetrError
from focus_detr.graph_cache.kept_graphs import KeptGraphs
from focus_detr.graph_cache.store import GraphStore
from focus_detr.ops.step_clock import backward_mark
from focus_detr.training.adamw import AdamW
from focus_detr.training.train_step import ScaledLoss, TrainStep, poisoned
from focus_detr.training.update import Update
from focus_detr.wording import counted

GroupInputs = tuple[tuple[Tensor, ...], ...]  # per batch: the mean box count [], loss arguments


class BatchLoader(Protocol):
    """Batches as a function of the epoch."""

    def __len__(self) -> int:
        """Batches per epoch."""

    def epoch(self, epoch: int, start: int = 0) -> Generator[Batch, None, None]:
        """The batches of an epoch from batch ``start`` on."""


@dataclass(frozen=True)
class BatchGroup:
    """The batches of one update."""

    batches: tuple[Batch, ...]

    @property
    def image_ids(self) -> tuple[ImageId | None, ...]:
        """Of all images."""
        return tuple(image for batch in self.batches for image in batch.image_ids)


class GroupLoader:
    """Groups the batches of a loader; what is left over at the end of an epoch is not used."""

    def __init__(self, loader: BatchLoader, count: int) -> None:
        """Wrap a loader.

        Args:
            loader: of single batches.
            count: batches per group.

        Raises:
            FocusDetrError: an epoch has fewer batches.
        """
        self.loader = loader
        self.count = count
        if len(loader) < count:
            raise FocusDetrError(
                f"train.accumulate is {count}, but an epoch has only "
                f"{counted(len(loader), 'batch')}"
            )

    def __len__(self) -> int:
        """Groups per epoch."""
        return len(self.loader) // self.count

    def epoch(self, epoch: int, start: int = 0) -> Generator[BatchGroup, None, None]:
        """The groups of an epoch from group ``start`` on."""
        batches = self.loader.epoch(epoch, start * self.count)
        try:
            for _ in range(start, len(self)):
                yield BatchGroup(tuple(islice(batches, self.count)))
        finally:
            batches.close()


def grouped(loader: BatchLoader, count: int) -> BatchLoader | GroupLoader:
    """The loader of a training with ``count`` batches per update; raises as ``GroupLoader``."""
    return loader if count == 1 else GroupLoader(loader, count)


def grouped_inputs(
    inputs: Callable[[Batch, int], tuple[Tensor, ...]], count: int, *, shared: bool = False
) -> Callable[[Any, int], tuple[Any, ...]]:
    """Arguments of ``build_step``'s step from those of the loss.

    Each batch of a group has draws of its own.

    Args:
        inputs: of the loss, from a batch and the number of its step.
        count: batches per update.
        shared: whether the boxes of other workers are added (``BoxesPerWorker``).

    Returns:
        The step's arguments from a batch and the number of the update, or, with several batches per
        update, ``GroupInputs`` from a ``BatchGroup`` and that number.
    """
    if count == 1:
        return inputs

    def _for_group(group: BatchGroup, step: int) -> GroupInputs:
        boxes = sum(float(batch.box_valid.sum()) for batch in group.batches)
        # at least one box in the group, as in a large batch; in those of all workers, if shared
        mean = Tensor(max(boxes, 0.0 if shared else 1.0) / count, ms.float32)
        return tuple(
            (mean, *inputs(batch, step * count + index))
            for index, batch in enumerate(group.batches)
        )

    return _for_group


class CountedLoss(nn.Cell):
    """A training loss whose box count is given instead of its batch's own."""

    def __init__(self, loss_cell: nn.Cell) -> None:
        super().__init__(auto_prefix=False)
        self.loss_cell = loss_cell

    def construct(self, box_count: Tensor, *batch: Tensor) -> tuple[Tensor, Tensor]:
        """Total [] and parts [n]; ``box_count`` []."""
        return self.loss_cell.losses(box_count, *batch)


def _add(is_first: Tensor, total: Parameter, gradient: Tensor) -> Tensor:
    """Put the gradient into the sum, or add it; ``is_first`` [] bool.

    A choice of values and not an ``if``: a branch costs half as much compilation again. The old
    sum is not multiplied by zero, as it may be infinite.
    """
    return ops.assign(total, ops.select(is_first, gradient, total + gradient))


class _Gradients(KeptGraphs):
    """Adds one batch's gradients to the sums."""

    def __init__(
        self, loss_cell: nn.Cell, update: Update, sums: ParameterTuple, count: int
    ) -> None:
        super().__init__(auto_prefix=False)
        self.update = update
        self.sums = sums
        self.share = 1.0 / count
        self.backward_mark = backward_mark()
        self.loss_cell = ScaledLoss(CountedLoss(loss_cell))
        self.value_and_grad = ops.value_and_grad(
            self.loss_cell, None, update.optimizer.parameters, has_aux=True
        )
        self.map = ops.HyperMap()

    def construct(self, first: Tensor, *batch: Tensor) -> tuple[Tensor, Tensor]:
        """Total [] and parts [n]; ``first`` [] bool: the sums begin with this batch."""
        scale = self.update.scale() * self.share
        (_, total, parts), gradients = self.value_and_grad(scale, *batch)
        added = self.map(ops.partial(_add, first), self.sums, gradients)
        return self.backward_mark(ops.depend(total, added)), parts


class _Finish(KeptGraphs):
    """Updates with the sums."""

    def __init__(
        self, update: Update, sums: ParameterTuple, gradient_reducer: nn.Cell | None
    ) -> None:
        super().__init__(auto_prefix=False)
        self.update = update
        self.sums = sums
        self.gradient_reducer = gradient_reducer

    def construct(self, total: Tensor, lr: Tensor) -> tuple[Tensor, Tensor]:
        """Gradient norm [] and whether the update was made [] bool; ``total`` [] of the group."""
        gradients = self.sums
        if self.gradient_reducer is not None:
            gradients = self.gradient_reducer(poisoned(total, gradients))
        return self.update(total, gradients, self.update.scale(), lr)


class AccumulatedStep:
    """A training step over several batches, which may differ in shape.

    The graph of the gradients is compiled once per shape, that of the update once.
    """

    def __init__(
        self,
        loss_cell: nn.Cell,
        update: Update,
        count: int,
        gradient_reducer: nn.Cell | None = None,
    ) -> None:
        """Build the step.

        Args:
            loss_cell: a ``TrainingLoss``.
            update: holds the parameters to train.
            count: batches per update.
            gradient_reducer: as for ``TrainStep``.
        """
        self.update = update
        sums = ParameterTuple(
            [
                Parameter(ops.zeros_like(p), name=f"gradient_sum.{p.name}", requires_grad=False)
                for p in update.optimizer.parameters
            ]
        )
        self._gradients = _Gradients(loss_cell, update, sums, count)
        self._finish = _Finish(update, sums, gradient_reducer)

    @property
    def optimizer(self) -> AdamW:
        """The optimiser of the update."""
        return self.update.optimizer

    def keep_graphs(self, store: GraphStore | None) -> None:
        """As ``KeptGraphs``, for both graphs."""
        self._gradients.keep_graphs(store)
        self._finish.keep_graphs(store)

    def set_train(self, mode: bool = True) -> AccumulatedStep:
        """As for a cell."""
        self._gradients.set_train(mode)
        return self

    def __call__(
        self, lr: Tensor, *group: tuple[Tensor, ...]
    ) -> tuple[Tensor, Tensor, Tensor, Tensor]:
        """One update; as ``TrainStep`` with one tuple of ``GroupInputs`` per batch."""
        losses = list(self._losses(group))
        totals, parts = (sum(values[1:], values[0]) for values in zip(*losses, strict=True))
        total = totals / len(group)
        return (total, parts / len(group), *self._finish(total, lr))

    def _losses(self, group: GroupInputs) -> Iterator[tuple[Tensor, Tensor]]:
        for index, inputs in enumerate(group):
            yield self._gradients(Tensor(index == 0), *inputs)


def build_step(
    loss_cell: nn.Cell, update: Update, count: int, gradient_reducer: nn.Cell | None = None
) -> TrainStep | AccumulatedStep:
    """The step of a training with ``count`` batches per update; arguments as of the classes."""
    if count == 1:
        return TrainStep(loss_cell, update, gradient_reducer)
    return AccumulatedStep(loss_cell, update, count, gradient_reducer)
