"""The CUDA kernels, compiled for a CPU by an emulation, against float64 and the CPU kernels."""

from __future__ import annotations

import ctypes
from pathlib import Path

import cuda_emulation
import msda_native
import numpy as np
import pytest
from cuda_emulation import SCALAR_ATOMICS, VECTOR_ATOMICS, EmulatedDevice, compile_kernels
from golden_data import check, load
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from msda_native import Native, from_bfloat16, level_arrays, to_bfloat16
from msda_twin import Problem, random_problem, sample, sample_fused

SHAPES = ((3, 5), (2, 2), (1, 1))
WRONG_SIZE, WRONG_TYPE, TOO_LARGE = 3, 4, 6
GUARD = 64  # numbers before and behind a tensor

if cuda_emulation.compiler() is None:
    pytest.skip("no g++ to compile the emulated kernels with", allow_module_level=True)


@pytest.fixture(scope="module")
def emulated(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return compile_kernels(tmp_path_factory.mktemp("cuda"))


@pytest.fixture(params=[VECTOR_ATOMICS, SCALAR_ATOMICS], ids=["vectors", "scalars"])
def device(emulated: Path, request: pytest.FixtureRequest) -> EmulatedDevice:
    return EmulatedDevice(emulated, request.param)


@pytest.fixture(scope="module")
def cpu(msda_library: Path) -> Native:
    return Native(msda_library)


def close(found: np.ndarray, expected: np.ndarray, tolerance: float, what: str) -> None:
    scale = max(float(np.abs(expected).max(initial=0.0)), 1.0)
    np.testing.assert_allclose(found, expected, rtol=0, atol=tolerance * scale, err_msg=what)


def forms(problem: Problem) -> tuple[tuple[np.ndarray, np.ndarray], ...]:
    """Places and weights of the plain and of the fused operator."""
    return (problem.locations, problem.weights), (problem.references, problem.projected)


def check_gradients(device: Native, cpu: Native, p: Problem) -> None:
    for places, weights in forms(p):
        found = device.backward(p.value, p.shapes, places, weights, p.grad_output)
        expected = cpu.backward(p.value, p.shapes, places, weights, p.grad_output)
        for name, ours, theirs in zip(("value", "places", "weights"), found, expected, strict=True):
            close(ours, theirs, 1e-5, name)


@pytest.mark.parametrize("case", ["msda_op_a", "msda_op_b", "msda_edge"])
def test_numbers_of_the_reference(device: EmulatedDevice, case: str) -> None:
    golden = load(case)
    shapes = tuple((int(rows), int(columns)) for rows, columns in golden["spatial_shapes"])
    inputs = (golden["value"], shapes, golden["sampling_locations"], golden["attention_weights"])
    check(golden, "output", device.forward(*inputs))
    if "grad_value_f64" not in golden:
        return
    found = device.backward(*inputs, golden["grad_output"])
    for name, ours in zip(("grad_value", "grad_locations", "grad_weights"), found, strict=True):
        exact = golden[f"{name}_f64"]
        np.testing.assert_allclose(ours, exact, atol=1e-5 * np.abs(exact).max(), err_msg=name)


@settings(
    max_examples=25,
    suppress_health_check=[HealthCheck.too_slow, HealthCheck.function_scoped_fixture],
)
@given(
    seed=st.integers(0, 2**16),
    shapes=st.lists(st.tuples(st.integers(1, 6), st.integers(1, 6)), min_size=1, max_size=4),
    batch=st.integers(1, 2),
    heads=st.integers(1, 3),
    depth=st.integers(1, 40),
    queries=st.integers(1, 12),
    points=st.integers(1, 5),
    reference_size=st.sampled_from((2, 4)),
)
def test_any_sizes(
    device: EmulatedDevice, cpu: Native, seed: int, shapes: list, **sizes: int
) -> None:
    p = random_problem(seed, tuple(shapes), **sizes)
    plain, fused = forms(p)
    close(device.forward(p.value, p.shapes, *plain), sample(p.value, p.shapes, *plain), 2e-6, "out")
    exact = sample_fused(p.value, p.shapes, *fused)
    close(device.forward(p.value, p.shapes, *fused), exact, 2e-6, "fused output")
    check_gradients(device, cpu, p)


@pytest.mark.parametrize("depth", [4, 8, 16, 32, 40, 64, 128])
def test_head_widths_of_all_kernels(device: EmulatedDevice, cpu: Native, depth: int) -> None:
    p = random_problem(depth, SHAPES, depth=depth, queries=5, points=4, reference_size=4)
    for places, weights in forms(p):
        expected = cpu.forward(p.value, p.shapes, places, weights)
        close(device.forward(p.value, p.shapes, places, weights), expected, 2e-6, "output")
    check_gradients(device, cpu, p)


def test_several_blocks_and_images(device: EmulatedDevice, cpu: Native) -> None:
    p = random_problem(1, SHAPES, batch=2, heads=3, depth=8, queries=141)
    expected = sample(p.value, p.shapes, p.locations, p.weights)
    close(device.forward(p.value, p.shapes, p.locations, p.weights), expected, 2e-6, "output")
    check_gradients(device, cpu, p)


@pytest.mark.parametrize("depth", [3, 16, 32])
@pytest.mark.parametrize("kind", ["float16", "bfloat16"])
def test_half_precision_values_round_once(
    device: EmulatedDevice, cpu: Native, kind: str, depth: int
) -> None:
    """Arithmetic is float32: results are those of the CPU kernels but for one rounding."""
    p = random_problem(6, SHAPES, depth=depth, queries=20)
    encode = to_bfloat16 if kind == "bfloat16" else lambda a: a.astype(np.float16)
    decode = from_bfloat16 if kind == "bfloat16" else lambda a: a.astype(np.float32)
    value, grad_output = encode(p.value), encode(p.grad_output)
    unit = 2.0**-8 if kind == "bfloat16" else 2.0**-11
    for places, weights in forms(p):
        exact = cpu.forward(decode(value), p.shapes, places, weights)
        found = decode(device.forward(value, p.shapes, places, weights))
        np.testing.assert_allclose(found, exact, rtol=1.01 * unit, atol=1e-5)
        for ours, theirs in zip(
            device.backward(value, p.shapes, places, weights, grad_output),
            cpu.backward(value, p.shapes, places, weights, grad_output),
            strict=True,
        ):
            close(ours, theirs, 1e-5, "gradient")


EDGES = (-1.0, -0.5, 0.0, 0.5, 1.0, 2.0, 3.0, 3.5, 4.0)  # pixels of a map four cells wide


def test_borders_and_pixel_centres(device: EmulatedDevice) -> None:
    """Also the gradient at whole numbers, which is the right-hand one."""
    value = np.array([1.0, -2.0, 4.0, 8.0], np.float32).reshape(1, 4, 1, 1)
    locations = np.full((1, len(EDGES), 1, 1, 1, 2), 0.5, np.float32)
    locations[0, :, 0, 0, 0, 0] = (np.array(EDGES) + 0.5) / 4
    weights = np.ones(locations.shape[:-1], np.float32)
    output = device.forward(value, ((1, 4),), locations, weights)
    expected = [0.0, 0.5, 1.0, -0.5, -2.0, 4.0, 8.0, 4.0, 0.0]
    np.testing.assert_array_equal(output.ravel(), expected)
    ones = np.ones((1, len(EDGES), 1), np.float32)
    _, slopes, _ = device.backward(value, ((1, 4),), locations, weights, ones)
    per_pixel = [1.0, 1.0, -3.0, -3.0, 6.0, 4.0, -8.0, -8.0, 0.0]
    np.testing.assert_array_equal(slopes[..., 0].ravel(), np.array(per_pixel) * 4)


BAD = (np.nan, np.inf, -np.inf, 3e38, -3e38, 1e9, -1e9)


@pytest.mark.parametrize("bad", BAD)
@pytest.mark.parametrize("reference_size", [2, 4])
def test_a_place_that_is_nowhere(
    device: EmulatedDevice, cpu: Native, bad: float, reference_size: int
) -> None:
    """Same outputs and gradients as on a CPU, all of them finite."""
    p = random_problem(2, SHAPES, queries=3, reference_size=reference_size)
    p.locations[0, 1, 0, :, 0, 1] = bad
    p.references[0, 0, 1] = bad
    p.projected[0, 1, :3] = bad
    for places, weights in forms(p):
        found = device.forward(p.value, p.shapes, places, weights)
        close(found, cpu.forward(p.value, p.shapes, places, weights), 2e-6, "output")
        for ours, theirs in zip(
            device.backward(p.value, p.shapes, places, weights, p.grad_output),
            cpu.backward(p.value, p.shapes, places, weights, p.grad_output),
            strict=True,
        ):
            assert np.isfinite(ours).all()
            close(ours, theirs, 1e-5, "gradient")


def test_large_and_missing_logits(device: EmulatedDevice) -> None:
    p = random_problem(4, SHAPES)
    entries = p.projected.shape[-1] // 3
    p.projected[..., 2 * entries :] *= 100
    p.projected[0, 0, 2 * entries] = -np.inf
    found = device.forward(p.value, p.shapes, p.references, p.projected)
    close(found, sample_fused(p.value, p.shapes, p.references, p.projected), 2e-6, "output")
    p.projected[0, 0, 2 * entries] = np.nan
    found = device.forward(p.value, p.shapes, p.references, p.projected)
    assert np.isnan(found[0, 0, :3]).all() and np.isfinite(found[0, 1]).all()


def test_no_queries_and_no_images(device: EmulatedDevice) -> None:
    none = random_problem(0, SHAPES, queries=0)
    for places, weights in forms(none):
        assert device.forward(none.value, SHAPES, places, weights).shape == (1, 0, 6)
        found = device.backward(none.value, SHAPES, places, weights, none.grad_output)
        assert not found[0].any() and found[1].size == 0 and found[2].size == 0
    empty = random_problem(0, SHAPES, batch=0)
    assert device.forward(empty.value, SHAPES, empty.locations, empty.weights).size == 0


def test_levels_may_leave_gaps_and_have_64_bits(device: EmulatedDevice, cpu: Native) -> None:
    p = random_problem(7, ((2, 3), (1, 4)))
    spread = np.zeros((1, 14, 2, 3), np.float32)
    spread[:, 1:7], spread[:, 9:13] = p.value[:, :6], p.value[:, 6:]
    sizes, _ = level_arrays(p.shapes, np.int64)
    levels = (sizes, np.array([1, 9], np.int64))
    found = device.backward(spread, levels, p.locations, p.weights, p.grad_output)
    expected = cpu.backward(p.value, p.shapes, p.locations, p.weights, p.grad_output)
    close(np.concatenate((found[0][:, 1:7], found[0][:, 9:13]), 1), expected[0], 1e-6, "value")
    assert not found[0][:, [0, 7, 8, 13]].any()
    close(found[1], expected[1], 1e-5, "locations")


@pytest.mark.parametrize(
    ("shapes", "starts"),
    [
        ([[2, 3], [1, 4]], [0, 7]),  # ends behind the last token
        ([[2, 3], [1, 4]], [0, 5]),  # overlaps
        ([[2, 3], [1, 4]], [4, 0]),  # descends
        ([[2, 3], [0, 4]], [0, 6]),
        ([[2, 3], [1, -4]], [0, 6]),
        ([[2, 3], [1, 4]], [-1, 6]),
        ([[2**31, 2**33], [1, 4]], [0, 6]),
        ([[2, 3], [1, 4]], [-(2**63), 2**63 - 1]),
    ],
)
def test_levels_that_do_not_fit_spoil_the_results(
    device: EmulatedDevice, shapes: list, starts: list
) -> None:
    """They lie on the device, where no status can come from without waiting."""
    p = random_problem(7, ((2, 3), (1, 4)))
    levels = (np.array(shapes, np.int64), np.array(starts, np.int64))
    for places, weights in forms(p):
        assert np.isnan(device.forward(p.value, levels, places, weights)).all()
        found = device.backward(p.value, levels, places, weights, p.grad_output)
        assert np.isnan(found[1]).all() and np.isnan(found[2]).all()


def status_of(device: Native, **changes: int) -> int:
    """What a forward call with changed sizes returns; no tensor is touched."""
    sizes = dict(zip(msda_native.SIZES, (1, 10, 2, 3, 2, 2, 2), strict=True))
    sizes |= {"value_type": 0, "index_type": 0, "reference_size": 2} | changes
    arguments = [None] * 7
    return device.native.msda_fused_forward(ctypes.byref(msda_native.Sizes(**sizes)), *arguments)


@pytest.mark.parametrize(
    ("changes", "status"),
    [
        ({"batch": -1}, WRONG_SIZE),
        ({"levels": 0}, WRONG_SIZE),
        ({"reference_size": 3}, WRONG_SIZE),
        ({"value_type": 3}, WRONG_TYPE),
        ({"index_type": -1}, WRONG_TYPE),
        ({"tokens": 2**31}, TOO_LARGE),
        ({"heads": 2**16, "depth": 2**16}, TOO_LARGE),
        ({"levels": 5000}, TOO_LARGE),
        ({"queries": 2**62, "batch": 2**62}, TOO_LARGE),
    ],
)
def test_sizes_are_checked_before_a_launch(
    device: EmulatedDevice, changes: dict, status: int
) -> None:
    assert status_of(device, **changes) == status


def guarded(shape: tuple[int, ...], dtype: np.dtype | type, shift: int = 0) -> np.ndarray:
    """A tensor of NaN between guards of NaN, ``shift`` numbers from where a vector may begin."""
    count = int(np.prod(shape))
    memory = np.full(count + 2 * GUARD + shift, np.nan, dtype)
    return memory[GUARD + shift : GUARD + shift + count].reshape(shape)


@pytest.mark.parametrize("shift", [0, 1])
@pytest.mark.parametrize("depth", [8, 20])
def test_nothing_outside_the_tensors_is_read_or_written(
    device: EmulatedDevice, cpu: Native, monkeypatch: pytest.MonkeyPatch, depth: int, shift: int
) -> None:
    """With ``shift`` the tensors begin where no vector may, and the scalar kernels have to run."""
    p = random_problem(9, SHAPES, depth=depth, queries=37, reach=6.0)
    expected = [cpu.backward(p.value, p.shapes, *form, p.grad_output) for form in forms(p)]
    outputs: list[np.ndarray] = []

    def unset(shape: tuple[int, ...], dtype: type) -> np.ndarray:
        outputs.append(guarded(shape, dtype, shift))
        return outputs[-1]

    monkeypatch.setattr(msda_native, "_unset", unset)
    value = guarded(p.value.shape, np.float32, shift)
    value[:] = p.value
    for form, gradients in zip(forms(p), expected, strict=True):
        found = device.backward(value, p.shapes, *form, p.grad_output)
        for ours, theirs in zip(found, gradients, strict=True):
            close(ours, theirs, 1e-5, "gradient")
        assert np.isfinite(device.forward(value, p.shapes, *form)).all()
    for output in outputs:
        memory = output.base
        while memory.base is not None:
            memory = memory.base
        assert np.isnan(memory).sum() == memory.size - output.size
