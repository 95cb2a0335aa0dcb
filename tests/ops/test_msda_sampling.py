"""All sampling cells in MindSpore: golden numbers, each other, types, shapes, modes."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import mindspore as ms
import numpy as np
import pytest
from golden_data import check, load
from hypothesis import given, settings
from hypothesis import strategies as st
from mindspore import Tensor, nn, ops
from model_cases import pynative
from msda_twin import Shapes, random_problem, sample

from focus_detr.errors import FocusDetrError
from focus_detr.ops.msda_builtin import LARGEST_QUERIES, BuiltinSampling, builtin_problem
from focus_detr.ops.msda_composition import ComposedSampling, PlacedSampling
from focus_detr.ops.msda_custom import CustomSampling, FusedSampling, level_tensors


class WithPlaces(nn.Cell):
    """A fused cell with the arguments of a plain one: offsets that lead to the locations."""

    def __init__(self, fused: nn.Cell) -> None:
        super().__init__()
        self.fused = fused

    def construct(
        self, value: Tensor, shapes: Shapes, locations: Tensor, weights: Tensor
    ) -> Tensor:
        batch, queries, levels = locations.shape[0], locations.shape[1], locations.shape[3]
        sizes, _ = level_tensors(shapes)
        sizes = sizes[:, ::-1].astype(ms.float32).reshape(1, 1, 1, levels, 1, 2)
        offsets = (locations * sizes).reshape(batch, queries, -1)  # from references of 0
        logits = ops.log(weights).reshape(batch, queries, -1)
        references = ops.zeros((batch, queries, levels, 2), ms.float32)
        projected = ops.concat((offsets, logits), axis=-1)
        return self.fused(value, shapes, references, projected)


class Builtin(nn.Cell):
    """A stand-in for MindSpore's primitive on Ascend, for one set of levels."""

    def __init__(self, shapes: Shapes) -> None:
        super().__init__()
        self.sample, self.shapes = ComposedSampling(), shapes

    def construct(
        self, value: Tensor, sizes: Tensor, starts: Tensor, locations: Tensor, weights: Tensor
    ) -> Tensor:
        return self.sample(value, self.shapes, locations, weights)


class Sampling(nn.Cell):
    """A sampling cell with its shapes fixed."""

    def __init__(self, cell: nn.Cell, shapes: Shapes) -> None:
        super().__init__()
        self.cell, self.shapes = cell, shapes

    def construct(self, value: Tensor, places: Tensor, weights: Tensor) -> Tensor:
        return self.cell(value, self.shapes, places, weights)


Build = Callable[[Shapes], nn.Cell]
SHAPES = ((5, 7), (3, 4), (1, 1))
NAMES = ("value", "locations", "weights")


@pytest.fixture(params=["composition", "plain", "fused", "builtin"])
def build(request: pytest.FixtureRequest) -> Build:
    """Makes one of the four sampling cells, all with the arguments of ``ComposedSampling``."""
    if request.param == "composition":
        return lambda shapes: ComposedSampling()
    if request.param == "builtin":
        return lambda shapes: BuiltinSampling(Builtin(shapes))
    library: Path = request.getfixturevalue("msda_library")
    if request.param == "plain":
        return lambda shapes: CustomSampling(library, "CPU")
    return lambda shapes: WithPlaces(FusedSampling(library, "CPU"))


class Weighted(nn.Cell):
    """Output of a sampling cell, and its sum times given weights as what is differentiated."""

    def __init__(self, cell: nn.Cell, shapes: Shapes, output_weights: np.ndarray) -> None:
        super().__init__()
        self.cell, self.shapes = cell, shapes
        self.output_weights = Tensor(output_weights)

    def construct(self, value: Tensor, places: Tensor, weights: Tensor) -> tuple[Tensor, Tensor]:
        output = self.cell(value, self.shapes, places, weights)
        return (output * self.output_weights).sum(), output


def run(
    cell: nn.Cell, shapes: Shapes, output_weights: np.ndarray, *inputs: np.ndarray
) -> tuple[np.ndarray, list[np.ndarray]]:
    """Output and gradients of all three inputs."""
    weighted = Weighted(cell, shapes, output_weights)
    step = ops.value_and_grad(weighted, (0, 1, 2), has_aux=True)
    (_, output), gradients = step(*(Tensor(tensor) for tensor in inputs))
    return output.asnumpy(), [gradient.asnumpy() for gradient in gradients]


def _golden(case: str) -> tuple[dict, Shapes, tuple[np.ndarray, ...]]:
    golden = load(case)
    shapes = tuple((int(rows), int(columns)) for rows, columns in golden["spatial_shapes"])
    return (
        golden,
        shapes,
        (
            golden["value"],
            golden["sampling_locations"],
            golden["attention_weights"],
        ),
    )


@pytest.mark.parametrize("case", ["msda_op_a", "msda_op_b", "msda_edge"])
def test_output_equals_the_reference(build: Build, case: str) -> None:
    golden, shapes, inputs = _golden(case)
    output = Sampling(build(shapes), shapes)(*(Tensor(tensor) for tensor in inputs)).asnumpy()
    check(golden, "output", output)
    np.testing.assert_allclose(output, golden["output_f64"], rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize("case", ["msda_op_a", "msda_op_b"])
def test_gradients_equal_the_reference(build: Build, case: str) -> None:
    golden, shapes, inputs = _golden(case)
    cell = build(shapes)
    _, gradients = run(cell, shapes, golden["grad_output"], *inputs)
    exact = [golden[f"grad_{name}_f64"] for name in NAMES]
    if isinstance(cell, WithPlaces):  # softmax(log(weights)) keeps the sum: so do its gradients
        exact[2] = exact[2] - (exact[2] * inputs[2]).sum((3, 4), keepdims=True)
    for name, found, expected in zip(NAMES, gradients, exact, strict=True):
        tolerance = 1e-5 * np.abs(expected).max()
        np.testing.assert_allclose(found, expected, rtol=0, atol=tolerance, err_msg=name)


@settings(max_examples=20)
@given(
    seed=st.integers(0, 2**16),
    shapes=st.lists(st.tuples(st.integers(1, 4), st.integers(1, 5)), min_size=1, max_size=3),
)
def test_the_composition_equals_float64_at_any_shape(seed: int, shapes: list) -> None:
    p = random_problem(seed, tuple(shapes))
    cell = Sampling(ComposedSampling(), p.shapes)
    with pynative():  # each shape would be compiled for itself
        found = cell(Tensor(p.value), Tensor(p.locations), Tensor(p.weights)).asnumpy()
    expected = sample(p.value, p.shapes, p.locations, p.weights)
    np.testing.assert_allclose(found, expected, rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize("reference_size", [2, 4])
def test_fused_gradients_equal_those_of_the_composition(
    msda_library: Path, reference_size: int
) -> None:
    p = random_problem(
        8, SHAPES, batch=2, heads=4, depth=8, queries=30, points=3, reference_size=reference_size
    )
    inputs = (p.value, p.references, p.projected)
    composed = PlacedSampling(ComposedSampling())
    expected, exact = run(composed, p.shapes, p.grad_output, *inputs)
    output, gradients = run(FusedSampling(msda_library, "CPU"), p.shapes, p.grad_output, *inputs)
    np.testing.assert_allclose(output, expected, rtol=0, atol=1e-5)
    for name, ours, theirs in zip(NAMES, gradients, exact, strict=True):
        tolerance = 2e-5 * np.abs(theirs).max()
        np.testing.assert_allclose(ours, theirs, rtol=0, atol=tolerance, err_msg=name)


@pytest.mark.parametrize("kind", [ms.float16, ms.bfloat16])
def test_half_precision_values_keep_their_type(msda_library: Path, kind: ms.Type) -> None:
    p = random_problem(9, SHAPES, depth=16, queries=20)
    cell = Sampling(FusedSampling(msda_library, "CPU"), p.shapes)
    places = (Tensor(p.references), Tensor(p.projected))
    value = Tensor(p.value).astype(kind)
    exact = cell(value.astype(ms.float32), *places)
    found = cell(value, *places)
    assert found.dtype == kind
    np.testing.assert_array_equal(
        found.astype(ms.float32).asnumpy(), exact.astype(kind).astype(ms.float32).asnumpy()
    )
    gradient = ops.grad(cell)(value, *places)
    assert gradient.dtype == kind
    expected = ops.grad(cell)(value.astype(ms.float32), *places).asnumpy()
    error = np.abs(gradient.astype(ms.float32).asnumpy() - expected).max()
    assert error <= 0.01 * np.abs(expected).max()


@pytest.mark.parametrize("kind", [ms.float16, ms.bfloat16])
def test_every_cell_rounds_only_its_result(build: Build, kind: ms.Type) -> None:
    p = random_problem(9, SHAPES, depth=8, queries=20)
    cell = Sampling(build(p.shapes), p.shapes)
    places, value = (Tensor(p.locations), Tensor(p.weights)), Tensor(p.value).astype(kind)
    exact = cell(value.astype(ms.float32), *places).astype(kind)
    found = cell(value, *places)
    assert found.dtype == kind
    np.testing.assert_array_equal(
        found.astype(ms.float32).asnumpy(), exact.astype(ms.float32).asnumpy()
    )


@pytest.mark.parametrize("reference_size", [2, 4])
def test_places_of_half_precision_are_worked_out_in_float32(reference_size: int) -> None:
    p = random_problem(12, SHAPES, queries=20, reference_size=reference_size)
    cell, value = Sampling(PlacedSampling(ComposedSampling()), p.shapes), Tensor(p.value)
    half = [Tensor(tensor).astype(ms.float16) for tensor in (p.references, p.projected)]
    found = cell(value, *half)
    exact = cell(value, *(tensor.astype(ms.float32) for tensor in half))
    np.testing.assert_array_equal(found.asnumpy(), exact.asnumpy())


def test_one_graph_serves_any_number_of_images_and_queries(msda_library: Path) -> None:
    cell = Sampling(FusedSampling(msda_library, "CPU"), SHAPES)
    entries = 3 * 2 * len(SHAPES) * 2
    tokens = sum(rows * columns for rows, columns in SHAPES)
    cell.set_inputs(
        Tensor(shape=[None, tokens, 2, 3], dtype=ms.float32),
        Tensor(shape=[None, None, len(SHAPES), 2], dtype=ms.float32),
        Tensor(shape=[None, None, entries], dtype=ms.float32),
    )
    for batch, queries in ((1, 5), (2, 3), (3, 1)):
        p = random_problem(batch, SHAPES, batch=batch, queries=queries)
        found = cell(Tensor(p.value), Tensor(p.references), Tensor(p.projected)).asnumpy()
        expected = sample(p.value, p.shapes, p.locations, p.weights)
        np.testing.assert_allclose(found, expected, rtol=0, atol=1e-5)


def _without_queries(cell: nn.Cell, fused: bool) -> None:
    p = random_problem(0, SHAPES, queries=0)
    places = (p.references, p.projected) if fused else (p.locations, p.weights)
    output, gradients = run(cell, p.shapes, p.grad_output, p.value, *places)
    assert output.shape == (1, 0, 6)
    assert gradients[0].shape == p.value.shape and not gradients[0].any()
    assert [gradient.shape for gradient in gradients[1:]] == [tensor.shape for tensor in places]


@pytest.mark.parametrize("fused", [False, True])
def test_no_queries_give_no_output_and_no_gradient(msda_library: Path, fused: bool) -> None:
    _without_queries((FusedSampling if fused else CustomSampling)(msda_library, "CPU"), fused)


@pytest.mark.parametrize("builtin", [False, True])
def test_no_queries_are_nothing_without_the_native_library(builtin: bool) -> None:
    sample = BuiltinSampling(Builtin(SHAPES)) if builtin else ComposedSampling()
    _without_queries(PlacedSampling(sample), fused=True)


def test_pynative_mode_and_jit_give_the_graphs_numbers(msda_library: Path) -> None:
    p = random_problem(10, SHAPES)
    inputs = (p.value, p.references, p.projected)
    expected, exact = run(FusedSampling(msda_library, "CPU"), p.shapes, p.grad_output, *inputs)
    ms.set_context(mode=ms.PYNATIVE_MODE)
    try:
        cell = FusedSampling(msda_library, "CPU")
        output, gradients = run(cell, p.shapes, p.grad_output, *inputs)
        jitted = ms.jit(Sampling(cell, p.shapes).construct)
        from_jit = jitted(*(Tensor(tensor) for tensor in inputs)).asnumpy()
    finally:
        ms.set_context(mode=ms.GRAPH_MODE)
    np.testing.assert_array_equal(output, expected)
    np.testing.assert_array_equal(from_jit, expected)
    for ours, theirs in zip(gradients, exact, strict=True):
        np.testing.assert_array_equal(ours, theirs)


def test_builtin_pads_few_queries_and_cleans_locations() -> None:
    p = random_problem(11, SHAPES, queries=3)
    locations = p.locations.copy()
    locations[0, 0, 0, 0, 0] = (np.nan, 0.5)
    locations[0, 1, 0, 0, 0] = (0.5, -np.inf)
    seen: list[tuple[int, ...]] = []

    class Primitive(Builtin):
        def construct(self, value, sizes, starts, places, weights):  # type: ignore[no-untyped-def]
            seen.append(tuple(places.shape))
            return self.sample(value, self.shapes, places, weights)

    cell = BuiltinSampling(Primitive(p.shapes))
    ms.set_context(mode=ms.PYNATIVE_MODE)
    try:
        found = cell(Tensor(p.value), p.shapes, Tensor(locations), Tensor(p.weights)).asnumpy()
    finally:
        ms.set_context(mode=ms.GRAPH_MODE)
    assert seen == [(1, 32, 2, 3, 2, 2)]
    expected = sample(p.value, p.shapes, locations, p.weights)
    np.testing.assert_allclose(found, expected, rtol=0, atol=1e-5)


@pytest.mark.parametrize(
    ("sizes", "words"),
    [
        ((32, 8, 4, 4), None),
        ((12, 8, 4, 4), "steps of 8"),
        ((512, 8, 4, 4), "up to 256, not 512"),
        ((32, 17, 4, 4), "up to 16 heads, not 17"),
        ((32, 8, 4, 20), "up to 16 points, not 20"),
    ],
)
def test_builtin_limits(sizes: tuple[int, int, int, int], words: str | None) -> None:
    problem = builtin_problem(*sizes)
    assert problem is None if words is None else words in str(problem)


def test_builtin_refuses_too_many_queries_when_the_graph_is_compiled(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.chdir(tmp_path)  # MindSpore leaves a dump of the graph that failed
    queries = LARGEST_QUERIES + 1
    net = Sampling(BuiltinSampling(Builtin(((1, 1),))), ((1, 1),))
    value = Tensor(np.zeros((1, 1, 1, 1), np.float32))
    places = Tensor(np.zeros((1, queries, 1, 1, 1, 2), np.float32))
    weights = Tensor(np.zeros((1, queries, 1, 1, 1), np.float32))
    with pytest.raises(FocusDetrError, match=r"up to 499999 queries .*, not 500000: use smaller"):
        net(value, places, weights)
