"""The tiling arithmetic of the Ascend operators."""

from __future__ import annotations

from pathlib import Path

import pytest
from ascend_emulation import UNIFIED_BUFFER, EmulatedKernels, Shape
from hypothesis import given, settings
from hypothesis import strategies as st

CORES = 48  # vector cores of a 910B
RESERVED = 8 * 1024  # scratch of CANN's Select


def _shape(
    batch: int = 1,
    tokens: int = 17821,
    heads: int = 8,
    depth: int = 32,
    queries: int = 8911,
    levels: int = 4,
    points: int = 4,
    value_bytes: int = 4,
) -> Shape:
    return Shape(batch, tokens, heads, depth, queries, levels, points, value_bytes)


@pytest.mark.parametrize("value_bytes", [2, 4])
@pytest.mark.parametrize(("backward", "queries_per_tile"), [(False, 8), (True, 4)])
def test_encoder_tiles_hold_several_queries(
    library: Path, value_bytes: int, backward: bool, queries_per_tile: int
) -> None:
    kernels = EmulatedKernels(library)
    plan = kernels.plan(_shape(value_bytes=value_bytes), backward, CORES)
    assert plan is not None
    assert plan.tile_items >= queries_per_tile * plan.heads
    assert plan.fetch_samples == plan.samples == 16
    assert plan.cores == CORES


@settings(max_examples=200)
@given(
    batch=st.integers(1, 4),
    heads=st.integers(1, 16),
    depth=st.integers(1, 256),
    queries=st.integers(0, 30_000),
    levels=st.integers(1, 16),
    points=st.integers(1, 16),
    value_bytes=st.sampled_from([2, 4]),
    backward=st.booleans(),
    cores=st.integers(1, 64),
)
def test_every_item_has_a_core_and_every_tile_fits(
    library: Path,
    batch: int,
    heads: int,
    depth: int,
    queries: int,
    levels: int,
    points: int,
    value_bytes: int,
    backward: bool,
    cores: int,
) -> None:
    kernels = EmulatedKernels(library)
    shape = _shape(batch, 1000, heads, depth, queries, levels, points, value_bytes)
    plan = kernels.plan(shape, backward, cores)
    assert plan is not None  # whatever the built-in primitive takes, ours takes
    assert plan.items == batch * queries * heads <= plan.cores * plan.items_per_core
    assert 1 <= plan.cores <= cores
    assert backward or plan.cores == 1 or (plan.cores - 1) * plan.items_per_core < plan.items
    assert 1 <= plan.tile_items <= plan.items_per_core
    assert plan.tile_samples >= plan.tile_items * plan.sample_pitch
    assert kernels.plan_bytes(plan, value_bytes, backward) <= UNIFIED_BUFFER - RESERVED
    # what one vector instruction, copy or block can hold
    assert plan.fetch_samples % 8 == 0 and plan.fetch_samples <= 255
    assert plan.tile_samples % 64 == 0 and 2 * plan.tile_samples // 64 <= 255
    assert plan.tile_items <= 4095
    assert plan.depth_pitch * value_bytes % 32 == 0
    assert plan.depth <= plan.depth_pitch < plan.depth + 32 // value_bytes


@pytest.mark.parametrize(
    "wrong",
    [
        {"tokens": 2**27},
        {"depth": 513},
        {"depth": 0},
        {"levels": 0},
        {"queries": 2**28},
        {"levels": 100, "points": 100},
    ],
)
def test_no_plan_beyond_the_limits(library: Path, wrong: dict[str, int]) -> None:
    assert EmulatedKernels(library).plan(_shape(**wrong), False, CORES) is None


def test_no_plan_for_a_buffer_that_holds_no_item(library: Path) -> None:
    assert EmulatedKernels(library, buffer_bytes=12_288).plan(_shape(), False, CORES) is None
