"""Whether the images of a training have as many tokens as its network takes queries from them."""

from __future__ import annotations

from focus_detr.config.schema import Config
from focus_detr.data.build import training_buckets
from focus_detr.errors import FocusDetrError
from focus_detr.models.factory import proposes
from focus_detr.models.flops import token_count


def refuse_few_tokens(config: Config) -> None:
    """Refuse settings whose queries are tokens, of which a batch would have too few.

    Detection goes on with as many queries as there are tokens; a single small image is no mistake.

    Raises:
        FocusDetrError: of the shapes that training images are padded to, the smallest has fewer
            tokens than there are queries.
    """
    if not proposes(config.model):
        return
    queries, source = config.model.decoder.queries, config.model.queries.source
    shapes = training_buckets(config.data).shapes
    fewest, height, width = min((token_count(config.model, *shape), *shape) for shape in shapes)
    if fewest < queries:
        raise FocusDetrError(
            f"model.queries.source {source} goes with at least as many tokens as queries: batches "
            f"of {height} x {width} pixels have {fewest} tokens, model.decoder.queries is {queries}"
        )
