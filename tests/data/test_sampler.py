"""Batches of indices."""

from __future__ import annotations

from collections.abc import Hashable, Sequence
from itertools import chain

import pytest
from hypothesis import given
from hypothesis import strategies as st

from focus_detr.data.sampler import BLANK, BatchSampler, EvalSampler, TrainSampler


def _batches(sampler: BatchSampler, groups: Sequence[Hashable], epoch: int) -> list[tuple]:
    """What one rank loads."""
    return [sampler.own(together) for together in sampler.together(groups, epoch)]


groups_of = st.lists(st.integers(0, 3), min_size=1, max_size=60)
batch_sizes = st.integers(1, 5)
world_sizes = st.integers(1, 3)


@given(groups_of, batch_sizes, world_sizes, st.integers(0, 5))
def test_training_uses_each_image_at_most_once(
    groups: list[int], batch_size: int, world_size: int, epoch: int
) -> None:
    ranks = [
        _batches(TrainSampler(batch_size, 0, rank, world_size), groups, epoch)
        for rank in range(world_size)
    ]
    step = batch_size * world_size
    assert [len(batches) for batches in ranks] == [len(groups) // step] * world_size
    used = list(chain.from_iterable(chain.from_iterable(ranks)))
    assert len(used) == len(set(used)) == len(groups) // step * step
    assert all(len(batch) == batch_size for batches in ranks for batch in batches)


def test_only_left_over_images_share_a_batch_with_another_group() -> None:
    groups = [0] * 13 + [1] * 14
    batches = _batches(TrainSampler(4, seed=0), groups, 0)
    mixed = [batch for batch in batches if len({groups[i] for i in batch}) > 1]
    assert len(batches) == 6
    assert len(mixed) <= 1


def test_ranks_of_a_step_work_on_one_group() -> None:
    groups = [0] * 16 + [1] * 16
    ranks = [_batches(TrainSampler(2, 0, rank, 4), groups, 3) for rank in range(4)]
    for parts in zip(*ranks, strict=True):
        assert len({groups[i] for part in parts for i in part}) == 1


def test_training_order_depends_on_seed_and_epoch_alone() -> None:
    groups = [0, 1] * 20
    first = _batches(TrainSampler(2, seed=5), groups, 1)
    assert first == _batches(TrainSampler(2, seed=5), groups, 1)
    assert first != _batches(TrainSampler(2, seed=5), groups, 2)
    assert first != _batches(TrainSampler(2, seed=6), groups, 1)


def test_dropped_images_change_from_epoch_to_epoch() -> None:
    groups = [0] * 5 + [1] * 5
    sampler = TrainSampler(4, seed=0)
    used = [set(chain.from_iterable(_batches(sampler, groups, epoch))) for epoch in range(40)]
    dropped = [set(range(10)) - indices for indices in used]
    assert {len(indices) for indices in dropped} == {2}
    assert set().union(*dropped) == set(range(10))


@given(groups_of, batch_sizes, world_sizes)
def test_evaluation_uses_each_image_once(
    groups: list[int], batch_size: int, world_size: int
) -> None:
    ranks = [
        _batches(EvalSampler(batch_size, rank, world_size), groups, 0) for rank in range(world_size)
    ]
    assert len({len(batches) for batches in ranks}) == 1
    used = [i for batches in ranks for batch in batches for i in batch if i != BLANK]
    assert sorted(used) == list(range(len(groups)))
    for batch in chain.from_iterable(ranks):
        assert len(batch) == batch_size
        assert len({groups[i] for i in batch if i != BLANK}) <= 1


@pytest.mark.parametrize("epoch", [0, 3])
def test_evaluation_keeps_the_order_of_the_file(epoch: int) -> None:
    assert _batches(EvalSampler(2), ["a", "b", "a", "a"], epoch) == [(0, 2), (3, BLANK), (1, BLANK)]


@given(groups_of, st.integers(1, 3), st.sampled_from([1, 2, 3, 6]), st.integers(0, 5))
def test_the_images_of_a_step_do_not_depend_on_the_number_of_ranks(
    groups: list[int], batch_size: int, world_size: int, epoch: int
) -> None:
    one = TrainSampler(6 * batch_size, seed=0).together(groups, epoch)
    share = 6 * batch_size // world_size
    ranks = [TrainSampler(share, 0, rank, world_size) for rank in range(world_size)]
    assert all(rank.together(groups, epoch) == one for rank in ranks)
    for step in one:
        dealt = [image for rank in ranks for image in rank.own(step)]
        assert sorted(dealt) == sorted(step)
        assert {len(rank.own(step)) for rank in ranks} == {share}
