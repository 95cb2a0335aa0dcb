"""The decoder's attention map: golden numbers, a plain twin, what the operators say about it."""

from __future__ import annotations

from pathlib import Path

import mindspore as ms
import numpy as np
import pytest
from golden_data import check, load, packed_mask
from hypothesis import given, settings
from hypothesis import strategies as st
from mindspore import Tensor, nn, ops
from model_cases import pynative, scatter_weights
from msda_twin import Problem, Shapes, attention_map, random_problem

from focus_detr.ops.decoder_attention_map import DecoderAttentionMap, decoder_attention_map
from focus_detr.ops.msda import MSDeformableAttention
from focus_detr.ops.msda_composition import ComposedSampling, PlacedSampling
from focus_detr.ops.msda_custom import FusedSampling


def _queries_in_a_row(golden: dict) -> tuple[Shapes, np.ndarray, np.ndarray]:
    """Shapes, locations [B, layers*Q, M, L, P, 2] and weights [B, layers*Q, M, L, P]."""
    shapes = tuple((int(rows), int(columns)) for rows, columns in golden["spatial_shapes"])
    locations, weights = golden["sampling_locations"], golden["attention_weights"]
    batch, heads = len(weights), weights.shape[-3:]
    return shapes, locations.reshape(batch, -1, *heads, 2), weights.reshape(batch, -1, *heads)


def _map(
    shapes: Shapes, locations: np.ndarray, weights: np.ndarray, half_pixel: bool
) -> np.ndarray:
    def work(locations: Tensor, weights: Tensor) -> Tensor:
        return decoder_attention_map(locations, weights, shapes, half_pixel=half_pixel)

    return ms.jit(work)(Tensor(locations), Tensor(weights)).asnumpy()


@pytest.mark.parametrize("half_pixel", [False, True])
@pytest.mark.parametrize("case", ["sparse_dam_a", "sparse_dam_edge"])
def test_map_equals_the_reference(case: str, half_pixel: bool) -> None:
    golden = load(case)
    key = "dam_half_pixel" if half_pixel else "dam"
    found = _map(*_queries_in_a_row(golden), half_pixel)
    if case == "sparse_dam_edge":  # without noise: shares are few and short
        np.testing.assert_allclose(found, golden[key], rtol=0, atol=1e-6)
    else:
        check(golden | {f"{key}/noise": golden["dam/noise"]}, key, found)


def test_as_many_image_tokens_are_looked_at_as_in_the_reference() -> None:
    golden = load("sparse_dam_a")
    found = _map(*_queries_in_a_row(golden), False)
    image = ~packed_mask(golden, "mask_flatten")
    np.testing.assert_array_equal(((found > 0) & image).sum(1), golden["tokens_touched"])


def test_layers_add_up() -> None:
    golden = load("sparse_dam_a")
    shapes = _queries_in_a_row(golden)[0]
    for layer in range(golden["dam_layers"].shape[1]):
        locations = golden["sampling_locations"][:, layer]
        found = _map(shapes, locations, golden["attention_weights"][:, layer], False)
        np.testing.assert_allclose(found, golden["dam_layers"][:, layer], rtol=0, atol=1e-5)


@settings(max_examples=6)
@given(
    seed=st.integers(0, 2**16),
    shapes=st.lists(st.tuples(st.integers(1, 4), st.integers(1, 5)), min_size=1, max_size=3),
    half_pixel=st.booleans(),
)
def test_map_equals_the_plain_twin(seed: int, shapes: list, half_pixel: bool) -> None:
    p = random_problem(seed, tuple(shapes), batch=2, queries=3)
    with pynative():
        found = decoder_attention_map(
            Tensor(p.locations), Tensor(p.weights), p.shapes, half_pixel=half_pixel
        ).asnumpy()
    expected = attention_map(p.shapes, p.locations, p.weights, half_pixel)
    np.testing.assert_allclose(found, expected, rtol=0, atol=2e-6)
    assert (found.sum(1) <= p.weights.sum((1, 2, 3, 4)) + 1e-5).all()


@pytest.mark.parametrize("all_queries", [False, True])
def test_denoising_queries_count_on_demand_alone(all_queries: bool) -> None:
    shapes, slots = ((5, 7), (3, 4)), 4  # of ten queries in each of two layers
    layers = [random_problem(seed, shapes, batch=2, queries=10) for seed in (0, 1)]
    places = tuple(Tensor(p.locations) for p in layers), tuple(Tensor(p.weights) for p in layers)
    with pynative():
        found = DecoderAttentionMap(all_queries=all_queries)(*places, slots, shapes).asnumpy()
    first = 0 if all_queries else slots
    expected = sum(
        attention_map(shapes, p.locations[:, first:], p.weights[:, first:], False) for p in layers
    )
    np.testing.assert_allclose(found, expected, rtol=0, atol=1e-5)


def test_with_the_half_pixel_it_is_what_the_values_count_for() -> None:
    shapes = ((5, 7), (3, 4))
    p = random_problem(3, shapes, batch=2, queries=6)

    def attended(value: Tensor) -> Tensor:
        return ComposedSampling()(value, shapes, Tensor(p.locations), Tensor(p.weights)).sum()

    with pynative():
        slope = ops.grad(attended)(Tensor(p.value)).asnumpy()  # [B, N, M, C/M]
    found = _map(shapes, p.locations, p.weights, True)
    np.testing.assert_allclose(found, slope[..., 0].sum(2), rtol=0, atol=1e-5)


def test_every_run_adds_in_the_same_order() -> None:
    p = random_problem(4, ((6, 9), (3, 5)), queries=500, heads=4)
    first = _map(p.shapes, p.locations, p.weights, False)
    for _ in range(3):
        np.testing.assert_array_equal(_map(p.shapes, p.locations, p.weights, False), first)


class Traced(nn.Cell):
    """Both forms of one attention."""

    def __init__(self, attention: MSDeformableAttention, shapes: Shapes) -> None:
        super().__init__()
        self.attention, self.shapes = attention, shapes

    def construct(self, query: Tensor, tokens: Tensor, references: Tensor) -> tuple[Tensor, ...]:
        value = self.attention.project_value(tokens, ops.ones(tokens.shape[:2]))
        arguments = (query, value, self.shapes, references, query)
        return (self.attention(*arguments), *self.attention.traced(*arguments))


def _attention(sampling: nn.Cell) -> MSDeformableAttention:
    attention = MSDeformableAttention(8, 2, 2, 3, sampling=sampling)
    scatter_weights(attention)
    return attention


def _inputs(p: Problem) -> tuple[Tensor, ...]:
    rng = np.random.default_rng(1)
    tokens = rng.normal(size=(*p.value.shape[:2], 8)).astype(np.float32)
    query = rng.normal(size=(*p.references.shape[:2], 8)).astype(np.float32)
    return Tensor(query), Tensor(tokens), Tensor(p.references)


@pytest.mark.parametrize("reference_size", [2, 4])
def test_attention_tells_where_it_looked(msda_library: Path, reference_size: int) -> None:
    p = random_problem(5, ((4, 5), (2, 3)), batch=2, queries=7, reference_size=reference_size)
    told = []
    for sampling in (FusedSampling(msda_library, "CPU"), PlacedSampling(ComposedSampling())):
        outputs = Traced(_attention(sampling), p.shapes)(*_inputs(p))
        plain, traced, locations, weights = (output.asnumpy() for output in outputs)
        np.testing.assert_array_equal(traced, plain)
        assert locations.shape == (2, 7, 2, 2, 3, 2)
        np.testing.assert_allclose(weights.sum((3, 4)), 1.0, rtol=1e-6)
        told.append((locations, weights))
    for ours, theirs in zip(*told, strict=True):
        np.testing.assert_allclose(ours, theirs, rtol=0, atol=1e-5)


def test_what_attention_tells_has_no_gradient() -> None:
    p = random_problem(6, ((4, 5), (2, 3)), queries=4)
    attention = _attention(PlacedSampling(ComposedSampling()))

    def told(query: Tensor, tokens: Tensor, references: Tensor) -> Tensor:
        value = attention.project_value(tokens, ops.ones(tokens.shape[:2]))
        _, locations, weights = attention.traced(query, value, p.shapes, references, query)
        return locations.sum() + (weights * weights).sum()

    with pynative():
        gradients = ops.grad(told, (0, 1, 2))(*_inputs(p))
    assert not any(gradient.asnumpy().any() for gradient in gradients)
