"""The loop over epochs and steps."""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Generator, Iterable, Iterator, Mapping
from dataclasses import dataclass, replace
from typing import Any, Protocol

import mindspore as ms
import numpy as np
from mindspore import nn

from focus_detr.config.schema import TrainConfig
from focus_detr.data.batch import Batch
from focus_detr.distributed.world import SINGLE, World
from focus_detr.errors import FocusDetrError
from focus_detr.ops.step_clock import take_split
from focus_detr.training.accumulation import AccumulatedStep, BatchGroup
from focus_detr.training.early_warnings import BatchFiles, SpikeWatch
from focus_detr.training.parameter_groups import own_learning_rates
from focus_detr.training.run_folder import RunFolder
from focus_detr.training.run_log import RunLog, StepReport
from focus_detr.training.schedule import learning_rate
from focus_detr.training.state import (
    TrainingState,
    fingerprint,
    keep_last,
    save_state,
    save_weights,
)
from focus_detr.training.stop_signal import StopSignal, TrainingStopped
from focus_detr.training.train_step import TrainStep
from focus_detr.wording import counted, percent

BEST_METRIC = "AP"
_UNMEASURED = -1.0  # AP without any box to find

TrainBatch = Batch | BatchGroup  # what a step is fed


class TrainLoader(Protocol):
    """Batches as a function of the epoch."""

    def __len__(self) -> int:
        """Batches per epoch."""

    def epoch(self, epoch: int, start: int = 0) -> Generator[Any, None, None]:
        """The batches of an epoch from batch ``start`` on."""


@dataclass(frozen=True)
class TrainerParts:
    """What the trainer puts together."""

    model: nn.Cell  # saved and evaluated
    step: TrainStep | AccumulatedStep
    loss_names: tuple[str, ...]  # of the loss's parts, in order
    loader: TrainLoader
    inputs: Callable[[Any, int], tuple[Any, ...]]  # (batch, step) -> the step's arguments
    evaluate: Callable[[], Mapping[str, float]] | None  # metrics of the model as it is; None: never
    log: RunLog
    folder: RunFolder
    description: Mapping[str, object]  # class names, category ids, model settings
    world: World = SINGLE  # only its first worker writes
    pictures: Callable[[], Mapping[str, np.ndarray]] = dict  # of the evaluation just done


class Trainer:
    """Trains from a state to the last epoch, saving on the way."""

    def __init__(self, config: TrainConfig, parts: TrainerParts, state: TrainingState) -> None:
        """Build the trainer.

        Args:
            config: of the run.
            parts: model, data and outputs.
            state: where to start.

        Raises:
            FocusDetrError: the state belongs to a run over other data or with another seed.
        """
        self.config = config
        self.parts = parts
        self.state = state
        self.total_steps = config.schedule.epochs * len(parts.loader)
        self.spikes = SpikeWatch(config.spike_factor)
        self.batch_files = BatchFiles(parts.folder.path, parts.world)
        self._check_state()

    @property
    def finished(self) -> bool:
        """Whether the last epoch is over."""
        return self.state.epoch >= self.config.schedule.epochs

    def run(self) -> TrainingState:
        """Train to the end.

        Raises:
            TrainingStopped: SIGINT, SIGTERM or SIGHUP came to any worker; the state is saved.
            FocusDetrError: the loss or the gradient is not finite for any worker; the last saved
                state remains.
        """
        with StopSignal() as stop:
            while not self.finished:
                self._train_epoch(stop)
                self._finish_epoch()
                self._stop_if_asked(stop)
        self._compare_weights()
        self.parts.world.wait()  # for the first worker's files: its launcher may end with us
        return self.state

    def _check_state(self) -> None:
        last, state = self.parts.folder.last, self.state
        if state.seed != self.config.seed:
            raise FocusDetrError(
                f"{last} was trained with seed {state.seed}, but train.seed is now "
                f"{self.config.seed}; go on with the old one or start in another output_dir"
            )
        batches = len(self.parts.loader)
        if state.batches_per_epoch != batches:
            raise FocusDetrError(
                f"{last} was trained with batches_per_epoch {state.batches_per_epoch}, but "
                f"settings, data and {counted(self.parts.world.size, 'worker')} now give "
                f"{batches}; go on with the old ones (another number of workers needs as many "
                "images in a step: workers x train.batch_size) or start in another output_dir"
            )

    def _train_epoch(self, stop: StopSignal) -> None:
        if self.state.batch >= len(self.parts.loader):  # stopped between training and evaluation
            return
        self.parts.step.set_train(True)
        batches = self.parts.loader.epoch(self.state.epoch, self.state.batch)
        try:
            for batch, data_ms in _timed(batches):
                self._train_batch(batch, data_ms)
                self._stop_if_asked(stop)
                self._save_if_due()
        finally:
            batches.close()

    def _train_batch(self, batch: TrainBatch, data_ms: float) -> None:
        start = time.perf_counter()
        step = self.state.step
        schedule = self.config.schedule
        lr = learning_rate(step, self.config.optimizer.lr, len(self.parts.loader), schedule)
        inputs = self.parts.inputs(batch, step)
        outputs = self.parts.step(ms.Tensor(lr, ms.float32), *inputs)
        total, parts, norm, finite = (output.asnumpy() for output in outputs)
        end = time.perf_counter()
        report = StepReport(
            epoch=self.state.epoch,
            step=step + 1,
            total_steps=self.total_steps,
            total=float(total),
            parts=self._named(parts),
            lr=lr,
            gradient_norm=float(norm),
            data_ms=data_ms,
            step_ms=(end - start) * 1000,
            own_lrs=own_learning_rates(lr, self.config.optimizer),
            split_ms=take_split(start, end),
            **self.parts.step.update.scaling(),
        )
        if not np.all(finite):
            self._refuse_or_skip(report, batch)
        self.state = replace(self.state, batch=self.state.batch + 1)
        mean, *mean_parts = self.parts.world.mean(np.append(total, parts))
        self._report(replace(report, total=float(mean), parts=self._named(mean_parts)), batch)

    def _named(self, parts: Iterable[float]) -> dict[str, float]:
        return dict(zip(self.parts.loss_names, map(float, parts), strict=True))

    def _refuse_or_skip(self, report: StepReport, batch: TrainBatch) -> None:
        """A step without an update: with a loss scale that can still shrink it is no error."""
        if not self.parts.step.update.can_shrink_scale():
            raise FocusDetrError(self._not_finite(report, batch))
        self.parts.log.message(
            f"step {report.step}: a gradient was too large for half precision, the update was not "
            f"made ({report.skipped} so far); loss scale now {report.loss_scale:g}; images "
            f"{self._all_images(batch)}"
        )

    def _not_finite(self, report: StepReport, batch: TrainBatch) -> str:
        """What went wrong, in the words of the first worker whose own loss is not finite.

        With finite losses and a gradient that is not, nothing tells whose it was: all save theirs.
        """
        world = self.parts.world
        guilty = not math.isfinite(report.total)
        known = world.any(guilty)
        sentence = ""
        if guilty or not known:
            saved = self.batch_files.save_bad(report.step, _single_batches(batch))
            sentence = f"{_not_finite(report, batch)}; {saved}"
            if world.size > 1 and not known:
                sentence = f"{sentence}; no loss tells which worker's it was, see those of all"
        return next(words.decode() for words in world.gather(sentence.encode()) if words)

    def _report(self, report: StepReport, batch: TrainBatch) -> None:
        if not math.isfinite(report.total):
            return
        usual = self.spikes.usual(report.total)
        if usual is not None:
            saved = self.batch_files.save_spike(report.step, _single_batches(batch))
            self.parts.log.message(
                f"loss spike at step {report.step}: {report.total:.4g}, usually {usual:.4g}; "
                f"images {self._all_images(batch)}; {saved}"
            )
        self.parts.log.step(report)

    def _all_images(self, batch: TrainBatch) -> str:
        """Image ids of all workers' batches."""
        own = ", ".join(map(str, batch.image_ids))
        return b", ".join(self.parts.world.gather(own.encode())).decode()

    def _finish_epoch(self) -> None:
        epoch, every = self.state.epoch, self.config.eval_every
        last = epoch + 1 == self.config.schedule.epochs
        if self.parts.evaluate is not None and every > 0 and (last or (epoch + 1) % every == 0):
            self._save()  # if the evaluation fails, only the evaluation has to be repeated
            with self.parts.step.update.averaged():
                self._evaluate(self.parts.evaluate)
        self.state = replace(self.state, epoch=epoch + 1, batch=0)
        self._save_averaged()  # before the state says that the epoch is over
        self._save()

    def _evaluate(self, evaluate: Callable[[], Mapping[str, float]]) -> None:
        metrics = evaluate()
        self.parts.log.evaluation(self.state.epoch, self.state.step, metrics)
        self.parts.log.pictures(self.state.step, self.parts.pictures())
        self._keep_best(metrics[BEST_METRIC])

    def _keep_best(self, score: float) -> None:
        """Save the weights with the highest AP, or the latest ones as long as none was measured."""
        parts, best = self.parts, self.state.best
        record = _UNMEASURED if best is None else best
        if score < 0:
            kept = "the latest weights" if record < 0 else f"the weights of AP {percent(record)}"
            parts.log.message(
                f"AP cannot be measured without boxes; {parts.folder.best.name} has {kept}"
            )
        better = score > record or (score < 0 and record < 0)
        if not better or not math.isfinite(score):
            return
        self.state = replace(self.state, best=score if score >= 0 else None)
        if parts.world.first:
            save_weights(parts.folder.best, parts.model, parts.description, self.state)

    def _save_if_due(self) -> None:
        every = self.config.checkpoint_every
        if every > 0 and self.state.step % every == 0:
            self._save()

    def _save(self) -> None:
        if self.parts.world.first:
            parts = self.parts
            update = parts.step.update
            save_state(parts.folder.last, parts.model, update, parts.description, self.state)
            if self.config.keep_checkpoints > 0:
                keep_last(parts.folder, self.state.step, self.config.keep_checkpoints)

    def _save_averaged(self) -> None:
        parts = self.parts
        if parts.world.first and parts.step.update.averages is not None:
            with parts.step.update.averaged():
                save_weights(parts.folder.averaged, parts.model, parts.description, self.state)

    def _compare_weights(self) -> None:
        """Log whether the workers still hold the same weights, as the same updates should give."""
        world = self.parts.world
        if world.size > 1:
            same = world.agree([fingerprint(self.parts.model)])
            found = "the same weights" if same else "DIFFERENT weights; those of worker 0 are saved"
            self.parts.log.message(
                f"after step {self.state.step} all {world.size} workers hold {found}"
            )

    def _stop_if_asked(self, stop: StopSignal) -> None:
        if self.finished:
            return
        if not self.parts.world.any(stop.requested):
            return
        self._compare_weights()
        self._save()
        self.parts.log.message(
            f"saved the state after step {self.state.step} and stopped, as asked"
        )
        self.parts.world.wait()  # a launcher kills the workers that are left when one ends
        raise TrainingStopped(
            f"stopped on request after step {self.state.step} of {self.total_steps}; the state is "
            f"in {self.parts.folder.last}, the same command with --resume goes on from it"
        )


def _single_batches(batch: TrainBatch) -> tuple[Batch, ...]:
    return batch.batches if isinstance(batch, BatchGroup) else (batch,)


def _timed(batches: Iterator[Batch]) -> Iterator[tuple[Batch, float]]:
    """Each batch with the milliseconds spent waiting for it."""
    while True:
        start = time.perf_counter()
        batch = next(batches, None)
        if batch is None:
            return
        yield batch, (time.perf_counter() - start) * 1000


def _not_finite(report: StepReport, batch: TrainBatch) -> str:
    parts = ", ".join(f"{name} {value:.4g}" for name, value in report.parts.items())
    images = ", ".join(map(str, batch.image_ids))
    return (
        f"training diverged at step {report.step}: loss {report.total:.4g}, gradient norm "
        f"{report.gradient_norm:.4g}, learning rate {report.lr:.3g}, images {images}; the update "
        f"was not made; parts: {parts}"
    )
