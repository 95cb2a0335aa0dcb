"""Blocks of Swin Transformer alone against the reference, natively and by plain operators."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import nullcontext

import mindspore as ms
import numpy as np
import pytest
from golden_data import check, load, weight_for
from mindspore import Tensor, nn
from model_cases import channels_first

from focus_detr.models.backbones.patches import PatchEmbedding, PatchMerging
from focus_detr.models.backbones.swin import SwinBlock
from focus_detr.models.backbones.windows import distance_index, shift_mask
from focus_detr.models.maps import CellsToMap
from focus_detr.ops.products_choice import plain_products
from focus_detr.weights.naming import to_ours, to_torch

BLOCKS = ("swin_block_w7", "swin_block_w7_small", "swin_block_w12")


@pytest.fixture(params=["native", "plain"], autouse=True)
def products(request: pytest.FixtureRequest) -> Iterator[None]:
    """Cells of a test are built with each kind of products."""
    with plain_products() if request.param == "plain" else nullcontext():
        yield


def fill(cell: nn.Cell, prefix: str) -> dict[str, ms.Parameter]:
    """The golden recipe's weights; returns the parameters by torch name."""
    named = {}
    for name, parameter in cell.parameters_and_names():
        torch_name = to_torch(f"{prefix}{name}").removeprefix(prefix)
        values = weight_for(f"{prefix}{torch_name}", parameter.shape, 0)
        parameter.set_data(Tensor(values))
        named[torch_name] = parameter
    return named


def check_gradients(
    golden: dict, key: str, cell: nn.Cell, named: dict[str, ms.Parameter], inputs: tuple
) -> None:
    """Output, and the gradients of input and weights under the stored gradient of the output."""
    upstream, x, *others = inputs

    def loss(x: Tensor) -> tuple[Tensor, Tensor]:
        out = cell(x, *others)
        return (out * upstream).sum(), out

    step = ms.value_and_grad(loss, 0, list(named.values()), has_aux=True)
    (_, out), (grad_input, gradients) = step(x)
    tokens = (out.shape[0], -1, out.shape[-1])
    check(golden, f"{key}output", out.asnumpy().reshape(tokens))
    check(golden, f"{key}grad_input", grad_input.asnumpy().reshape(tokens[0], -1, x.shape[-1]))
    for name, gradient in zip(named, gradients, strict=True):
        check(golden, f"{key}grad/{name}", gradient.asnumpy())


@pytest.mark.parametrize("kind", ["plain", "shift"])
@pytest.mark.parametrize("case", BLOCKS)
def test_a_block_and_its_gradients(case: str, kind: str) -> None:
    golden = load(case)
    meta = golden["meta"]
    index = ("plain", "shift").index(kind)
    block = SwinBlock(
        meta["dim"], meta["heads"], window=meta["window"], shift=meta["shift"][index]
    ).set_train()
    named = fill(block, f"backbone.layers.0.blocks.{index}.")
    map_shape = (meta["batch"], meta["H"], meta["W"], meta["dim"])
    upstream, x = (Tensor(golden[key].reshape(map_shape)) for key in ("grad_output", "input"))
    extents = Tensor([[meta["H"], meta["W"]]] * meta["batch"], ms.float32)
    check_gradients(golden, f"{kind}/", block, named, (upstream, x, extents, None))


@pytest.mark.parametrize("case", BLOCKS)
def test_the_shift_mask(case: str) -> None:
    golden = load(case)
    meta = golden["meta"]
    extents = Tensor([[meta["H"], meta["W"]]], ms.float32)
    mask = shift_mask(meta["H"], meta["W"], meta["window"], meta["shift"][1], extents).asnumpy()
    stored = golden["attn_mask_blocked"]
    blocked = np.unpackbits(stored, axis=-1)[..., : mask.shape[-1]]
    np.testing.assert_array_equal(mask[:, 0], blocked * -100.0)


def test_the_index_of_the_table() -> None:
    golden = load("swin_bias_resize")
    for window in (7, 12):
        expected = golden[f"relative_position_index_w{window}"]
        np.testing.assert_array_equal(distance_index(window), expected)


@pytest.mark.parametrize(("rows", "columns"), [(7, 9), (8, 5), (6, 4)])
def test_merging_of_patches(rows: int, columns: int) -> None:
    golden = load("swin_merge")
    key = f"{rows}x{columns}/"
    merging = PatchMerging(96).set_train()
    named = fill(merging, "backbone.layers.0.downsample.")
    x = golden[f"{key}input"]
    batch, height, width = len(x), -(-rows // 2), -(-columns // 2)
    upstream = golden[f"{key}grad_output"].reshape(batch, height, width, -1)
    inputs = (Tensor(upstream), Tensor(x.reshape(batch, rows, columns, -1)))
    check_gradients(golden, key, merging, named, inputs)


@pytest.mark.parametrize("size", ["37x50", "40x41"])
def test_embedding_of_patches(size: str) -> None:
    golden = load("swin_merge")
    embedding = PatchEmbedding(96)
    fill(embedding, "backbone.patch_embed.")
    to_map = CellsToMap()
    cells = embedding(Tensor(golden[f"embed_{size}/input"]))
    check(golden, f"embed_{size}/output", channels_first(to_map(cells).asnumpy()))


def test_names_of_weights_go_both_ways() -> None:
    for name in (
        "backbone.patch_embed.norm.weight",
        "backbone.layers.1.blocks.0.norm2.bias",
        "backbone.layers.2.downsample.norm.weight",
        "backbone.norm3.bias",
        "backbone.stem.conv1.norm.weight",
    ):
        assert to_torch(to_ours(name, 6)) == name
    assert to_ours("backbone.norm3.bias", 6) == "backbone.norm3.beta"
    assert to_ours("backbone.stem.conv1.norm.weight", 6) == "backbone.stem.conv1.norm.weight"
