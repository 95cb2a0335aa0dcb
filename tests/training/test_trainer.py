"""The loop: resuming, evaluating, keeping the best, stopping."""

from __future__ import annotations

import os
import signal
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import mindspore as ms
import numpy as np
import pytest
from mindspore import Tensor
from tiny_training import TinyLoader, TinyRun

from focus_detr.errors import FocusDetrError
from focus_detr.training.run_log import Smoothed, StepReport
from focus_detr.training.state import TrainingState
from focus_detr.training.stop_signal import TrainingStopped
from focus_detr.training.trainer import Trainer
from focus_detr.weights.checkpoint import load_checkpoint, model_tensors

pytestmark = pytest.mark.usefixtures("shared_graphs")


def _resumed(run: TinyRun) -> Trainer:
    """Another process's trainer: other initial weights, then the saved state."""
    run.model_seed = 9
    return run.resumed()


def _everything(trainer: Trainer) -> dict[str, np.ndarray]:
    return {**model_tensors(trainer.parts.model), **trainer.parts.step.update.state()}


def _interrupt_at(epoch: int, batch: int, batches: int = 3) -> TinyLoader:
    def send(at_epoch: int, at_batch: int) -> None:
        if (at_epoch, at_batch) == (epoch, batch):
            os.kill(os.getpid(), signal.SIGTERM)

    return TinyLoader(before=send, batches=batches)


@pytest.mark.parametrize(
    ("place", "options"),
    [
        ((0, 0), {}),
        ((0, 2), {"ema_decay": 0.5}),
        ((1, 1), {"precision": "fp16", "ema_decay": 0.9}),
        ((1, 2), {"accumulate": 2, "ema_decay": 0.9}),
    ],
)
def test_interrupted_and_resumed_equals_uninterrupted(
    tmp_path: Path, place: tuple[int, int], options: dict[str, Any]
) -> None:
    group = options.get("accumulate", 1)
    loader = TinyLoader(batches=3 * group)
    whole = TinyRun(tmp_path / "whole", loader=loader, **options).trainer()
    assert whole.run().step == 6

    loader = _interrupt_at(*place, batches=3 * group)
    run = TinyRun(tmp_path / "parts", loader=loader, **options)
    done = 3 * place[0] + place[1] // group + 1
    with pytest.raises(TrainingStopped, match=f"on request after step {done} of 6.*--resume"):
        run.trainer().run()
    assert run.loader.closed == place[0] + 1
    run.loader = TinyLoader(batches=3 * group)
    resumed = _resumed(run)
    assert resumed.state.step == done
    resumed.run()

    expected = _everything(whole)
    averages, scale = 4 * ("ema_decay" in options), 3 * ("precision" in options)
    assert len(expected) == 4 + 2 * 4 + 1 + averages + scale
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


@pytest.mark.parametrize(
    ("scores", "kept", "best", "says"),
    [
        ((-1.0, -1.0), 1, None, ["has the latest weights"] * 2),
        ((-1.0, 0.0, -1.0), 1, 0.0, ["has the latest weights", "has the weights of AP 0.0"]),
        ((0.25, -1.0), 0, 0.25, ["has the weights of AP 25.0"]),
        ((0.25, float("nan")), 0, 0.25, []),
    ],
)
def test_while_no_ap_is_measured_the_latest_weights_are_the_best(
    tmp_path: Path, scores: tuple[float, ...], kept: int, best: float | None, says: list[str]
) -> None:
    sink, numbered = _Messages(), iter(enumerate(scores))

    def evaluate() -> dict[str, float]:
        number, score = next(numbered)
        trainer.parts.model.backbone.kernel.set_data(ms.ops.full((3,), float(number)))
        return {"AP": score}

    loader = TinyLoader(batches=0)  # nothing to compile
    run = TinyRun(tmp_path, len(scores), loader=loader, evaluate=evaluate, sinks=(sink,))
    trainer = run.trainer()
    assert trainer.run().best == best
    stored = load_checkpoint(tmp_path / "best.safetensors")
    np.testing.assert_array_equal(stored.tensors["backbone.kernel"], [kept] * 3)
    assert stored.metadata["training_state"]["best"] == best
    assert _resumed(run).state.best == best
    start = "AP cannot be measured without boxes; best.safetensors "
    assert [text.removeprefix(start) for text in sink.texts] == says


def test_a_state_that_took_no_ap_for_one_goes_on(tmp_path: Path) -> None:
    run = TinyRun(tmp_path, epochs=1, evaluate=lambda: {"AP": -1.0})
    assert run.trainer(TrainingState(0, 3, batch=3, best=-1.0)).run().best is None
    assert (tmp_path / "best.safetensors").is_file()


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
    with np.load(tmp_path / "bad_batch_step5_image102.npz") as saved:
        assert np.isnan(saved["images"][0]).all() and saved["image_ids"].tolist() == [102, 103]
    assert "\n" not in text
    assert trainer.parts.step.optimizer.state()["optimizer.step"] == 4
    assert all(np.isfinite(value).all() for value in _everything(trainer).values())
    assert _resumed(run).state.step == 3


def test_a_state_of_other_data_is_refused(tmp_path: Path) -> None:
    with pytest.raises(FocusDetrError, match="batches_per_epoch 7"):
        TinyRun(tmp_path).trainer(TrainingState(0, 7))
    with pytest.raises(FocusDetrError, match="seed 5"):
        TinyRun(tmp_path).trainer(TrainingState(5, 3))


class _Messages:
    """A sink that remembers sentences, steps and names of pictures."""

    def __init__(self) -> None:
        self.texts: list[str] = []
        self.reports: list[StepReport] = []
        self.shown: list[tuple[int | str, ...]] = []

    def step(self, report: StepReport, smoothed: Smoothed) -> None:
        self.reports.append(report)

    def evaluation(self, epoch: int, step: int, metrics: Mapping[str, float]) -> None: ...

    def pictures(self, step: int, pictures: Mapping[str, np.ndarray]) -> None:
        self.shown.append((step, *pictures))

    def message(self, text: str) -> None:
        self.texts.append(text)

    def close(self) -> None: ...


def test_each_evaluation_shows_its_pictures(tmp_path: Path) -> None:
    sink, pixels = _Messages(), np.zeros((2, 2, 3), np.uint8)
    evaluations = []

    def evaluate() -> dict[str, float]:
        evaluations.append(f"evaluation {len(evaluations)}")
        return {"AP": 0.5}

    def pictures() -> dict[str, np.ndarray]:
        return {evaluations[-1]: pixels}

    run = TinyRun(tmp_path, epochs=4, eval_every=2, evaluate=evaluate, pictures=pictures)
    run.sinks = (sink,)
    run.trainer().run()
    assert sink.shown == [(6, "evaluation 0"), (12, "evaluation 1")]


def test_the_log_tells_of_a_stop(tmp_path: Path) -> None:
    sink = _Messages()
    with pytest.raises(TrainingStopped):
        TinyRun(tmp_path, loader=_interrupt_at(0, 0), sinks=(sink,)).trainer().run()
    assert sink.texts[-1] == "saved the state after step 1 and stopped, as asked"


def test_a_jump_of_the_loss_is_told_with_its_images(tmp_path: Path) -> None:
    sink = _Messages()
    loader = TinyLoader(batches=30, outlier=25)
    TinyRun(tmp_path, epochs=2, loader=loader, sinks=(sink,)).trainer().run()
    spikes = [text for text in sink.texts if "loss spike" in text]
    assert [text.split(":")[0] for text in spikes] == [
        "loss spike at step 26",
        "loss spike at step 56",
    ]
    path = tmp_path / "spike_batch_step56_image150.npz"
    assert spikes[1].endswith(f"images 150, 151; the batch is in {path}")
    with np.load(path) as saved:
        assert saved["images"].min() > 900


def test_half_precision_skips_a_bad_step_and_says_so(tmp_path: Path) -> None:
    sink = _Messages()
    run = TinyRun(tmp_path, precision="fp16", loader=TinyLoader(poison=(1, 1)), sinks=(sink,))
    trainer = run.trainer()
    trainer.run()
    assert [text for text in sink.texts if "step 5: a gradient was too large" in text]
    assert [report.step for report in sink.reports] == [1, 2, 3, 4, 6]
    assert sink.reports[-1].scaling() == {"loss_scale": 2.0**15, "skipped_steps": 1}
    state = trainer.parts.step.update.state()
    assert (state["optimizer.step"], state["optimizer.skipped_steps"]) == (5, 1)


def test_a_scale_that_cannot_shrink_ends_the_run(tmp_path: Path) -> None:
    trainer = TinyRun(tmp_path, precision="fp16", loader=TinyLoader(poison=(0, 1))).trainer()
    scale = trainer.parts.step.update.loss_scale
    assert scale is not None
    scale.scale.set_data(Tensor(1.0, ms.float32))
    with pytest.raises(FocusDetrError, match=r"diverged at step 2.*the batch is in .*image2.npz"):
        trainer.run()


@pytest.mark.parametrize("accumulate", [1, 3])
def test_the_averages_are_evaluated_and_saved_but_not_trained(
    tmp_path: Path, accumulate: int
) -> None:
    seen: list[dict[str, np.ndarray]] = []

    def evaluate() -> dict[str, float]:
        model = trainer.parts.model
        seen.append(model_tensors(model))
        scale = seen[-1]["backbone.kernel"] * seen[-1]["norm.gamma"]
        logits = model(Tensor(np.ones((1, 3, 2, 2), np.float32)))  # a graph of its own
        expected = seen[-1]["class_heads.weight"] @ scale
        np.testing.assert_allclose(logits.asnumpy()[0], expected, rtol=1e-5)
        return {"AP": 0.1 * len(seen)}

    options = {"ema_decay": 0.9, "accumulate": accumulate, "epochs": 4}
    plain = TinyRun(tmp_path / "plain", accumulate=accumulate, epochs=4).trainer()
    plain.run()
    trainer = TinyRun(tmp_path / "averaged", evaluate=evaluate, **options).trainer()
    trainer.run()
    best = load_checkpoint(trainer.parts.folder.best).tensors
    averaged = load_checkpoint(trainer.parts.folder.averaged).tensors
    for name, value in model_tensors(plain.parts.model).items():
        np.testing.assert_array_equal(model_tensors(trainer.parts.model)[name], value)
        assert (seen[-1][name] != value).any()
        np.testing.assert_array_equal(seen[-1][name], best[name])
        np.testing.assert_array_equal(seen[-1][name], averaged[name])


def test_a_run_that_ends_before_it_saved_its_averages_is_not_finished(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail() -> None:
        raise RuntimeError("power cut")

    run = TinyRun(tmp_path, epochs=1, ema_decay=0.9, evaluate=lambda: {"AP": 0.5})
    trainer = run.trainer(TrainingState(0, 3, batch=3))  # only the evaluation is left
    monkeypatch.setattr(trainer, "_save_averaged", fail)
    with pytest.raises(RuntimeError, match="power cut"):
        trainer.run()
    _resumed(run).run()
    assert trainer.parts.folder.averaged.is_file()


def test_so_many_states_are_kept(tmp_path: Path) -> None:
    run = TinyRun(tmp_path, epochs=3, checkpoint_every=2, keep_checkpoints=2)
    trainer = run.trainer()
    trainer.run()
    kept = sorted((tmp_path / "checkpoints").iterdir())
    assert [path.name for path in kept] == [
        "step_00000008.safetensors",
        "step_00000009.safetensors",
    ]
    last = load_checkpoint(trainer.parts.folder.last)
    assert load_checkpoint(kept[1]).metadata == last.metadata
    assert load_checkpoint(kept[0]).metadata["training_state"]["batch"] == 2
    assert (kept[0].stat().st_mode & 0o777) == (trainer.parts.folder.last.stat().st_mode & 0o777)
