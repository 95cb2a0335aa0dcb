"""Swin Transformer (Liu et al. 2021) as detection uses it: a norm on each map that is put out."""

from __future__ import annotations

import mindspore as ms
from mindspore import Tensor, nn, ops

from focus_detr.models.backbones.padding import image_mask
from focus_detr.models.backbones.patches import PATCH, PatchEmbedding, PatchMerging
from focus_detr.models.backbones.stochastic_depth import AddBranch, BranchFactors, drop_rates
from focus_detr.models.backbones.window_attention import WindowAttention
from focus_detr.models.layer_norm import EPSILON, LayerNorm
from focus_detr.models.maps import CellsToMap
from focus_detr.ops import products_windows
from focus_detr.ops.products import Dense, WeighRows
from focus_detr.ops.products_choice import native_products

MLP_EXPANSION = 4


class SwinMLP(nn.Cell):
    """Two linear layers with GELU between them."""

    def __init__(self, width: int) -> None:
        super().__init__()
        self.fc1 = Dense(width, MLP_EXPANSION * width, activation="gelu")
        self.fc2 = Dense(MLP_EXPANSION * width, width)

    def construct(self, x: Tensor, residual: Tensor | None = None) -> Tensor:
        """[B, h, w, C] -> [B, h, w, C]."""
        return self.fc2(self.fc1(x), residual)


class SwinBlock(nn.Cell):
    """Window attention and perceptron, each behind a norm and with a residual."""

    def __init__(self, width: int, heads: int, *, window: int, shift: int) -> None:
        super().__init__()
        self.norm1 = LayerNorm(width)
        self.attn = WindowAttention(width, heads, window=window, shift=shift)
        self.norm2 = LayerNorm(width)
        self.mlp = SwinMLP(width)
        self.add = AddBranch()
        library = native_products()
        self.native = library is not None
        if library is not None:
            self.branch = products_windows.perceptron_branch(library, EPSILON)

    def construct(
        self,
        x: Tensor,
        extents: Tensor,
        inside: Tensor | None,
        first: Tensor | None = None,
        second: Tensor | None = None,
    ) -> Tensor:
        """Refine cells.

        Args:
            x: [B, h, w, C].
            extents: as for ``WindowAttention``.
            inside: likewise.
            first: [B], factors of the attention's branch, or None for all of it.
            second: [B], likewise of the perceptron's.
        """
        if first is None:
            x = self.attn(self.norm1(x), extents, inside, x)
        else:
            x = self.add(x, self.attn(self.norm1(x), extents, inside), first)
        if self.native and self.training:
            return self._native_branch(x, second)
        if second is None:
            return self.mlp(self.norm2(x), x)
        return self.add(x, self.mlp(self.norm2(x)), second)

    def _native_branch(self, x: Tensor, factor: Tensor | None) -> Tensor:
        """[B, h, w, C] -> [B, h, w, C]: norm, perceptron and sum as one operator."""
        if factor is None:
            factor = ops.ones((x.shape[0],), ms.float32)
        one, two, norm = self.mlp.fc1, self.mlp.fc2, self.norm2
        weights = (norm.gamma, norm.beta, one.weight, one.bias, two.weight, two.bias)
        return self.branch(x, *weights, factor)[0]


class SwinStage(nn.Cell):
    """Blocks of one width; every other one shifts its windows by half a window."""

    def __init__(self, width: int, heads: int, depth: int, *, window: int, merges: bool) -> None:
        super().__init__()
        self.blocks = nn.CellList(
            [
                SwinBlock(width, heads, window=window, shift=(index % 2) * (window // 2))
                for index in range(depth)
            ]
        )
        self.merges = merges
        if merges:
            self.downsample = PatchMerging(width)


class SwinTransformer(nn.Cell):
    """Swin Transformer without its classifier.

    Args:
        width: C of the first stage.
        heads: M of the first stage.
        depths: blocks of the stages.
        window: cells along a window's side, in all stages.
        drop_path: rate of the last block's stochastic depth.
        freeze_at: 0 trains all, 1 freezes the patch embedding, 2..5 the stages up to the first
            to fourth too.
        finest_stride: 8 or, with the first stage's map too, 4.
    """

    def __init__(
        self,
        width: int,
        heads: int,
        depths: tuple[int, ...],
        *,
        window: int = 7,
        drop_path: float = 0.1,
        freeze_at: int = 0,
        finest_stride: int = 8,
    ) -> None:
        super().__init__()
        self.patch_embed = PatchEmbedding(width)
        self.layers = nn.CellList(
            [
                SwinStage(
                    width * 2**stage,
                    heads * 2**stage,
                    depth,
                    window=window,
                    merges=stage < len(depths) - 1,
                )
                for stage, depth in enumerate(depths)
            ]
        )
        self.first_output = 0 if finest_stride == PATCH else 1
        widths = tuple(width * 2**stage for stage in range(len(depths)))
        self.channels = widths[self.first_output :]
        for stage in range(self.first_output, len(depths)):
            setattr(self, f"norm{stage}", LayerNorm(widths[stage]))
        self.factors = BranchFactors(drop_rates(depths, drop_path))
        self.branches = self.factors.branches if drop_path > 0 else 0
        self.to_map, self.weigh = CellsToMap(), WeighRows()
        self._freeze(freeze_at)

    def _freeze(self, freeze_at: int) -> None:
        """Stop training the patch embedding (1) and the stages up to ``layers.{freeze_at - 2}``."""
        frozen = [self.patch_embed] if freeze_at >= 1 else []
        frozen += list(self.layers)[: max(0, freeze_at - 1)]
        for cell in frozen:
            for parameter in cell.get_parameters():
                parameter.requires_grad = False

    def blocks_to_recompute(self) -> list[nn.Cell]:
        """As in ``ResNet``."""
        return [block for stage in self.layers for block in stage.blocks]

    def output_norms(self) -> tuple[nn.Cell | None, ...]:
        """The norm of each stage's output, None where it is not put out."""
        norms = (self.norm1, self.norm2, self.norm3)
        return ((self.norm0,) if self.first_output == 0 else (None,)) + norms

    def construct(
        self, images: Tensor, image_sizes: Tensor | None = None, draws: Tensor | None = None
    ) -> tuple[Tensor, ...]:
        """Extract features.

        Args:
            images: [B, 3, H, W], normalised.
            image_sizes: [B, 2] (height, width) to keep padding out of the features, or None.
            draws: [B, branches], uniform in [0, 1), for stochastic depth, or None for none.

        Returns:
            Maps of strides 8, 16, 32, with the finest before if it is asked for, as ``ResNet``'s.
        """
        factors = None if draws is None else self.factors(draws)  # [B, branches]
        x, outputs, block = self.patch_embed(images), (), 0
        for index, (stage, norm) in enumerate(zip(self.layers, self.output_norms())):  # noqa: B905 (no strict in graphs)
            extents, inside = self._extents(x, image_sizes, PATCH * 2**index)
            for cell in stage.blocks:
                if factors is None or block == 0:
                    x = cell(x, extents, inside)
                else:
                    place = 2 * block - 2
                    x = cell(x, extents, inside, factors[:, place], factors[:, place + 1])
                block += 1
            if norm is not None:
                outputs += (self.to_map(norm(x)),)
            if stage.merges:
                x = stage.downsample(x if inside is None else self.weigh(x, inside))
        return outputs

    def _extents(
        self, x: Tensor, image_sizes: Tensor | None, stride: int
    ) -> tuple[Tensor, Tensor | None]:
        """Rows and columns of each image in a map [B, h, w, C]: [B, 2] and [B, h, w, 1] or None."""
        batch, rows, columns, _ = x.shape
        if image_sizes is None:
            down = ops.full((batch, 1), rows, dtype=ms.float32)
            return ops.concat((down, ops.full((batch, 1), columns, dtype=ms.float32)), 1), None
        extents = ((image_sizes + (stride - 1)) // stride).astype(ms.float32)  # [B, 2]
        inside = image_mask(image_sizes, rows, columns, stride)  # [B, 1, h, w]
        return extents, inside.reshape(batch, rows, columns, 1)  # [B, h, w, 1]
