"""Names of the original Deformable DETR code and its descendants (Sparse DETR) and ours.

They keep torchvision's backbone, count heads through (decoder layers, proposals, encoder layers)
and call the norms of a decoder layer by another order: ``norm2`` follows the self attention and
``norm1`` the cross attention.
"""

from __future__ import annotations

import re
from collections.abc import Iterable

from focus_detr.weights.backbones import PREFIX as OUR_BACKBONE
from focus_detr.weights.backbones import torchvision_to_ours
from focus_detr.weights.templates import Renaming

_BACKBONE = "backbone.0.body."
_ENCODER = "transformer.encoder.layers.#."
_DECODER = "transformer.decoder.layers.#."
_SCORE_MLP = "transformer.enc_mask_predictor."
_OUR_MLP = "foreground_selector.score_mlp."

_TO_OURS = Renaming(
    (
        ("input_proj.3.0.", "neck.extra.conv."),
        ("input_proj.3.1.", "neck.extra.norm."),
        ("input_proj.#.0.", "neck.lateral.#.conv."),
        ("input_proj.#.1.", "neck.lateral.#.norm."),
        ("transformer.level_embed", "level_embed"),
        (f"{_SCORE_MLP}layer1.0.", f"{_OUR_MLP}norm."),
        (f"{_SCORE_MLP}layer1.1.", f"{_OUR_MLP}input."),
        (f"{_SCORE_MLP}layer2.0.", f"{_OUR_MLP}hidden1."),
        (f"{_SCORE_MLP}layer2.2.", f"{_OUR_MLP}hidden2."),
        (f"{_SCORE_MLP}layer2.4.", f"{_OUR_MLP}output."),
        ("transformer.enc_output.", "memory_projection.linear."),
        ("transformer.enc_output_norm.", "memory_projection.norm."),
        ("transformer.pos_trans.", "queries.box_projection."),
        ("transformer.pos_trans_norm.", "queries.norm."),
        (f"{_ENCODER}self_attn.", "encoder.layers.#.deformable."),
        (f"{_ENCODER}linear1.", "encoder.layers.#.ffn.linear1."),
        (f"{_ENCODER}linear2.", "encoder.layers.#.ffn.linear2."),
        (f"{_ENCODER}norm1.", "encoder.layers.#.norm1."),
        (f"{_ENCODER}norm2.", "encoder.layers.#.norm2."),
        (f"{_DECODER}self_attn.", "decoder.layers.#.self_attention."),
        (f"{_DECODER}cross_attn.", "decoder.layers.#.cross_attention."),
        (f"{_DECODER}linear1.", "decoder.layers.#.ffn.linear1."),
        (f"{_DECODER}linear2.", "decoder.layers.#.ffn.linear2."),
        (f"{_DECODER}norm2.", "decoder.layers.#.norm1."),
        (f"{_DECODER}norm1.", "decoder.layers.#.norm2."),
        (f"{_DECODER}norm3.", "decoder.layers.#.norm3."),
    )
)

# layer and group norms are gamma and beta with us
_NORM = re.compile(r"^(?!backbone\.)(.*\bnorm\d?)\.(weight|bias)$")
_NORM_PARTS = {"weight": "gamma", "bias": "beta"}
_HEAD = re.compile(r"^(?:transformer\.(encoder|decoder)\.)?(class|bbox)_embed\.(\d+)\.(.*)$")
_IGNORED = re.compile(r"(^|\.)(total_params|total_ops|num_batches_tracked)$")
_MARK = "transformer.encoder.layers.0.self_attn.value_proj.weight"


def is_original(names: Iterable[str]) -> bool:
    """Whether these are names of the original code, not of detrex."""
    return _MARK in names


def is_ignored(name: str) -> bool:
    """Whether an entry holds nothing of the network: counters, also those of a profiler."""
    return _IGNORED.search(name) is not None


def original_to_ours(name: str, decoder_layers: int) -> str:
    """Our name of a tensor; one that no rule knows comes back as it is.

    Args:
        name: as in the state dict; heads have several.
        decoder_layers: how many heads come before the one of the proposals.
    """
    if name.startswith(_BACKBONE):
        inner = name.removeprefix(_BACKBONE)
        return f"{OUR_BACKBONE}{torchvision_to_ours(inner) or inner}"
    head = _HEAD.match(name)
    renamed = _head(head, decoder_layers) if head else _TO_OURS(name) or name
    return _NORM.sub(lambda match: f"{match[1]}.{_NORM_PARTS[match[2]]}", renamed)


def _head(found: re.Match[str], decoder_layers: int) -> str:
    """Our name of a head: the encoder's own are counted from the one of its first layer."""
    owner, kind, number, part = found.groups()
    index = int(number) + (decoder_layers + 1 if owner == "encoder" else 0)
    heads = {"class": "class_heads", "bbox": "box_heads"}[kind]
    if index > decoder_layers:
        return f"encoder_heads.{heads}.{index - decoder_layers - 1}.{part}"
    return f"{heads}.{index}.{part}"
