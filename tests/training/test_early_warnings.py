"""Spikes against the median, and batches on disk."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from tiny_training import TinyLoader

from focus_detr.distributed.world import World
from focus_detr.training.early_warnings import LEAST, MOST_SPIKES, WINDOW, BatchFiles, SpikeWatch


def test_only_what_is_far_above_the_latest_median_is_a_spike() -> None:
    watch = SpikeWatch(3.0)
    assert [watch.usual(100.0 if step == 5 else 2.0) for step in range(LEAST)] == [None] * LEAST
    assert watch.usual(5.9) is None
    assert watch.usual(6.1) == 2.0
    for _ in range(WINDOW):
        watch.usual(50.0)
    assert watch.usual(100.0) is None


def test_the_watch_can_be_switched_off() -> None:
    watch = SpikeWatch(0.0)
    assert [watch.usual(10.0**step) for step in range(LEAST + 5)] == [None] * (LEAST + 5)


@pytest.mark.parametrize("count", [1, 2])
def test_a_saved_batch_holds_every_array(tmp_path: Path, count: int) -> None:
    batches = tuple(TinyLoader().epoch(2))[:count]
    path = tmp_path / "bad_batch_step7_image200.npz"
    assert BatchFiles(tmp_path).save_bad(7, batches) == f"the batch is in {path}"
    with np.load(path) as saved:
        for index, batch in enumerate(batches):
            for name, value in vars(batch).items():
                key = name if count == 1 else f"{index}/{name}"
                np.testing.assert_array_equal(saved[key], value)


def test_a_few_spikes_are_saved_and_each_worker_s_by_its_name(tmp_path: Path) -> None:
    batches = tuple(TinyLoader().epoch(0))[:1]
    for rank in (0, 1):
        files = BatchFiles(tmp_path, World(rank, 2))
        for step in range(MOST_SPIKES):
            path = tmp_path / f"spike_batch_step{step}_worker{rank}_image0.npz"
            assert files.save_spike(step, batches) == f"worker {rank}'s batch is in {path}"
        assert "not saved" in files.save_spike(MOST_SPIKES, batches)
        assert "is in" in files.save_spike(0, batches)  # a step that a resumed run repeats
    assert len(list(tmp_path.iterdir())) == 2 * MOST_SPIKES


def test_a_batch_that_cannot_be_saved_is_told(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    files, batches = BatchFiles(tmp_path / "file"), tuple(TinyLoader().epoch(0))[:1]
    for save, kind in ((files.save_bad, "bad"), (files.save_spike, "spike")):
        expected = f"the batch is not saved: cannot write {tmp_path / 'file' / kind}_batch_step1"
        assert save(1, batches).startswith(expected)
