"""Spikes against the median, and batches on disk."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from tiny_training import TinyLoader

from focus_detr.errors import FocusDetrError
from focus_detr.training.early_warnings import LEAST, WINDOW, SpikeWatch, save_batch


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
    path = save_batch(tmp_path, 7, batches)
    assert path.name == "bad_batch_step7_image200.npz"
    with np.load(path) as saved:
        for index, batch in enumerate(batches):
            for name, value in vars(batch).items():
                key = name if count == 1 else f"{index}/{name}"
                np.testing.assert_array_equal(saved[key], value)


def test_a_folder_that_cannot_be_written_is_named(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(FocusDetrError, match=r"cannot write .*bad_batch_step1"):
        save_batch(tmp_path / "file", 1, tuple(TinyLoader().epoch(0))[:1])
