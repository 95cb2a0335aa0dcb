"""Swin Transformer as a whole: its padding, stochastic depth, recomputation and maps."""

from __future__ import annotations

from contextlib import nullcontext
from dataclasses import replace

import mindspore as ms
import numpy as np
import pytest
from mindspore import Tensor, nn, ops
from model_cases import channels_first, pynative, scatter_weights, shapes_only

from focus_detr.config.schema import BackboneConfig
from focus_detr.models.backbones.stochastic_depth import BranchFactors, drop_rates
from focus_detr.models.backbones.swin import SwinTransformer
from focus_detr.models.factory import build_backbone
from focus_detr.ops.products_choice import plain_products

SMALL = BackboneConfig("swin_tiny", 0.25, (2, 2, 1, 1), 0, window=5, drop_path=0.4)
SIZES = ((67, 83), (38, 90))


def small_backbone(plain: bool = False) -> SwinTransformer:
    """A small network of native products, where they are there, or of MindSpore's own."""
    with plain_products() if plain else nullcontext():
        backbone = build_backbone(SMALL)
    scatter_weights(backbone)
    return backbone


@pytest.fixture(scope="module")
def small() -> SwinTransformer:
    """The small network as it runs here."""
    return small_backbone()


def padded_images(sizes: tuple[tuple[int, int], ...]) -> tuple[Tensor, Tensor]:
    height, width = np.max(sizes, axis=0)
    images = np.zeros((len(sizes), 3, height, width), np.float32)
    for index, (rows, columns) in enumerate(sizes):
        pixels = np.random.default_rng(index).normal(size=(3, rows, columns))
        images[index, :, :rows, :columns] = pixels
    return Tensor(images), Tensor(np.array(sizes, np.int32))


def as_planes(features: Tensor, plain: bool = False) -> np.ndarray:
    return features.asnumpy() if plain else channels_first(features.asnumpy())


@pytest.mark.parametrize("plain", [False, True], ids=["native", "plain"])
def test_features_do_not_depend_on_the_padding(small: SwinTransformer, plain: bool) -> None:
    backbone = small_backbone(plain) if plain else small
    images, sizes = padded_images(SIZES)
    together = backbone(images, sizes)
    for index, (rows, columns) in enumerate(SIZES):
        with pynative():  # each size would be compiled for itself
            alone = backbone(images[index : index + 1, :, :rows, :columns], None)
        for one, other in zip(alone, together, strict=True):
            one = as_planes(one, plain)[0]
            other = as_planes(other, plain)[index, :, : one.shape[1], : one.shape[2]]
            np.testing.assert_allclose(one, other, atol=2e-5)


def test_without_sizes_padding_is_image(small: SwinTransformer) -> None:
    images, sizes = padded_images(SIZES)
    masked, whole = small(images, sizes), small(images, None)
    assert np.abs(as_planes(masked[0]) - as_planes(whole[0]))[1].max() > 1e-2


def test_maps_round_up_at_every_stage(small: SwinTransformer) -> None:
    images, _ = padded_images(((37, 50),))
    with pynative():
        shapes = [as_planes(features).shape for features in small(images, None)]
    assert shapes == [(1, 48, 5, 7), (1, 96, 3, 4), (1, 192, 2, 2)]


def test_the_finest_map_comes_first_if_asked_for() -> None:
    backbone = SwinTransformer(24, 3, (1, 1, 1, 1), window=5, finest_stride=4)
    images, _ = padded_images(((37, 50),))
    with pynative():
        shapes = [channels_first(features.asnumpy()).shape for features in backbone(images, None)]
    assert shapes[0] == (1, 24, 10, 13) and len(shapes) == 4
    assert backbone.channels == (24, 48, 96, 192)


def test_rates_rise_evenly_over_all_stages() -> None:
    rates = drop_rates((2, 2, 6, 2), 0.1)
    assert rates[0] == 0 and rates[-1] == pytest.approx(0.1)
    np.testing.assert_allclose(np.diff(rates), 0.1 / 11, rtol=1e-5)
    assert BranchFactors(rates).branches == 22
    with shapes_only():
        assert build_backbone(BackboneConfig("swin_tiny", 0.125, freeze_at=0)).branches == 22
        assert build_backbone(BackboneConfig("swin_base", 0.125, freeze_at=0)).branches == 46
        still = BackboneConfig("swin_tiny", 0.125, freeze_at=0, drop_path=0.0)
        assert build_backbone(still).branches == 0


def test_a_kept_branch_counts_more_and_a_dropped_one_not_at_all() -> None:
    factors = BranchFactors((0.0, 0.2, 0.4))
    draws = np.array([[0.0, 0.79, 0.81, 0.59], [0.61, 0.99, 0.1, 0.7]], np.float32)
    expected = [[1.25, 1.25, 0.0, 1 / 0.6], [1.25, 0.0, 1 / 0.6, 0.0]]
    np.testing.assert_allclose(factors(Tensor(draws)).asnumpy(), expected, rtol=1e-6)


def test_dropped_branches_leave_their_block_out(small: SwinTransformer) -> None:
    """With all draws beyond the kept share only the first block and the merging are left."""
    backbone = small
    images, _ = padded_images(((40, 60),))
    draws = Tensor(np.full((1, backbone.branches), 0.999, np.float32))
    extents = Tensor([[10, 15]], ms.float32)
    with pynative():
        x = backbone.patch_embed(images)
        x = backbone.layers[0].blocks[0](x, extents, None)
        x = backbone.layers[0].downsample(x)
        expected = backbone.to_map(backbone.norm1(x)).asnumpy()
    np.testing.assert_allclose(backbone(images, None, draws)[0].asnumpy(), expected, atol=1e-5)


class Loss(nn.Cell):
    """A sum over all maps."""

    def __init__(self, backbone: nn.Cell) -> None:
        super().__init__(auto_prefix=False)
        self.backbone = backbone

    def construct(self, images: Tensor, draws: Tensor) -> Tensor:
        total = 0.0
        for features in self.backbone(images, None, draws):
            total += (features * ops.cos(features)).sum()
        return total


def test_recomputed_blocks_give_the_same_gradients() -> None:
    gradients = []
    for recomputes in (False, True):
        backbone = build_backbone(replace(SMALL, depths=(2, 1, 1, 1)))
        scatter_weights(backbone)
        for block in backbone.blocks_to_recompute() if recomputes else ():
            block.recompute()
        images, _ = padded_images(((40, 60),))
        draws = Tensor(np.linspace(0, 0.9, backbone.branches, dtype=np.float32)[None])
        loss = Loss(backbone).set_train()
        made = ms.grad(loss, None, loss.trainable_params())(images, draws)
        gradients.append([gradient.asnumpy() for gradient in made])
    for one, other in zip(*gradients, strict=True):
        np.testing.assert_allclose(one, other, rtol=1e-4, atol=1e-5 * np.abs(one).max())
