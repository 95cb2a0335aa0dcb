"""Decoder cross-attention map (DAM): how much a decoder's queries look at each token.

Sparse DETR (ICLR 2022), section 3.2: every sample of the cross attention leaves its weight at the
four tokens around it, in bilinear shares, summed over layers, heads and queries.
"""

from __future__ import annotations

from mindspore import Tensor, nn, ops

from focus_detr.ops.msda_composition import sample_corners


def decoder_attention_map(
    locations: Tensor,
    weights: Tensor,
    shapes: tuple[tuple[int, int], ...],
    *,
    half_pixel: bool = False,
) -> Tensor:
    """Add up the samples of all queries; no gradient flows.

    The release takes a location's cell without the half pixel by which deformable attention reads,
    so its map lies half a cell to the right and below, and what falls over those borders is lost.

    Args:
        locations: [B, Q, M, L, P, 2] float32, (x, y) in 0..1 of each level's padded map; the
            queries of several layers one after the other.
        weights: [B, Q, M, L, P] float32, sum 1 over the L*P samples of a head.
        shapes: (rows, columns) of each level, static.
        half_pixel: put the weight where deformable attention reads.

    Returns:
        [B, N] float32, at most Q*M in total for an image.
    """
    tokens = 0
    for rows, columns in shapes:
        tokens += rows * columns
    batch = locations.shape[0]
    index, share = sample_corners(
        shapes,
        ops.stop_gradient(locations),
        ops.stop_gradient(weights),
        tokens,
        0.5 if half_pixel else 0.0,
    )
    # this operation adds in one order, unlike a scatter on several threads
    total = ops.unsorted_segment_sum(share.reshape(-1), index.reshape(-1), batch * tokens)  # [B*N]
    return total.reshape(batch, tokens)  # [B, N]


class DecoderAttentionMap(nn.Cell):
    """The map of all layers of a decoder.

    Args:
        half_pixel: as for ``decoder_attention_map``.
        all_queries: denoising queries count too. They lie on noised objects and there are none
            outside of training, so that they would tell the selector the answer.
    """

    def __init__(self, *, half_pixel: bool = False, all_queries: bool = False) -> None:
        super().__init__()
        self.half_pixel = half_pixel
        self.all_queries = all_queries

    def construct(
        self,
        locations: tuple[Tensor, ...],
        weights: tuple[Tensor, ...],
        slots: int,
        shapes: tuple[tuple[int, int], ...],
    ) -> Tensor:
        """Add up.

        Args:
            locations: [B, D + Q, M, L, P, 2] per layer.
            weights: [B, D + Q, M, L, P] per layer.
            slots: D, how many of the queries are for denoising, the first ones.
            shapes: (rows, columns) of each level, static.

        Returns:
            [B, N] float32.
        """
        first = 0 if self.all_queries else slots
        places, shares = (), ()
        for index in range(len(locations)):
            places += (locations[index][:, first:],)
            shares += (weights[index][:, first:],)
        return decoder_attention_map(
            ops.concat(places, axis=1),  # [B, layers*Q, M, L, P, 2]
            ops.concat(shares, axis=1),  # [B, layers*Q, M, L, P]
            shapes,
            half_pixel=self.half_pixel,
        )
