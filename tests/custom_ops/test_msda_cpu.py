"""The CPU kernels without MindSpore: against float64, at borders, for all types and threads."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from msda_native import Native, NativeError, from_bfloat16, level_arrays, to_bfloat16
from msda_twin import (
    check_native,
    check_native_along,
    close,
    random_problem,
    sample,
    sample_fused,
)

TESTS = Path(__file__).resolve().parents[1]
VARIANTS = ("baseline", "avx2", "avx512")
SHAPES = ((3, 5), (2, 2), (1, 1))
WRONG_SIZE, WRONG_LEVELS, TOO_LARGE = 3, 5, 6

DIGEST = """
import hashlib, sys
import numpy as np
from pathlib import Path
from msda_native import Native
from msda_twin import random_problem
native, digest = Native(Path(sys.argv[1])), hashlib.sha256()
problems = [  # rows are read often enough for copies from the second case on
    random_problem(3, ((20, 25), (10, 12)), batch=2, heads=3, depth=20, queries=99),
    random_problem(3, ((20, 25), (10, 12)), batch=2, heads=3, depth=20, queries=1000),
    random_problem(4, ((5, 6), (4, 3), (2, 2), (1, 2)), depth=32, queries=50, points=4),
]
for p in problems:
    for places, weights in ((p.locations, p.weights), (p.references, p.projected)):
        digest.update(native.forward(p.value, p.shapes, places, weights))
        for gradient in native.backward(p.value, p.shapes, places, weights, p.grad_output):
            digest.update(gradient)
print(native.variant, digest.hexdigest())
"""


@pytest.fixture(scope="module")
def native(msda_library: Path) -> Native:
    return Native(msda_library)


@settings(max_examples=15)
@given(
    seed=st.integers(0, 2**16),
    shapes=st.lists(st.tuples(st.integers(1, 4), st.integers(1, 4)), min_size=1, max_size=3),
    heads=st.integers(1, 2),
    depth=st.integers(1, 7),
    points=st.integers(1, 3),
    reference_size=st.sampled_from((2, 4)),
)
def test_small_sizes_equal_float64(native: Native, seed: int, shapes: list, **sizes: int) -> None:
    check_native(native, random_problem(seed, tuple(shapes), **sizes))


@settings(max_examples=40)
@given(
    seed=st.integers(0, 2**16),
    shapes=st.lists(st.tuples(st.integers(1, 6), st.integers(1, 6)), min_size=1, max_size=4),
    batch=st.integers(1, 3),
    heads=st.integers(1, 4),
    depth=st.one_of(st.integers(1, 70), st.sampled_from((16, 32, 33, 40, 64))),
    queries=st.integers(1, 40),
    points=st.integers(1, 6),
    reference_size=st.sampled_from((2, 4)),
)
def test_larger_sizes_equal_float64(native: Native, seed: int, shapes: list, **sizes: int) -> None:
    check_native_along(native, random_problem(seed, tuple(shapes), **sizes), seed)


@pytest.mark.parametrize("depth", [4, 8, 16, 20, 32, 40, 61])
def test_any_head_width_equals_float64(native: Native, depth: int) -> None:
    check_native(native, random_problem(depth, ((2, 3),), heads=1, depth=depth, queries=2))


def test_batches_and_many_queries_equal_float64(native: Native) -> None:
    p = random_problem(1, SHAPES, batch=3, heads=4, depth=17, queries=150, points=3)
    close(
        native.forward(p.value, p.shapes, p.locations, p.weights),
        sample(p.value, p.shapes, p.locations, p.weights),
        2e-6,
        "output",
    )


@pytest.mark.parametrize("fused", [False, True])
def test_queries_in_another_order_get_the_same_results(native: Native, fused: bool) -> None:
    """Bit by bit, but for the value's gradient, which is a sum over the queries."""
    p = random_problem(9, ((9, 7), (4, 5)), batch=2, heads=2, depth=32, queries=200)
    places, weights = (p.references, p.projected) if fused else (p.locations, p.weights)
    order = np.random.default_rng(0).permutation(200)
    moved = [np.ascontiguousarray(x[:, order]) for x in (places, weights, p.grad_output)]
    output = native.forward(p.value, p.shapes, places, weights)
    found = native.forward(p.value, p.shapes, *moved[:2])
    np.testing.assert_array_equal(found, output[:, order])
    expected = native.backward(p.value, p.shapes, places, weights, p.grad_output)
    found = native.backward(p.value, p.shapes, *moved)
    close(found[0], expected[0], 2e-6, "value")
    for ours, theirs in zip(found[1:], expected[1:], strict=True):
        np.testing.assert_array_equal(ours, theirs[:, order])


def run_digest(library: Path, **environment: str) -> str:
    """Variant and hash of all results of a process with these environment variables."""
    settings_ = os.environ | {"PYTHONPATH": str(TESTS)} | environment
    command = [sys.executable, "-c", DIGEST, str(library)]
    finished = subprocess.run(command, capture_output=True, text=True, env=settings_, check=True)
    return finished.stdout.strip()


@pytest.mark.parametrize("variant", VARIANTS)
def test_the_number_of_threads_changes_no_bit(msda_library: Path, variant: str) -> None:
    digests = {
        run_digest(msda_library, OMP_NUM_THREADS=str(threads), FOCUS_DETR_MSDA_VARIANT=variant)
        for threads in (1, 2, 7)
    }
    assert len(digests) == 1


@pytest.mark.parametrize("variant", VARIANTS)
def test_every_variant_equals_float64(msda_library: Path, variant: str) -> None:
    script = (
        "import sys; from pathlib import Path; from msda_native import Native; "
        "from msda_twin import check_native, random_problem; "
        "native = Native(Path(sys.argv[1])); "
        "check_native(native, random_problem(5, ((3, 4), (2, 2)), depth=61, heads=1)); "
        "print(native.variant)"
    )
    environment = os.environ | {"PYTHONPATH": str(TESTS), "FOCUS_DETR_MSDA_VARIANT": variant}
    command = [sys.executable, "-c", script, str(msda_library)]
    finished = subprocess.run(command, capture_output=True, text=True, env=environment, check=False)
    assert finished.returncode == 0, finished.stderr
    ran = finished.stdout.strip()
    if ran != variant:
        pytest.skip(f"this processor has no {variant}; {ran} ran")


EDGES = (-1.0, -0.5, 0.0, 0.5, 1.0, 2.0, 3.0, 3.5, 4.0)  # pixels of a map four cells wide


def edge_problem() -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Value of a 1 x 4 map, and one sample per edge in its only row."""
    value = np.array([1.0, -2.0, 4.0, 8.0], np.float32).reshape(1, 4, 1, 1)
    locations = np.full((1, len(EDGES), 1, 1, 1, 2), 0.5, np.float32)
    locations[0, :, 0, 0, 0, 0] = (np.array(EDGES) + 0.5) / 4
    return value, locations, np.ones(locations.shape[:-1], np.float32)


def test_borders_and_pixel_centres(native: Native) -> None:
    value, locations, weights = edge_problem()
    output = native.forward(value, ((1, 4),), locations, weights)
    expected = [0.0, 0.5, 1.0, -0.5, -2.0, 4.0, 8.0, 4.0, 0.0]
    np.testing.assert_array_equal(output.ravel(), expected)


def test_the_gradient_at_a_kink_is_the_right_hand_one(native: Native) -> None:
    value, locations, weights = edge_problem()
    ones = np.ones((1, len(EDGES), 1), np.float32)
    _, grad_locations, _ = native.backward(value, ((1, 4),), locations, weights, ones)
    slopes = [1.0, 1.0, -3.0, -3.0, 6.0, 4.0, -8.0, -8.0, 0.0]  # per pixel
    np.testing.assert_array_equal(grad_locations[..., 0].ravel(), np.array(slopes) * 4)


BAD = (np.nan, np.inf, -np.inf, 3e38, -3e38, 1e9, -1e9)


@pytest.mark.parametrize("bad", BAD)
def test_a_place_that_is_nowhere_adds_nothing(native: Native, bad: float) -> None:
    p = random_problem(2, SHAPES, queries=3)
    for axis in (0, 1):
        locations, weights = p.locations.copy(), p.weights.copy()
        locations[0, 1, 0, :, 0, axis] = bad
        weights[0, 1, 0, :, 0] = 0.0
        expected = sample(p.value, p.shapes, p.locations, weights)
        weights[0, 1, 0, :, 0] = 1.0
        found = native.forward(p.value, p.shapes, locations, weights)
        close(found, expected, 2e-6, "output")
        found = native.backward(p.value, p.shapes, locations, weights, p.grad_output)
        assert all(np.isfinite(gradient).all() for gradient in found)
        assert not found[1][0, 1, 0, :, 0].any() and not found[2][0, 1, 0, :, 0].any()


@pytest.mark.parametrize("bad", BAD)
@pytest.mark.parametrize("reference_size", [2, 4])
def test_bad_references_and_offsets_leave_finite_gradients(
    native: Native, bad: float, reference_size: int
) -> None:
    p = random_problem(2, SHAPES, queries=3, reference_size=reference_size)
    references, projected = p.references.copy(), p.projected.copy()
    references[0, 0, 1] = bad
    projected[0, 1, :3] = bad
    assert np.isfinite(native.forward(p.value, p.shapes, references, projected)).all()
    found = native.backward(p.value, p.shapes, references, projected, p.grad_output)
    assert all(np.isfinite(gradient).all() for gradient in found)
    assert not found[1][0, 0, 1].any()
    clean = native.backward(p.value, p.shapes, p.references, p.projected, p.grad_output)
    np.testing.assert_array_equal(found[2][0, 2], clean[2][0, 2])  # another query notices nothing


def test_large_logits_neither_overflow_nor_vanish(native: Native) -> None:
    p = random_problem(4, SHAPES)
    projected = p.projected.copy()
    entries = projected.shape[-1] // 3
    projected[..., 2 * entries :] *= 100
    projected[0, 0, 2 * entries] = -np.inf
    found = native.forward(p.value, p.shapes, p.references, projected)
    close(found, sample_fused(p.value, p.shapes, p.references, projected), 2e-6, "output")
    projected[0, 0, 2 * entries] = np.nan
    found = native.forward(p.value, p.shapes, p.references, projected)
    assert np.isnan(found[0, 0, :3]).all() and np.isfinite(found[0, 1]).all()


@pytest.mark.parametrize(("kind", "bound"), [("float16", 1e-3), ("bfloat16", 8e-3)])
@pytest.mark.parametrize("depth", [3, 32])
def test_half_precision_values_round_once(
    native: Native, kind: str, bound: float, depth: int
) -> None:
    """The output's rounding is the only error: half a unit of its own type."""
    p = random_problem(6, SHAPES, depth=depth, queries=20)
    encode = to_bfloat16 if kind == "bfloat16" else lambda a: a.astype(np.float16)
    decode = from_bfloat16 if kind == "bfloat16" else lambda a: a.astype(np.float32)
    value, grad_output = encode(p.value), encode(p.grad_output)
    exact = native.forward(decode(value), p.shapes, p.locations, p.weights)
    found = native.forward(value, p.shapes, p.locations, p.weights)
    np.testing.assert_array_equal(found, encode(exact))
    assert np.abs(decode(found) - exact).max() <= bound * np.abs(exact).max()
    places = (p.shapes, p.locations, p.weights)
    for half, full in zip(
        native.backward(value, *places, grad_output),
        native.backward(decode(value), *places, decode(grad_output)),
        strict=True,
    ):
        np.testing.assert_array_equal(half, full)


def test_every_half_precision_number_is_read_and_written_exactly(native: Native) -> None:
    """One sample in the middle of four equal cells, with a channel for each number of 16 bits."""
    bits = np.arange(2**16, dtype=np.uint16)
    location = np.full((1, 1, 1, 1, 1, 2), 0.5, np.float32)
    weight = np.ones((1, 1, 1, 1, 1), np.float32)
    for value, decode in ((bits.view(np.float16), np.float32), (bits, from_bfloat16)):
        tensor = np.broadcast_to(value, (1, 4, 1, len(value)))
        found = native.forward(tensor, ((2, 2),), location, weight).ravel()
        np.testing.assert_array_equal(decode(found), decode(value))


@pytest.mark.parametrize(
    ("kind", "first", "last"), [("float16", 0, 0x7BFF), ("bfloat16", 0x0180, 0x7F7F)]
)
def test_results_round_to_the_nearest_number_and_ties_to_even(
    native: Native, kind: str, first: int, last: int
) -> None:
    """Numbers in the middle of two and just beside, as weights of a value of one."""
    bits = np.arange(first, last, dtype=np.uint16)
    decode = from_bfloat16 if kind == "bfloat16" else lambda a: a.view(np.float16)
    lower, upper = (decode(b).astype(np.float64) for b in (bits, bits + np.uint16(1)))
    middle = ((lower + upper) / 2).astype(np.float32)
    middle = np.append(middle, middle[-1] + np.float32(upper[-1] - lower[-1]))  # half way to inf
    numbers = np.concatenate([np.nextafter(middle, end) for end in (0.0, middle, np.inf)])
    numbers = np.concatenate((numbers, -numbers)).astype(np.float32)
    with np.errstate(over="ignore"):
        expected = to_bfloat16(numbers) if kind == "bfloat16" else numbers.astype(np.float16)
    value = np.full((1, 4, 1, 1), 0x3F80, np.uint16)
    value = value if kind == "bfloat16" else np.ones_like(value, np.float16)
    locations = np.full((1, len(numbers), 1, 1, 1, 2), 0.5, np.float32)
    weights = numbers.reshape(1, -1, 1, 1, 1)
    found = native.forward(value, ((2, 2),), locations, weights)
    np.testing.assert_array_equal(found.ravel(), expected)


def test_no_queries_and_no_images(native: Native) -> None:
    none = random_problem(0, SHAPES, queries=0)
    for places, weights in (
        (none.locations, none.weights),
        (none.references, none.projected),
    ):
        assert native.forward(none.value, SHAPES, places, weights).shape == (1, 0, 6)
        found = native.backward(none.value, SHAPES, places, weights, none.grad_output)
        assert not found[0].any() and found[1].size == 0 and found[2].size == 0
    empty = random_problem(0, SHAPES, batch=0)
    assert native.forward(empty.value, SHAPES, empty.locations, empty.weights).size == 0


def test_levels_may_leave_gaps_and_have_64_bits(native: Native) -> None:
    p = random_problem(7, ((2, 3), (1, 4)))
    spread = np.zeros((1, 14, 2, 3), np.float32)
    spread[:, 1:7], spread[:, 9:13] = p.value[:, :6], p.value[:, 6:]
    sizes, _ = level_arrays(p.shapes, np.int64)
    levels = (sizes, np.array([1, 9], np.int64))
    found = native.backward(spread, levels, p.locations, p.weights, p.grad_output)
    expected = native.backward(p.value, p.shapes, p.locations, p.weights, p.grad_output)
    np.testing.assert_array_equal(
        np.concatenate((found[0][:, 1:7], found[0][:, 9:13]), 1), expected[0]
    )
    assert not found[0][:, [0, 7, 8, 13]].any()
    np.testing.assert_array_equal(found[1], expected[1])


@pytest.mark.parametrize(
    ("shapes", "starts", "status"),
    [
        ([[2, 3], [1, 4]], [0, 7], WRONG_LEVELS),  # ends behind the last token
        ([[2, 3], [1, 4]], [0, 5], WRONG_LEVELS),  # overlaps
        ([[2, 3], [1, 4]], [4, 0], WRONG_LEVELS),  # descends
        ([[2, 3], [0, 4]], [0, 6], WRONG_LEVELS),
        ([[2, 3], [1, -4]], [0, 6], WRONG_LEVELS),
        ([[2, 3], [1, 4]], [-1, 6], WRONG_LEVELS),
        ([[2, 3], [1, 2**30]], [0, 6], TOO_LARGE),
    ],
)
def test_levels_that_do_not_fit_are_refused(
    native: Native, shapes: list, starts: list, status: int
) -> None:
    p = random_problem(7, ((2, 3), (1, 4)))
    levels = (np.array(shapes, np.int32), np.array(starts, np.int32))
    with pytest.raises(NativeError) as caught:
        native.forward(p.value, levels, p.locations, p.weights)
    assert caught.value.args == (status,)


def test_references_of_another_size_are_refused(native: Native) -> None:
    p = random_problem(7, SHAPES)
    references = np.zeros((1, 2, 3, 3), np.float32)
    with pytest.raises(NativeError) as caught:
        native.forward(p.value, SHAPES, references, p.projected)
    assert caught.value.args == (WRONG_SIZE,)
