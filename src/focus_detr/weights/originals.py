"""Checkpoints of the authors' own Deformable DETR, DN-Deformable-DETR, DINO, Sparse and DAC-DETR.

Their tensors have other names than in detrex, whose names ``naming.py`` knows, and rows for the 91
category ids of COCO instead of its 80 classes. Sparse DETR, which detrex does not have, goes back
to its authors' names.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping

import numpy as np

from focus_detr.data.coco_classes import COCO_CLASSES
from focus_detr.weights.naming import DN_LABELS
from focus_detr.weights.templates import both_ways

Tensors = Mapping[str, np.ndarray]

CATEGORY_ROWS = 91  # ids 0 to 90, of which COCO uses 80
_BODY = "backbone.0.body."
_BLOCK = f"{_BODY}layer{{}}.#."
_QUERIES, _POSITION = "query_embed.weight", "transformer.pos_trans.weight"
_LABELS, _LOST_LABELS = "label_enc.weight", "label_encoder.weight"
_DN_ANCHORS = "refpoint_embed.weight"
_ENCODER = "transformer.encoder.layers.#."
_DECODER = "transformer.decoder.layers.#."
_ENCODER_CLASSES, _ENCODER_BOXES = (
    "transformer.enc_out_class_embed.",
    "transformer.enc_out_bbox_embed.",
)


def _backbone() -> list[tuple[str, str]]:
    pairs = [  # norms come before their convolutions, which begin detrex' names of them
        (f"{_BODY}bn1.", "backbone.stem.conv1.norm."),
        (f"{_BODY}conv1.", "backbone.stem.conv1."),
    ]
    for stage in range(1, 5):
        ours, theirs = f"backbone.res{stage + 1}.#.", _BLOCK.format(stage)
        pairs += [
            (f"{theirs}bn#.", f"{ours}conv#.norm."),
            (f"{theirs}conv#.", f"{ours}conv#."),
            (f"{theirs}downsample.1.", f"{ours}shortcut.norm."),
            (f"{theirs}downsample.0.", f"{ours}shortcut."),
        ]
    return pairs


_TO_DETREX, _TO_ORIGINAL = both_ways(
    (
        *_backbone(),
        (f"{_ENCODER}self_attn.", f"{_ENCODER}attentions.0."),
        (f"{_ENCODER}linear1.", f"{_ENCODER}ffns.0.layers.0.0."),
        (f"{_ENCODER}linear2.", f"{_ENCODER}ffns.0.layers.1."),
        (f"{_ENCODER}norm1.", f"{_ENCODER}norms.0."),
        (f"{_ENCODER}norm2.", f"{_ENCODER}norms.1."),
        (f"{_DECODER}self_attn.", f"{_DECODER}attentions.0.attn."),
        (f"{_DECODER}cross_attn.", f"{_DECODER}attentions.1."),
        (f"{_DECODER}linear1.", f"{_DECODER}ffns.0.layers.0.0."),
        (f"{_DECODER}linear2.", f"{_DECODER}ffns.0.layers.1."),
        # the second norm follows the self attention, the first one the cross attention
        (f"{_DECODER}norm2.", f"{_DECODER}norms.0."),
        (f"{_DECODER}norm1.", f"{_DECODER}norms.1."),
        (f"{_DECODER}norm3.", f"{_DECODER}norms.2."),
        ("transformer.level_embed", "transformer.level_embeds"),
        (_QUERIES, "query_embedding.weight"),
    )
)
_UNUSED_ROW = -20.0  # logit of a category id that no class has: never among the best
_PROJECTION = re.compile(r"^input_proj\.(\d+)\.([01])\.")
_CLASS_HEAD = re.compile(r"^(?:transformer\.decoder\.)?class_embed\.(\d+)\.")
_LAYER_HEAD = re.compile(r"^transformer\.encoder\.(class|bbox)_embed\.(\d+)\.")  # Sparse DETR
_NECK = re.compile(r"^neck\.(?:convs\.(\d+)|extra_convs\.0)\.(conv|norm)\.")
_HEAD = re.compile(r"^(class|bbox)_embed\.(\d+)\.")
_DUAL_ATTENTION = "transformer.encoder.layers.0.attentions.0.attn."
_COUNTERS = re.compile(r"(^|\.)total_(params|ops)$")  # of a profiler, left in Sparse DETR's
_LAYER = re.compile(r"^transformer\.decoder\.layers\.(\d+)\.")


def is_original(state: Tensors) -> bool:
    """Whether a torch state dict is of the authors' own code."""
    return any(name.startswith(_BODY) for name in state)


def is_original_deformable(state: Tensors) -> bool:
    """Whether it is Deformable DETR's, whose boxes' logits reach further than the others'."""
    return is_original(state) and (_QUERIES in state or _POSITION in state)


def is_original_dac(state: Tensors) -> bool:
    """Whether it is DAC-DETR's: Deformable-DETR++ with denoising, and suppression of overlaps."""
    return is_original(state) and {_QUERIES, _POSITION, _LABELS} <= state.keys()


def is_original_dn(state: Tensors) -> bool:
    """Whether it is DN-Deformable-DETR's."""
    return is_original(state) and {_DN_ANCHORS, _LABELS} <= state.keys()


def is_original_dino(state: Tensors) -> bool:
    """Whether it is DINO's, whose position embedding has a pair of its own."""
    return is_original(state) and f"{_ENCODER_CLASSES}weight" in state


def to_detrex(state: Tensors) -> dict[str, np.ndarray]:
    """Names and classes as detrex has them; other checkpoints come back as they are."""
    if not is_original(state):
        return _with_class_rows(_with_label_encoder(state))
    layers = _decoder_layers(state)
    has_anchors = _DN_ANCHORS in state
    renamed = {}
    for name, tensor in state.items():
        if _COUNTERS.search(name):
            continue
        new = _neck_name(name, state) or _head_name(name, layers) or _TO_DETREX(name) or name
        if name == _LABELS and has_anchors:
            new = DN_LABELS
        if name == _QUERIES and _POSITION in state:  # contents by place, as DINO's
            new = "transformer.tgt_embed.weight"
        renamed[new] = tensor
    return _with_class_rows(renamed)


def _with_label_encoder(state: Tensors) -> dict[str, np.ndarray]:
    """The one that detrex' own conversion of DN-Deformable-DETR leaves outside its generator."""
    if _DN_ANCHORS not in state or DN_LABELS in state:
        return dict(state)
    return {DN_LABELS if n == _LOST_LABELS else n: tensor for n, tensor in state.items()}


def is_sparse_release(state: Tensors) -> bool:
    """Whether the released code of Sparse DETR has such a network, dense or not.

    Args:
        state: by detrex' name.
    """
    has_dual_attention = any(name.startswith(_DUAL_ATTENTION) for name in state)
    is_resnet = any(name.startswith("backbone.res2.") for name in state)
    return _has_efficient_queries(state) and is_resnet and not has_dual_attention


def to_sparse_release(state: Tensors) -> dict[str, np.ndarray]:
    """The released code's names, with every alias, and rows: the inverse of ``to_detrex``.

    Args:
        state: by detrex' name, heads under one name only. Heads of COCO's 80 classes get a row for
            each category id.
    """
    layers, laterals = _decoder_layers(state), len({m[1] for m in _matches(_NECK, state) if m[1]})
    renamed = {}
    for name, tensor in state.items():
        if neck := _NECK.match(name):
            level, part = neck[1] or laterals, ("conv", "norm").index(neck[2])
            renamed[f"input_proj.{level}.{part}.{name[neck.end() :]}"] = tensor
        elif head := _HEAD.match(name):
            row = _with_unused_rows(tensor) if head[1] == "class" else tensor
            renamed |= dict.fromkeys(_head_names(head, layers), row)
        else:
            renamed[_TO_ORIGINAL(name) or name] = tensor
    return renamed


def _head_names(head: re.Match[str], layers: int) -> list[str]:
    """All names of a head's tensor: the encoder counts its layers' own from 0."""
    rest, layer = head.string[head.end() :], int(head[2]) - layers - 1
    names = [head.string, f"transformer.decoder.{head.string}"]
    of_encoder = [f"transformer.encoder.{head[1]}_embed.{layer}.{rest}"] if layer >= 0 else []
    return names + of_encoder


def _with_unused_rows(tensor: np.ndarray) -> np.ndarray:
    """[80, ...] -> [91, ...] with rows by category id; of another number of classes as it is."""
    ids = list(COCO_CLASSES.category_ids)
    if len(tensor) != len(ids):
        return tensor
    rows = np.zeros((CATEGORY_ROWS, *tensor.shape[1:]), tensor.dtype)
    rows[np.setdiff1d(np.arange(CATEGORY_ROWS), ids)] = _UNUSED_ROW if tensor.ndim == 1 else 0.0
    rows[ids] = tensor
    return rows


def _matches(pattern: re.Pattern[str], names: Iterable[str]) -> list[re.Match[str]]:
    return [match for match in map(pattern.match, names) if match]


def _decoder_layers(state: Tensors) -> int:
    return 1 + max((int(match[1]) for match in _matches(_LAYER, state)), default=-1)


def _has_efficient_queries(state: Tensors) -> bool:
    """Their projection makes positions only, that of two-stage queries contents too."""
    projection = state.get(_POSITION)
    return projection is not None and len(projection) != projection.shape[1]


def _neck_name(name: str, state: Tensors) -> str | None:
    match = _PROJECTION.match(name)
    if match is None:
        return None
    level, part = int(match[1]), ("conv", "norm")[int(match[2])]
    is_extra = state[f"input_proj.{level}.0.weight"].shape[-1] > 1
    place = "neck.extra_convs.0" if is_extra else f"neck.convs.{level}"
    return f"{place}.{part}.{name[match.end() :]}"


def _head_name(name: str, layers: int) -> str | None:
    """Of the encoder's heads, which are counted on from the decoder's: proposals, then layers."""
    of_layer = _LAYER_HEAD.match(name)
    if of_layer:
        number = layers + 1 + int(of_layer[2])
        return f"{of_layer[1]}_embed.{number}.{name[of_layer.end() :]}"
    for prefix, ours in ((_ENCODER_CLASSES, "class_embed"), (_ENCODER_BOXES, "bbox_embed")):
        if name.startswith(prefix):
            return f"{ours}.{layers}.{name.removeprefix(prefix)}"
    return None


def _with_class_rows(state: dict[str, np.ndarray]) -> dict[str, np.ndarray]:
    """Keep the rows of COCO's classes where a head has one for each category id."""
    ids = list(COCO_CLASSES.category_ids)
    layers = _decoder_layers(state)
    # proposals of efficient queries tell classes
    is_two_stage = _POSITION in state and not _has_efficient_queries(state)
    for name, tensor in state.items():
        head = _CLASS_HEAD.match(name)
        if head and len(tensor) == CATEGORY_ROWS:
            # two-stage Deformable DETR's own head tells objects by row 0, which is no category
            only_objects = is_two_stage and int(head[1]) == layers
            state[name] = tensor[: len(ids)] if only_objects else tensor[ids]
        elif name == _LABELS and len(tensor) == CATEGORY_ROWS + 1:
            state[name] = tensor[ids]
        elif name.endswith("label_encoder.weight") and len(tensor) == CATEGORY_ROWS + 1:
            state[name] = tensor[[*ids, CATEGORY_ROWS]]
    return state
