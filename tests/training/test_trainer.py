"""The loop: resuming, evaluating, keeping the best, stopping."""

from __future__ import annotations

import os
import signal
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
from tiny_training import DESCRIPTION, TinyLoader, TinyRun

from focus_detr.errors import FocusDetrError
from focus_detr.training.state import TrainingState, load_state
from focus_detr.training.stop_signal import TrainingStopped
from focus_detr.training.trainer import Trainer
from focus_detr.weights.checkpoint import load_checkpoint, model_tensors


def _resumed(run: TinyRun) -> Trainer:
    """Another process's trainer: other initial weights, then the saved state."""
    run.model_seed = 9
    trainer = run.trainer()
    parts = trainer.parts
    state = load_state(parts.folder.last, parts.model, parts.step.optimizer, DESCRIPTION)
    return Trainer(trainer.config, parts, state)


def _everything(trainer: Trainer) -> dict[str, np.ndarray]:
    return {**model_tensors(trainer.parts.model), **trainer.parts.step.optimizer.state()}


def _interrupt_at(epoch: int, batch: int) -> TinyLoader:
    def send(at_epoch: int, at_batch: int) -> None:
        if (at_epoch, at_batch) == (epoch, batch):
            os.kill(os.getpid(), signal.SIGTERM)

    return TinyLoader(before=send)


@pytest.mark.parametrize("place", [(0, 0), (0, 2), (1, 1)])
def test_interrupted_and_resumed_equals_uninterrupted(
    tmp_path: Path, place: tuple[int, int]
) -> None:
    whole = TinyRun(tmp_path / "whole").trainer()
    assert whole.run().step == 6

    run = TinyRun(tmp_path / "parts", loader=_interrupt_at(*place))
    done = 3 * place[0] + place[1] + 1
    with pytest.raises(TrainingStopped, match=f"on request after step {done} of 6.*--resume"):
        run.trainer().run()
    assert run.loader.closed == place[0] + 1
    run.loader = TinyLoader()
    resumed = _resumed(run)
    assert resumed.state.step == done
    resumed.run()

    expected = _everything(whole)
    assert len(expected) == 4 + 2 * 4 + 1
    for name, value in _everything(resumed).items():
        np.testing.assert_array_equal(value, expected[name], err_msg=name)


def test_signals_are_given_back(tmp_path: Path) -> None:
    before = signal.getsignal(signal.SIGTERM)
    with pytest.raises(TrainingStopped):
        TinyRun(tmp_path, loader=_interrupt_at(0, 0)).trainer().run()
    assert signal.getsignal(signal.SIGTERM) is before


def test_the_best_weights_are_kept(tmp_path: Path) -> None:
    scores = iter([0.2, 0.5, 0.4])
    weights = []
    run = TinyRun(tmp_path, epochs=3)

    def evaluate() -> dict[str, float]:
        weights.append({name: value.copy() for name, value in model_tensors(model).items()})
        return {"AP": next(scores), "AP50": 0.9}

    run.evaluate = evaluate
    trainer = run.trainer()
    model = trainer.parts.model
    assert trainer.run() == TrainingState(0, 3, epoch=3, batch=0, best=0.5)
    best = load_checkpoint(tmp_path / "best.safetensors")
    assert set(best.tensors) == set(weights[1])
    for name, value in weights[1].items():
        np.testing.assert_array_equal(best.tensors[name], value)
    assert best.metadata["class_names"] == ["cat", "dog"]
    assert _resumed(run).state.best == 0.5


@pytest.mark.parametrize(("every", "evaluated"), [(0, []), (2, [2, 3]), (5, [3])])
def test_the_last_epoch_is_always_evaluated(
    tmp_path: Path, every: int, evaluated: list[int]
) -> None:
    epochs = []

    def evaluate() -> dict[str, float]:
        epochs.append(trainer.state.epoch + 1)
        return {"AP": 0.5}

    trainer = TinyRun(tmp_path, epochs=3, eval_every=every, evaluate=evaluate).trainer()
    trainer.run()
    assert epochs == evaluated


def test_a_failed_evaluation_is_repeated_without_training_again(tmp_path: Path) -> None:
    outcomes: Iterator[float] = iter([-1.0, 0.3, 0.4])

    def evaluate() -> dict[str, float]:
        score = next(outcomes)
        if score < 0:
            raise RuntimeError("the disk is gone")
        return {"AP": score}

    run = TinyRun(tmp_path, evaluate=evaluate)
    with pytest.raises(RuntimeError, match="disk"):
        run.trainer().run()
    resumed = _resumed(run)
    assert (resumed.state.epoch, resumed.state.batch) == (0, 3)
    resumed.run()
    assert resumed.parts.step.optimizer.state()["optimizer.step"] == 6


@pytest.mark.parametrize(("every", "saved"), [(0, 3), (2, 4)])
def test_a_crash_loses_what_came_after_the_last_checkpoint(
    tmp_path: Path, every: int, saved: int
) -> None:
    def fail(epoch: int, batch: int) -> None:
        if (epoch, batch) == (1, 2):
            raise RuntimeError("power cut")

    run = TinyRun(tmp_path, checkpoint_every=every, loader=TinyLoader(before=fail))
    with pytest.raises(RuntimeError, match="power cut"):
        run.trainer().run()
    assert _resumed(run).state.step == saved


def test_a_bad_loss_stops_with_a_sentence_and_leaves_the_state(tmp_path: Path) -> None:
    run = TinyRun(tmp_path, loader=TinyLoader(poison=(1, 1)))
    trainer = run.trainer()
    with pytest.raises(FocusDetrError) as caught:
        trainer.run()
    text = str(caught.value)
    for piece in ("step 5", "images 102, 103", "learning rate 0.001", "loss_class nan"):
        assert piece in text
    assert "\n" not in text
    assert trainer.parts.step.optimizer.state()["optimizer.step"] == 4
    assert all(np.isfinite(value).all() for value in _everything(trainer).values())
    assert _resumed(run).state.step == 3


def test_a_state_of_other_data_is_refused(tmp_path: Path) -> None:
    with pytest.raises(FocusDetrError, match="batches_per_epoch 7"):
        TinyRun(tmp_path).trainer(TrainingState(0, 7))
    with pytest.raises(FocusDetrError, match="seed 5"):
        TinyRun(tmp_path).trainer(TrainingState(5, 3))
