"""Parts of a network and of its training that do not go together, each in a sentence."""

from __future__ import annotations

from collections.abc import Iterator

from focus_detr.config.schema import PROPOSING, Config, ModelConfig

MOST_GROUPS = 20  # of DN-DETR's denoising, each with a query for every box; published: 5
MOST_OF_LITE = 4  # levels of EfficientNet-Lite0, which has no map of stride 4


def combinations(config: Config) -> Iterator[str]:
    """Parts of the network, and of its training, that do not go together."""
    model, decoder, source = config.model, config.model.decoder, config.model.queries.source
    key = f"model.queries.source {source}"
    has_positions = source in ("two_stage", "two_stage_mixed", "efficient", "learned_points")
    if has_positions != (decoder.position == "constant"):
        fits = "constant" if has_positions else "boxes"
        yield f"{key} goes with model.decoder.position {fits}, not {decoder.position}"
    if decoder.scale_position and decoder.position == "constant":
        yield "model.decoder.scale_position goes with model.decoder.position boxes"
    if decoder.look_forward_twice and not decoder.refine:
        yield "model.decoder.look_forward_twice goes with model.decoder.refine true"
    if decoder.refine and decoder.shared_heads and source == "learned_points":
        yield f"{key} and model.decoder.refine go with model.decoder.shared_heads false"
    if model.queries.content == "memory" and source != "mixed":
        yield f"model.queries.content memory goes with model.queries.source mixed, not {source}"
    if model.queries.proposal_labels is not None and source not in PROPOSING:
        yield f"model.queries.proposal_labels goes with {', '.join(PROPOSING)}, not {source}"
    candidates = model.overlap_candidates
    if candidates is not None and candidates < model.max_detections:
        yield (
            f"model.overlap_candidates {candidates} goes with model.max_detections of at most "
            f"{candidates}, not {model.max_detections}"
        )
    yield from _category_head(model)
    yield from _denoising(config)
    yield from _mixed_matching(config)
    yield from _gathering(config)
    if model.levels > MOST_OF_LITE and model.backbone.name == "efficientnet_lite0":
        yield (
            f"model.levels {model.levels} goes with a ResNet or a Swin Transformer, not "
            f"{model.backbone.name}"
        )


def _category_head(model: ModelConfig) -> Iterator[str]:
    """Dual attention ranks tokens by a class head."""
    encoder, source = model.encoder, model.queries.source
    shares_encoder_head = encoder.dual_attention and encoder.category_head == "encoder"
    has_head = source in PROPOSING or encoder.auxiliary_heads
    if shares_encoder_head and not has_head:
        yield (
            f"model.encoder.dual_attention with model.queries.source {source}, which has no class "
            "head for the encoder, goes with model.encoder.category_head decoder_layer"
        )
    if (
        encoder.dual_attention
        and encoder.category_head == "decoder_layer"
        and model.decoder.shared_heads
    ):
        yield (
            "model.encoder.category_head decoder_layer goes with model.decoder.shared_heads false"
        )


def _denoising(config: Config) -> Iterator[str]:
    """Denoising queries are boxes with the content of a label."""
    denoising, source = config.denoising, config.model.queries.source
    if denoising.number == 0:
        return
    if source in ("two_stage", "efficient", "learned_points"):
        yield (
            "denoising goes with model.queries.source mixed, two_stage_mixed or learned_anchors, "
            f"not {source}: set denoising.number 0"
        )
    elif config.model.label_rows == "none":
        yield "denoising goes with model.label_rows classes or one_more: set denoising.number 0"
    if denoising.kind == "dn" and denoising.number > MOST_GROUPS:
        yield (
            f"denoising.number {denoising.number} goes with denoising.kind contrastive, where it "
            f"counts pairs: of kind dn it counts groups, at most {MOST_GROUPS}"
        )


def _mixed_matching(config: Config) -> Iterator[str]:
    """Several queries for each box are ranked by the IoU-aware loss."""
    align, classification = config.loss.align, config.loss.classification
    layers, numbers = config.model.decoder.layers, len(align.repeats)
    if numbers not in (0, 1, layers):  # that it is empty, its range says
        yield (
            f"loss.align.repeats with {numbers} items goes with model.decoder.layers {numbers}, "
            f"not {layers}: give one item, or one for each layer"
        )
    if max(align.repeats, default=1) > 1 and classification != "align":
        yield "loss.align.repeats above 1 goes with loss.classification align, not focal"
    if align.encoder_repeats > 1 and (classification, align.encoder) != ("align", "align"):
        yield (
            "loss.align.encoder_repeats above 1 goes with loss.classification align and "
            "loss.align.encoder align"
        )


def _gathering(config: Config) -> Iterator[str]:
    """The gathering decoder learns in some of its layers, by one rule."""
    decoder, many = config.model.decoder, config.loss.one_to_many
    gathers = decoder.gathering != "none"
    if gathers and decoder.layers == 1 and not many.first_layer:
        yield "loss.one_to_many.first_layer false goes with model.decoder.layers above 1"
    if gathers and many.rule == "paper" and many.cap is not None:
        yield "loss.one_to_many.cap goes with loss.one_to_many.rule released, not paper"
