"""The loop of one worker among several: what it agrees on, and what it leaves to the first."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from mindspore import Parameter, Tensor, nn
from tiny_training import TinyLoader, TinyRun
from told_world import ToldWorld

from focus_detr.errors import FocusDetrError
from focus_detr.models.denoising.contrastive import ContrastiveQueries
from focus_detr.training.metrics_file import JsonLinesSink
from focus_detr.training.state import fingerprint
from focus_detr.training.stop_signal import TrainingStopped
from focus_detr.training.update import Update

pytestmark = pytest.mark.usefixtures("shared_graphs")


def _records(path: Path) -> list[dict]:
    return [json.loads(line) for line in path.read_text().splitlines()]


def test_only_the_first_worker_writes(tmp_path: Path) -> None:
    for rank in (1, 0):
        run = TinyRun(tmp_path, epochs=1, evaluate=lambda: {"AP": 0.5}, world=ToldWorld(rank))
        assert list(tmp_path.iterdir()) == []
        run.trainer().run()
    assert {path.name for path in tmp_path.iterdir()} == {"last.safetensors", "best.safetensors"}


def test_another_worker_s_wish_stops_all_after_the_same_step(tmp_path: Path) -> None:
    run = TinyRun(tmp_path, world=ToldWorld(wish=True))
    with pytest.raises(TrainingStopped, match="after step 1 of 6"):
        run.trainer().run()
    assert (tmp_path / "last.safetensors").exists()


def test_the_worker_with_the_bad_loss_is_quoted(tmp_path: Path) -> None:
    loader = TinyLoader(poison=(0, 0))
    run = TinyRun(tmp_path, loader=loader, world=ToldWorld(said=b"", rank=1))
    with pytest.raises(FocusDetrError, match="images 0, 1"):
        run.trainer().run()
    run.world = ToldWorld(said=b"images 7, 8 are bad", rank=1)
    with pytest.raises(FocusDetrError, match=r"^images 7, 8 are bad$"):
        run.trainer().run()
    (saved,) = tmp_path.iterdir()
    assert saved.name == "bad_batch_step1_worker1_image0.npz"


class _BadGradient:
    """Stands for a step whose loss is finite for this worker and all others."""

    def __init__(self, update: Update) -> None:
        self.update = update

    def set_train(self, mode: bool) -> None: ...

    def __call__(self, *inputs: Tensor) -> tuple[Tensor, ...]:
        outputs = (np.float32(3), np.ones(2, np.float32), np.float32(np.nan), np.array(False))
        return tuple(Tensor(output) for output in outputs)


@pytest.mark.parametrize("rank", [0, 1])
def test_without_a_bad_loss_every_worker_saves_its_batch(tmp_path: Path, rank: int) -> None:
    trainer = TinyRun(tmp_path, world=ToldWorld(rank=rank)).trainer()
    step = _BadGradient(trainer.parts.step.update)
    trainer.parts = replace(trainer.parts, step=step)
    name = f"bad_batch_step1_worker{rank}_image0.npz"
    with pytest.raises(FocusDetrError, match=f"loss 3, gradient norm nan.*{name}.*of all"):
        trainer.run()
    assert [path.name for path in tmp_path.iterdir()] == [name]


def test_the_log_has_the_mean_over_the_workers(tmp_path: Path) -> None:
    losses = []
    for name, world in (("one", ToldWorld(numbers=0.0)), ("two", ToldWorld(numbers=3.0))):
        path = tmp_path / f"{name}.jsonl"
        TinyRun(
            tmp_path / name, epochs=1, sinks=(JsonLinesSink(path),), world=world
        ).trainer().run()
        losses.append([record for record in _records(path) if record["kind"] == "train"])
    for alone, shared in zip(*losses, strict=True):
        assert shared["loss"] == pytest.approx(alone["loss"] + 1.5)
        assert shared["parts"]["loss_bbox"] == pytest.approx(alone["parts"]["loss_bbox"] + 1.5)


@pytest.mark.parametrize(("another", "found"), [(0, "DIFFERENT weights"), (None, "the same")])
def test_weights_are_compared_at_the_end(tmp_path: Path, another: int | None, found: str) -> None:
    path = tmp_path / "log.jsonl"
    run = TinyRun(tmp_path, epochs=1, sinks=(JsonLinesSink(path),))
    trainer = run.trainer()
    trainer.run()  # alone
    assert "message" not in [record["kind"] for record in _records(path)]
    another = fingerprint(trainer.parts.model) if another is None else another
    run.world = ToldWorld(said=repr((another,)).encode())
    run.trainer().run()
    (said,) = (record["text"] for record in _records(path) if record["kind"] == "message")
    assert said.startswith("after step 3 all 2 workers hold " + found)


class _Five(nn.Cell):
    """Stands for a worker that has an image with five boxes."""

    def construct(self, number: Tensor) -> Tensor:
        return number * 0 + 5


def test_slots_are_laid_out_for_the_largest_image_of_all_workers() -> None:
    def layout(counts: list[int], reduce_largest: nn.Cell | None = None) -> list[np.ndarray]:
        valid = np.arange(6) < np.array(counts)[:, None]
        table = Parameter(Tensor(np.zeros((1, 1), np.float32)))
        queries = ContrastiveQueries(table, number=12, reduce_largest=reduce_largest)
        parts = queries.layout(Tensor(valid.astype(np.float32)))
        return [parts[key].asnumpy() for key in ("group", "target", "positive", "groups")]

    for whole, share in zip(layout([2, 5]), layout([2], _Five()), strict=True):
        np.testing.assert_array_equal(whole, share)
    assert layout([2])[3] == 6.0 and layout([2], _Five())[3] == 2.0
