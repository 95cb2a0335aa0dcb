"""Swin Transformers whose tensors, and not their names alone, differ from Microsoft's.

mmdetection orders the inputs of merging otherwise, Hugging Face's transformers keep queries, keys
and values apart. Both become Microsoft's, whose names ``swin_naming`` has.
"""

from __future__ import annotations

import re
from collections.abc import Mapping

import numpy as np

from focus_detr.weights.swin_naming import OUTPUT_NORMS
from focus_detr.weights.templates import both_ways

Tensors = Mapping[str, np.ndarray]

_BLOCK = "layers.#.blocks.#."
_FROM_MMDETECTION, _ = both_ways(
    (
        ("patch_embed.projection.", "patch_embed.proj."),
        ("stages.#.blocks.#.attn.w_msa.", f"{_BLOCK}attn."),
        ("stages.#.blocks.#.ffn.layers.0.0.", f"{_BLOCK}mlp.fc1."),
        ("stages.#.blocks.#.ffn.layers.1.", f"{_BLOCK}mlp.fc2."),
        ("stages.#.", "layers.#."),
    )
)
_HF_BLOCK = "encoder.layers.#.blocks.#."
_FROM_TRANSFORMERS, _ = both_ways(
    (
        ("embeddings.patch_embeddings.projection.", "patch_embed.proj."),
        ("embeddings.norm.", "patch_embed.norm."),
        (f"{_HF_BLOCK}layernorm_before.", f"{_BLOCK}norm1."),
        (f"{_HF_BLOCK}layernorm_after.", f"{_BLOCK}norm2."),
        (f"{_HF_BLOCK}attention.self.", f"{_BLOCK}attn."),
        (f"{_HF_BLOCK}attention.output.dense.", f"{_BLOCK}attn.proj."),
        (f"{_HF_BLOCK}intermediate.dense.", f"{_BLOCK}mlp.fc1."),
        (f"{_HF_BLOCK}output.dense.", f"{_BLOCK}mlp.fc2."),
        ("encoder.layers.#.downsample.", "layers.#.downsample."),
        ("layernorm.", "norm."),
        ("classifier.", "head."),
        *((f"hidden_states_norms.stage{i + 2}.", f"{n}.") for i, n in enumerate(OUTPUT_NORMS)),
    )
)
_MMDETECTION_MARK = "stages.0.blocks.0.attn.w_msa.qkv.weight"
_TRANSFORMERS_MARK = "encoder.layers.0.blocks.0.attention.self.query.weight"
_TRANSFORMERS_PREFIX = "swin."  # of a classifier
_MERGING = re.compile(r"^layers\.\d+\.downsample\.(norm|reduction)\.")
_QUERY = re.compile(r"^(layers\.\d+\.blocks\.\d+\.attn\.)query\.(weight|bias)$")
_PARTS = re.compile(r"\.attn\.(query|key|value)\.")
_NEIGHBOURS = [0, 2, 1, 3]  # by row and column, in Microsoft's order by column and row


def to_microsoft(state: Tensors) -> Tensors:
    """Tensors as Microsoft has them; those of other layouts come back as they are."""
    if _MMDETECTION_MARK in state:
        return _from_mmdetection(state)
    bare = {name.removeprefix(_TRANSFORMERS_PREFIX): tensor for name, tensor in state.items()}
    return _from_transformers(bare) if _TRANSFORMERS_MARK in bare else state


def _from_mmdetection(state: Tensors) -> dict[str, np.ndarray]:
    named = {_FROM_MMDETECTION(name) or name: tensor for name, tensor in state.items()}
    named = {
        name: _by_neighbour(tensor) if _MERGING.match(name) else tensor
        for name, tensor in named.items()
    }
    if f"{OUTPUT_NORMS[0]}.weight" in named:
        return named
    last = f"{OUTPUT_NORMS[-1]}."  # of a classifier, which has no others
    return {
        f"norm.{name.removeprefix(last)}" if name.startswith(last) else name: tensor
        for name, tensor in named.items()
    }


def _by_neighbour(tensor: np.ndarray) -> np.ndarray:
    """Merging's inputs from (channel, neighbour) to (neighbour, channel): [..., 4C] of both."""
    if not tensor.ndim or tensor.shape[-1] % 4:
        return tensor  # of no merging; the check against the model names it
    by_channel = tensor.reshape(*tensor.shape[:-1], -1, 4)  # [..., C, 4]
    return np.swapaxes(by_channel[..., _NEIGHBOURS], -1, -2).reshape(tensor.shape)


def _from_transformers(state: Tensors) -> dict[str, np.ndarray]:
    named = {_FROM_TRANSFORMERS(name) or name: tensor for name, tensor in state.items()}
    joined = {name: tensor for name, tensor in named.items() if not _PARTS.search(name)}
    for query in filter(None, map(_QUERY.match, named)):
        parts = [f"{query[1]}{part}.{query[2]}" for part in ("query", "key", "value")]
        if named.keys() >= set(parts):  # otherwise the check against the model lists what lacks
            rows = np.concatenate([named[part] for part in parts])  # [3C, C] or [3C]
            joined[f"{query[1]}qkv.{query[2]}"] = rows
    return joined
