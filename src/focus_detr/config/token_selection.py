"""Which settings of the token selection go together."""

from __future__ import annotations

from collections.abc import Iterator

from focus_detr.config.schema import Config


def selection_problems(config: Config) -> Iterator[str]:
    """A sentence for each combination that makes no sense."""
    selector, encoder = config.model.foreground_selector, config.model.encoder
    if selector.kind == "sparse":
        yield from _sparse_problems(config)
    elif encoder.auxiliary_heads:
        yield (
            "model.encoder.auxiliary_heads needs model.foreground_selector.kind sparse, whose "
            "encoder carries the tokens that these heads read"
        )
    if config.eval.correlation and not selector.enabled:
        yield (
            "eval.correlation needs model.foreground_selector.enabled: without a selection all of "
            "the decoder's attention is on kept tokens"
        )


def _sparse_problems(config: Config) -> Iterator[str]:
    """What a Sparse selector needs."""
    selector, encoder = config.model.foreground_selector, config.model.encoder
    because = "model.foreground_selector.kind sparse"
    if not selector.enabled:
        yield f"{because} goes with model.foreground_selector.enabled true, kind focus with false"
        return
    if any(share != 1.0 for share in encoder.cascade):
        yield f"{because} needs model.encoder.cascade 1.0 in every layer, as all refine one list"
    if selector.features != "projection":
        yield f"{because} needs model.foreground_selector.features projection, which it scores"
