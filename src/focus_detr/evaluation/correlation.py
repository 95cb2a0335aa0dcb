"""Corr: how far the encoder's tokens are those that the decoder looks at (Sparse DETR, section 5).

It is a share of attention in 0..1, not a coefficient of correlation.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

TOP_SHARE = 0.1  # of an image's tokens, which table 3 of the Focus-DETR paper names


class Correlation(NamedTuple):
    """Corr of each image, [B] each; nan where nothing was looked at.

    The paper does not say which top tokens it counts, so there are three readings.
    """

    kept: np.ndarray  # attention to all kept tokens, as Sparse DETR logs it
    top_kept: np.ndarray  # attention to the best-ranked tenth of the tokens
    top_attended: np.ndarray  # of the attention to the most attended tenth, the share that is kept


class Spread(NamedTuple):
    """Mean and standard deviation over images; nan without any."""

    mean: float
    std: float


CorrelationSummary = dict[str, Spread]  # by the fields of ``Correlation``


def hit_share(attention: np.ndarray, chosen: np.ndarray) -> np.ndarray:
    """Share of the attention [B, N] that falls on chosen tokens ([B, N] bool): [B], nan for 0/0."""
    total = attention.sum(1)
    hit = np.where(chosen, attention, 0.0).sum(1)
    return np.divide(hit, total, out=np.full_like(total, np.nan), where=total > 0)


def correlation(
    attention_map: np.ndarray, ranked: np.ndarray, kept: np.ndarray, valid: np.ndarray
) -> Correlation:
    """Corr in three readings.

    Args:
        attention_map: [B, N] from ``decoder_attention_map``.
        ranked: [B, K] token numbers, best first.
        kept: [B], how many of the list the encoder refines.
        valid: [B, N], above 0 where a token is no padding.
    """
    attention = attention_map.astype(np.float64)
    tokens = (valid > 0).sum(1).astype(np.float32)  # [B]
    tenth = (tokens * np.float32(TOP_SHARE)).astype(np.int64) + 1
    chosen = _first(ranked, kept, attention.shape)
    order = np.argsort(np.where(valid > 0, -attention, np.inf), axis=1, kind="stable")
    attended = np.where(_first(order, tenth, attention.shape), attention, 0.0)
    return Correlation(
        hit_share(attention, chosen),
        hit_share(attention, _first(ranked, np.minimum(tenth, kept), attention.shape)),
        hit_share(attended, chosen),
    )


def by_level(
    attention_map: np.ndarray,
    ranked: np.ndarray,
    kept: np.ndarray,
    shapes: tuple[tuple[int, int], ...],
) -> np.ndarray:
    """The first reading within each level: [B, L]; arguments as in ``correlation``."""
    chosen = _first(ranked, kept, attention_map.shape)
    ends = np.cumsum([rows * columns for rows, columns in shapes])[:-1]
    attention = np.split(attention_map.astype(np.float64), ends, axis=1)
    levels = zip(attention, np.split(chosen, ends, axis=1), strict=True)
    return np.stack([hit_share(level, hit) for level, hit in levels], axis=1)


def _first(ranked: np.ndarray, counts: np.ndarray, shape: tuple[int, ...]) -> np.ndarray:
    """Which tokens are among the first so many of a list: [B, K] and [B] -> [B, N] bool."""
    chosen = np.zeros(shape, bool)
    listed = np.arange(ranked.shape[1]) < counts[:, None]  # [B, K]
    np.put_along_axis(chosen, ranked.astype(np.int64), listed, axis=1)
    return chosen


def format_correlation(summary: CorrelationSummary) -> str:
    """One line for each reading."""
    words = {
        "kept": "of the decoder's attention is on the kept tokens",
        "top_kept": "is on the best-ranked tenth of all tokens",
        "top_attended": "of that on the most attended tenth is on kept tokens",
    }
    lines = [
        f"{spread.mean:8.4f} +- {spread.std:.4f}  {words[name]}" for name, spread in summary.items()
    ]
    return "\n".join(["Corr, mean and deviation over the images", *lines])
