"""The gathering decoder against two passes one after the other, and where it must not be."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

import mindspore as ms
import numpy as np
import pytest
from family_cases import small_family_config
from mindspore import Tensor, nn, ops
from model_cases import SMALL_CLASSES, pynative, scatter_weights, small_config

from focus_detr.config.schema import Config, ModelConfig
from focus_detr.losses.factory import build_training_loss
from focus_detr.models.decoder import Decoder
from focus_detr.models.factory import Gathers, build_decoder, build_detector, build_heads
from focus_detr.models.flops import count_multiply_adds
from focus_detr.models.gathering import GatheringDecoder
from focus_detr.models.layers import BLOCKED
from focus_detr.ops.msda import MSDeformableAttention
from focus_detr.ops.products import ProductCell
from focus_detr.ops.products_choice import plain_products

SHAPES = ((6, 8), (3, 4), (2, 2), (1, 1))
SLOTS, MATCHING, BATCH = 4, 7, 2
LAYERS = 3

BASES: Mapping[str, ModelConfig] = {
    "boxes in each layer": small_config(),
    "constant positions": small_family_config("dac_detr_r50_12ep").model,
    "points": small_family_config("deformable_detr_refine_r50_50ep").model,
    "points, no refinement, shared heads": small_family_config("deformable_detr_r50_50ep").model,
    "scaled positions": small_family_config("dn_deformable_detr_r50_50ep").model,
}


def _decoder(
    base: str, way: str, gathers: Gathers, layers: int = LAYERS, *, maps: bool = False
) -> Decoder:
    """With weights that are the same each time; ``maps`` where its queries look."""
    config = BASES[base]
    decoder = replace(config.decoder, gathering=way, layers=layers)
    config = replace(config, decoder=decoder)
    heads = build_heads(config, SMALL_CLASSES)
    built = build_decoder(config, heads, maps, gathers)
    scatter_weights(built)
    return built.set_train(True)


def _arguments(base: str) -> tuple:
    """Queries, self-attention bias, memory, grid, shapes; slots see each other and the others."""
    rng = np.random.default_rng(3)

    def drawn(*shape: int) -> Tensor:
        return Tensor(rng.normal(size=shape).astype(np.float32))

    count, tokens = SLOTS + MATCHING, sum(rows * columns for rows, columns in SHAPES)
    corners = 2 if base.startswith("points") else 4
    queries = {
        "content": drawn(BATCH, count, 32),
        "references": Tensor(rng.uniform(0.2, 0.8, (BATCH, count, corners)).astype(np.float32)),
        "real": ops.ones((BATCH, MATCHING), ms.float32),
    }
    if BASES[base].decoder.position == "constant":
        queries["position"] = drawn(BATCH, count, 32)
    hidden = np.zeros((BATCH, 1, count, count), np.float32)
    hidden[:, :, SLOTS:, :SLOTS] = BLOCKED
    valid = np.ones((BATCH, tokens), np.float32)
    valid[1, 40:48] = 0
    ratios = np.ones((BATCH, 4, 2), np.float32)
    ratios[1, :, 1] = 0.8
    grid = {"ratios": Tensor(ratios), "valid": Tensor(valid)}
    return queries, Tensor(hidden), drawn(BATCH, tokens, 32), grid, SHAPES, False


class ApartPasses(nn.Cell):
    """The plain twin: the decoder's own pass, then the gathering pass layer by layer."""

    def __init__(self, decoder: GatheringDecoder, *, shares_first: bool, first: int) -> None:
        super().__init__(auto_prefix=False)
        self.decoder, self.shares_first, self.first = decoder, shares_first, first

    def construct(self, queries: dict, bias: Tensor, *around: object) -> dict:
        decoder, memory, grid, shapes = self.decoder, *around[:3]
        start = queries["references"]
        own = decoder.walk(0, LAYERS, queries, start, bias, *around)
        taken = {key: value[:, self.first :] for key, value in queries.items() if key != "real"}
        query, references = taken["content"], taken["references"]
        start, logits, boxes = references, (), ()
        ratios = grid["ratios"][:, None]  # [B, 1, L, 2]
        for index, layer in enumerate(decoder.layers):
            scale = ops.concat((ratios,) * (references.shape[-1] // 2), -1)
            scaled = references[:, :, None] * scale
            position = decoder.position(index, query, scaled[:, :, 0], taken)
            query = layer.look(query, position, memory, grid["valid"], shapes, scaled)["query"]
            if index == 0 and self.shares_first:
                query = decoder.walk(0, 1, queries, queries["references"], bias, *around)["query"]
                query = query[:, self.first :]
            state = decoder.norm(query) if decoder.has_norm else query
            logits += (decoder.heads.classify(index, state),)
            boxes += (decoder.heads.boxes(index, state, start),)
            if decoder.refines and index < LAYERS - 1:
                refined = decoder.heads.boxes(index, query, references)
                references = ops.stop_gradient(refined)
                start = refined if decoder.looks_twice else references
        return {**own, "gathered": {"logits": logits, "boxes": boxes}}


def _numbers_and_gradients(
    decoder: Decoder, cell: nn.Cell, arguments: tuple
) -> tuple[list[np.ndarray], dict[str, np.ndarray]]:
    """All predictions of both passes, and gradients of a drawn weighting of them."""
    inputs = arguments[2]

    def run(memory: Tensor) -> tuple:
        decoded = cell(*arguments[:2], memory, *arguments[3:])
        gathered = decoded["gathered"]
        rng = np.random.default_rng(5)
        found = [*decoded["logits"], *decoded["boxes"], *gathered["logits"], *gathered["boxes"]]
        total = 0.0
        for part in found:
            total += (part * Tensor(rng.normal(size=part.shape).astype(np.float32))).sum()
        return total, tuple(found)

    weights = ms.ParameterTuple([*decoder.trainable_params()])
    step = ms.value_and_grad(run, 0, weights, has_aux=True)
    (_, found), (of_memory, of_weights) = step(inputs)
    gradients = {w.name: g.asnumpy() for w, g in zip(weights, of_weights, strict=True)}
    return [f.asnumpy() for f in found], gradients | {"memory": of_memory.asnumpy()}


@pytest.mark.parametrize("way", ["released", "paper"])
@pytest.mark.parametrize(
    ("base", "gathers"),
    [
        ("boxes in each layer", "all"),
        ("boxes in each layer", "matching"),
        ("constant positions", "all"),
        ("points", "matching"),
        ("points, no refinement, shared heads", "all"),
        ("scaled positions", "all"),
    ],
)
def test_both_passes_at_once_equal_one_after_the_other(
    base: str, gathers: Gathers, way: str
) -> None:
    arguments = _arguments(base)
    decoder = _decoder(base, way, gathers)
    first = 0 if gathers == "all" else SLOTS
    twin = ApartPasses(decoder, shares_first=way == "released", first=first)
    with pynative():
        found, gradients = _numbers_and_gradients(decoder, decoder, arguments)
        expected, wanted = _numbers_and_gradients(decoder, twin, arguments)
    assert len(found) == len(expected) == 4 * LAYERS
    assert found[-1].shape[1] == SLOTS + MATCHING - first
    for ours, theirs in zip(found, expected, strict=True):
        np.testing.assert_allclose(ours, theirs, rtol=0, atol=2e-5)
    for name, gradient in wanted.items():
        bound = 2e-5 * max(1.0, np.abs(gradient).max())
        np.testing.assert_allclose(gradients[name], gradient, rtol=0, atol=bound, err_msg=name)


def test_the_first_layer_s_results_are_the_same_or_not() -> None:
    base, same = "boxes in each layer", {}
    for way in ("released", "paper"):
        with pynative():
            decoded = _decoder(base, way, "all")(*_arguments(base))
        gathered = decoded["gathered"]
        same[way] = [
            np.array_equal(ours.asnumpy(), theirs.asnumpy())
            for ours, theirs in zip(decoded["logits"], gathered["logits"], strict=True)
        ]
    assert same == {"released": [True, False, False], "paper": [False, False, False]}


def test_gathering_queries_know_nothing_of_each_other() -> None:
    base = "boxes in each layer"
    queries, *around = _arguments(base)
    decoder = _decoder(base, "paper", "all")
    content = queries["content"].asnumpy().copy()
    content[:, 3] += 1.0
    with pynative():
        before = decoder(queries, *around)["gathered"]["boxes"]
        after = decoder({**queries, "content": Tensor(content)}, *around)["gathered"]["boxes"]
    for ours, theirs in zip(before, after, strict=True):
        moved = np.abs(ours.asnumpy() - theirs.asnumpy()).max((0, 2)) > 1e-6
        assert np.flatnonzero(moved).tolist() == [3]


def test_each_layer_projects_the_memory_once_for_both_passes(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    base, projected = "boxes in each layer", []
    project = MSDeformableAttention.project_value

    def counting(self: MSDeformableAttention, *arguments: Tensor) -> Tensor:
        projected.append(self)
        return project(self, *arguments)

    decoder, arguments = _decoder(base, "paper", "all"), _arguments(base)
    monkeypatch.setattr(MSDeformableAttention, "project_value", counting)
    with pynative():
        decoder(*arguments)
    assert projected == [layer.cross_attention for layer in decoder.layers]


def test_one_layer_that_is_shared_is_all_there_is() -> None:
    base = "boxes in each layer"
    with pynative():
        decoded = _decoder(base, "released", "matching", layers=1)(*_arguments(base))
    logits, gathered = decoded["logits"], decoded["gathered"]["logits"]
    assert len(gathered) == 1
    np.testing.assert_array_equal(gathered[0].asnumpy(), logits[0].asnumpy()[:, SLOTS:])


def _with_gathering(config: ModelConfig, way: str) -> ModelConfig:
    return replace(config, decoder=replace(config.decoder, gathering=way))


def test_its_own_pass_is_that_of_the_plain_decoder_and_there_are_no_new_weights() -> None:
    base = "boxes in each layer"
    gathering, plain = (_decoder(base, way, "all") for way in ("released", "none"))
    assert type(plain) is Decoder and type(gathering) is GatheringDecoder
    ours, theirs = (
        {p.name: p.shape for p in decoder.get_parameters()} for decoder in (gathering, plain)
    )
    assert ours == theirs
    arguments = _arguments(base)
    with pynative():
        found, expected = gathering(*arguments), plain(*arguments)
    assert "gathered" not in expected
    for key in ("logits", "boxes", "states", "starts"):
        for one, other in zip(found[key], expected[key], strict=True):
            np.testing.assert_allclose(one.asnumpy(), other.asnumpy(), rtol=0, atol=1e-6)


@pytest.mark.parametrize("way", ["released", "paper"])
def test_the_map_of_looks_is_of_its_own_pass(way: str) -> None:
    base = "boxes in each layer"
    arguments = _arguments(base)
    with pynative():
        found, expected = (
            _decoder(base, each, "all", maps=True)(*arguments)["attention_map"].asnumpy()
            for each in (way, "none")
        )
    assert expected.sum() > MATCHING
    np.testing.assert_allclose(found, expected, rtol=0, atol=1e-5)


def test_a_training_s_own_evaluation_does_without() -> None:
    base = "boxes in each layer"
    decoder, arguments = _decoder(base, "released", "all", layers=2), _arguments(base)
    decoder.set_train(False)
    decoded = decoder(*arguments)
    assert "gathered" not in decoded
    plain = _decoder(base, "none", "all", layers=2).set_train(False)(*arguments)
    for one, other in zip(decoded["boxes"], plain["boxes"], strict=True):
        np.testing.assert_array_equal(one.asnumpy(), other.asnumpy())


def test_only_a_training_builds_it_and_its_arithmetic_is_not_counted() -> None:
    config = _with_gathering(small_config(), "released")
    assert type(build_detector(config, SMALL_CLASSES).model.decoder) is Decoder
    trained = build_training_loss(Config(model=config), SMALL_CLASSES).model.decoder
    assert type(trained) is GatheringDecoder
    counts = [count_multiply_adds(c, SMALL_CLASSES, 96, 128) for c in (config, small_config())]
    assert counts[0] == counts[1]


def test_recomputation_and_half_precision_pass_through_it() -> None:
    base = "boxes in each layer"
    arguments = _arguments(base)
    with plain_products():  # as trainings of lower precision are built
        decoder = _decoder(base, "released", "all", layers=2)
    with pynative():
        found, gradients = _numbers_and_gradients(decoder, decoder, arguments)
    for layer in decoder.layers:
        layer.recompute()
    again, others = _numbers_and_gradients(decoder, decoder, arguments)
    for ours, theirs in zip(again, found, strict=True):
        np.testing.assert_allclose(ours, theirs, rtol=0, atol=1e-5)
    for name, gradient in gradients.items():
        bound = 1e-5 * max(1.0, np.abs(gradient).max())
        np.testing.assert_allclose(others[name], gradient, rtol=0, atol=bound, err_msg=name)
    for _, cell in decoder.layers.cells_and_names():
        if isinstance(cell, ProductCell):
            cell.set_product_type(ms.float16)
    with pynative():
        half, _ = _numbers_and_gradients(decoder, decoder, arguments)
    for ours, theirs in zip(half, found, strict=True):
        assert ours.dtype == np.float32
        np.testing.assert_allclose(ours, theirs, rtol=0, atol=0.05)
    assert any((ours != theirs).any() for ours, theirs in zip(half, found, strict=True))
