"""The Ascend kernels on the emulator: golden numbers, plain twins, borders, types, tiles."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from ascend_emulation import EmulatedKernels
from golden_data import check, load
from hypothesis import given, settings
from hypothesis import strategies as st
from msda_gradient_twin import sample_gradients
from msda_twin import sample

Shapes = tuple[tuple[int, int], ...]
GRADIENTS = ("grad_value", "grad_locations", "grad_weights")
# rounding of values and result, relative to the largest value
ROUNDING = {"float32": 1e-6, "float16": 2e-3, "bfloat16": 1.6e-2}


@pytest.fixture(scope="module")
def kernels(library: Path) -> EmulatedKernels:
    return EmulatedKernels(library)


def _case(
    rng: np.random.Generator,
    shapes: Shapes,
    batch: int = 1,
    heads: int = 2,
    depth: int = 8,
    queries: int = 3,
    points: int = 2,
) -> tuple[np.ndarray, Shapes, np.ndarray, np.ndarray]:
    tokens = sum(rows * columns for rows, columns in shapes)
    samples = (batch, queries, heads, len(shapes), points)
    value = rng.normal(size=(batch, tokens, heads, depth)).astype(np.float32)
    locations = rng.uniform(-0.4, 1.4, (*samples, 2)).astype(np.float32)
    return value, shapes, locations, rng.uniform(size=samples).astype(np.float32)


def _golden(name: str) -> tuple[dict, tuple[np.ndarray, Shapes, np.ndarray, np.ndarray]]:
    golden = load(name)
    shapes = tuple((int(h), int(w)) for h, w in golden["spatial_shapes"])
    inputs = golden["value"], shapes, golden["sampling_locations"], golden["attention_weights"]
    return golden, inputs


def _assert_close(found: np.ndarray, exact: np.ndarray, rounding: float, name: str) -> None:
    scale = max(float(np.abs(exact).max(initial=0.0)), 1.0)
    np.testing.assert_allclose(found, exact, rtol=0, atol=rounding * scale, err_msg=name)


@pytest.mark.parametrize("case", ["msda_op_a", "msda_op_b", "msda_edge"])
def test_output_equals_the_reference(kernels: EmulatedKernels, case: str) -> None:
    golden, inputs = _golden(case)
    check(golden, "output", kernels.forward(*inputs))


@pytest.mark.parametrize("case", ["msda_op_a", "msda_op_b"])
def test_gradients_equal_the_reference(kernels: EmulatedKernels, case: str) -> None:
    golden, inputs = _golden(case)
    gradients = kernels.backward(*inputs, golden["grad_output"])
    for key, found in zip(GRADIENTS, gradients, strict=True):
        _assert_close(found, golden[f"{key}_f64"], 1e-6, key)


@pytest.mark.parametrize("kind", ["float16", "bfloat16"])
def test_sixteen_bit_values_round_only_values_and_result(
    kernels: EmulatedKernels, kind: str
) -> None:
    golden, inputs = _golden("msda_op_a")
    _assert_close(kernels.forward(*inputs, kind), golden["output_f64"], ROUNDING[kind], "output")
    gradients = kernels.backward(*inputs, golden["grad_output"], kind)
    for key, found in zip(GRADIENTS, gradients, strict=True):
        _assert_close(found, golden[f"{key}_f64"], ROUNDING[kind], key)


@settings(max_examples=25)
@given(
    seed=st.integers(0, 2**16),
    shapes=st.lists(st.tuples(st.integers(1, 4), st.integers(1, 5)), min_size=1, max_size=3),
    batch=st.integers(1, 2),
    heads=st.integers(1, 3),
    depth=st.sampled_from([1, 3, 8, 12, 16, 33, 72]),
    queries=st.integers(1, 9),
    points=st.integers(1, 5),
    kind=st.sampled_from(sorted(ROUNDING)),
    cores=st.integers(1, 4),
)
def test_equals_the_plain_twins_at_any_shape(
    library: Path,
    seed: int,
    shapes: list[tuple[int, int]],
    batch: int,
    heads: int,
    depth: int,
    queries: int,
    points: int,
    kind: str,
    cores: int,
) -> None:
    rng = np.random.default_rng(seed)
    inputs = _case(rng, tuple(shapes), batch, heads, depth, queries, points)
    upstream = rng.normal(size=(batch, queries, heads * depth)).astype(np.float32)
    kernels = EmulatedKernels(library, cores)
    # a sum of many rounded terms grows, and so does its error
    rounding = ROUNDING[kind] * np.sqrt(depth * len(shapes) * points)
    _assert_close(kernels.forward(*inputs, kind), sample(*inputs), rounding, "output")
    exact = sample_gradients(*inputs, upstream)
    found = kernels.backward(*inputs, upstream, kind)
    for key, expected, gradient in zip(GRADIENTS, exact, found, strict=True):
        _assert_close(gradient, expected, rounding, key)


def test_several_tiles_and_several_fetches_per_item(library: Path) -> None:
    rng = np.random.default_rng(0)
    inputs = _case(rng, ((3, 4), (2, 2), (1, 1)), 2, heads=2, depth=256, queries=19, points=5)
    upstream = rng.normal(size=(2, 19, 512)).astype(np.float32)
    kernels = EmulatedKernels(library, cores=2, buffer_bytes=138_000)
    _assert_close(kernels.forward(*inputs), sample(*inputs), 2e-6, "output")
    assert kernels.used_bytes <= 130_000
    kernels.buffer_bytes = 178_000
    exact = sample_gradients(*inputs, upstream)
    for key, expected, found in zip(
        GRADIENTS, exact, kernels.backward(*inputs, upstream), strict=True
    ):
        _assert_close(found, expected, 2e-6, key)


def test_output_does_not_depend_on_the_number_of_cores(library: Path) -> None:
    inputs = _case(np.random.default_rng(1), ((4, 5), (2, 3)), 2, queries=11)
    first, *others = (EmulatedKernels(library, cores).forward(*inputs) for cores in (1, 2, 7))
    for other in others:
        np.testing.assert_array_equal(first, other)


def test_pixel_centres_and_borders(kernels: EmulatedKernels) -> None:
    shapes = ((4, 8), (1, 1))  # powers of two: pixel positions are exact in float32 as well
    places = np.array([-1.0, -0.5, 0.0, 0.5, 1.0, 2.5, 3.0, 3.5, 7.0, 7.5, 8.0], np.float32)
    x, y = np.meshgrid(places, places)
    value, _, locations, weights = _case(
        np.random.default_rng(2), shapes, heads=1, queries=x.size, points=1
    )
    for level, (rows, columns) in enumerate(shapes):
        locations[0, :, 0, level, 0, 0] = (x.ravel() + 0.5) / columns
        locations[0, :, 0, level, 0, 1] = (y.ravel() + 0.5) / rows
    inputs = value, shapes, locations, weights
    upstream = np.ones((1, x.size, 8), np.float32)
    _assert_close(kernels.forward(*inputs), sample(*inputs), 1e-6, "output")
    exact = sample_gradients(*inputs, upstream)
    for key, expected, found in zip(
        GRADIENTS, exact, kernels.backward(*inputs, upstream), strict=True
    ):
        _assert_close(found, expected, 1e-6, key)


@pytest.mark.parametrize("bad", [np.nan, np.inf, -np.inf, 3e38, -3e38, 1e6, -2.0])
@pytest.mark.parametrize("axis", [0, 1])
def test_samples_far_outside_or_not_finite_count_as_zero(
    kernels: EmulatedKernels, bad: float, axis: int
) -> None:
    value, shapes, locations, weights = _case(np.random.default_rng(3), ((3, 4), (2, 2)))
    locations = locations.clip(0, 1)
    locations[0, 1, :, :, 0, axis] = bad
    muted = weights.copy()
    muted[0, 1, :, :, 0] = 0.0
    finite = np.where(locations == np.float32(bad), np.float32(0.5), np.nan_to_num(locations))
    _assert_close(
        kernels.forward(value, shapes, locations, weights),
        sample(value, shapes, finite, muted),
        1e-6,
        "output",
    )
    upstream = np.ones((1, 3, 16), np.float32)
    gradients = kernels.backward(value, shapes, locations, weights, upstream)
    exact = sample_gradients(value, shapes, finite, muted, upstream)
    _assert_close(gradients[0], exact[0], 1e-6, "grad_value")
    assert np.isfinite(gradients[1]).all()
    assert not gradients[1][0, 1, :, :, 0].any()
    assert not gradients[2][0, 1, :, :, 0].any()


def test_cells_that_no_sample_touches_do_not_matter(kernels: EmulatedKernels) -> None:
    shapes = ((3, 4), (1, 2))
    value, _, locations, weights = _case(np.random.default_rng(4), shapes, queries=4)
    locations[..., 0, :, :] = (-0.05, 0.05)  # left of the first column, above the second row
    locations[..., 1, :, :] = (7.0, 0.5)  # outside
    clean = value.copy()
    value[:, 1:] = np.nan
    value[:, 4:8:2] = np.inf
    clean[:, 1:] = 0.0
    found = kernels.forward(value, shapes, locations, weights)
    _assert_close(found, sample(clean, shapes, locations, weights), 1e-6, "output")
    upstream = np.ones((1, 4, 16), np.float32)
    for gradient in kernels.backward(value, shapes, locations, weights, upstream):
        assert np.isfinite(gradient).all()


def test_no_queries(kernels: EmulatedKernels) -> None:
    inputs = _case(np.random.default_rng(5), ((2, 2),), queries=0)
    assert kernels.forward(*inputs).shape == (1, 0, 16)
    grad_value, _, _ = kernels.backward(*inputs, np.zeros((1, 0, 16), np.float32))
    np.testing.assert_array_equal(grad_value, np.zeros_like(inputs[0]))


def test_gradients_agree_with_finite_differences(kernels: EmulatedKernels) -> None:
    rng = np.random.default_rng(6)
    value, shapes, locations, weights = _case(rng, ((3, 4), (1, 1)), queries=2)
    upstream = rng.normal(size=(1, 2, 16)).astype(np.float32)
    _, grad_locations, grad_weights = kernels.backward(value, shapes, locations, weights, upstream)
    step = 1e-6
    for _ in range(12):
        place = tuple(int(rng.integers(size)) for size in locations.shape)
        moved = [locations.astype(np.float64) for _ in range(2)]
        moved[0][place] += step
        moved[1][place] -= step
        ends = [(sample(value, shapes, end, weights) * upstream).sum() for end in moved]
        assert grad_locations[place] == pytest.approx((ends[0] - ends[1]) / (2 * step), abs=1e-4)
        one = np.zeros_like(weights)
        one[place[:-1]] = 1.0  # the output is linear in the weights
        slope = (sample(value, shapes, locations, one) * upstream).sum()
        assert grad_weights[place[:-1]] == pytest.approx(slope, abs=1e-5)
