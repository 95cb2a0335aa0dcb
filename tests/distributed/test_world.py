"""One worker pays nothing; what several agree on."""

from __future__ import annotations

import os
from pathlib import Path

import mindspore.communication as communication
import numpy as np
import pytest
from told_world import ToldWorld

from focus_detr.distributed import world as module
from focus_detr.distributed.world import ROLE_VARIABLE, SINGLE, World, join_world
from focus_detr.errors import FocusDetrError
from focus_detr.process.worker_marks import MARKS_VARIABLE, MEETING, has_mark


def test_without_a_launcher_there_is_one_worker(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv(ROLE_VARIABLE, raising=False)
    assert join_world.__wrapped__() == SINGLE == World(0, 1)
    assert SINGLE.first and not World(1, 2).first


def test_who_waits_for_the_others_is_marked(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    marked: list[bool] = []

    def meet() -> None:
        marked.append(has_mark(tmp_path, os.getpid(), MEETING))

    monkeypatch.setenv(ROLE_VARIABLE, "MS_WORKER")
    monkeypatch.setenv(MARKS_VARIABLE, str(tmp_path))
    monkeypatch.setattr(communication, "init", meet)
    monkeypatch.setattr(communication, "get_rank", lambda: 1)
    monkeypatch.setattr(communication, "get_group_size", lambda: 2)
    assert join_world.__wrapped__() == World(1, 2)
    assert marked == [True]
    assert not has_mark(tmp_path, os.getpid(), MEETING)


def test_one_worker_computes_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    def fail() -> None:
        raise AssertionError("a collective operation was built")

    monkeypatch.setattr(module, "_sum", fail)
    monkeypatch.setattr(module, "_gather", fail)
    values = np.float32([1, 2])
    assert SINGLE.mean(values) is values
    assert SINGLE.gather(b"words") == [b"words"]
    assert SINGLE.from_first(b"words") == b"words"
    assert SINGLE.any(True) and not SINGLE.any(False)
    SINGLE.wait()
    SINGLE.require_equal([1], "never said")


@pytest.mark.parametrize("payload", [b"", b"x", b"seven b", bytes(range(256)) * 3])
def test_payloads_of_any_length_survive(monkeypatch: pytest.MonkeyPatch, payload: bytes) -> None:
    lengths = []

    def gathered(values: module.Tensor) -> module.Tensor:
        array = values.asnumpy()
        lengths.append(array.size)
        return module.Tensor(np.concatenate([array, array]))

    monkeypatch.setattr(module, "_gather", lambda: gathered)
    assert World(0, 2).gather(payload) == [payload, payload]
    assert lengths[0] == 1  # the longest payload's length
    assert lengths[1] & (lengths[1] - 1) == 0  # few lengths, few graphs


def test_workers_that_differ_go_no_further() -> None:
    ToldWorld(said=repr((1, "a")).encode()).require_equal([1, "a"], "differ")
    with pytest.raises(FocusDetrError, match=r"^differ$"):
        ToldWorld(said=repr((2, "a")).encode()).require_equal([1, "a"], "differ")


def test_the_first_worker_is_heard_by_all() -> None:
    assert ToldWorld(rank=1, said=b"first").from_first(b"second") == b"first"
