"""Every tensor of Sparse DETR's state dict has one name of ours, and only one."""

from __future__ import annotations

import pytest
from golden_data import manifest

from focus_detr.weights.original_naming import is_ignored, is_original, original_to_ours

ENTRIES = manifest("sparse_r50")["state_dict"]
LAYERS = 6
HEADS = "encoder_heads."


def test_every_canonical_tensor_has_a_name_of_its_own() -> None:
    found: dict[str, set[str]] = {}
    for name, entry in ENTRIES.items():
        found.setdefault(original_to_ours(name, LAYERS), set()).add(entry["canonical"])
    assert len(found) == manifest("sparse_r50")["num_entries_unique"]
    assert all(len(names) == 1 for names in found.values())


def test_no_foreign_word_is_left() -> None:
    ours = [original_to_ours(name, LAYERS) for name in ENTRIES]
    foreign = ("transformer", "embed.", "self_attn", "cross_attn", "input_proj", ".body.", "enc_")
    assert not [name for name in ours if any(word in name for word in foreign)]


def test_layouts_are_told_apart() -> None:
    assert is_original(ENTRIES)
    assert not is_original(manifest("r50")["state_dict"])


@pytest.mark.parametrize(
    ("name", "ours"),
    [
        ("backbone.0.body.layer2.0.downsample.1.weight", "backbone.res3.0.shortcut.norm.weight"),
        ("transformer.decoder.layers.3.norm2.weight", "decoder.layers.3.norm1.gamma"),
        ("transformer.decoder.layers.3.norm1.bias", "decoder.layers.3.norm2.beta"),
        ("transformer.encoder.layers.0.linear1.bias", "encoder.layers.0.ffn.linear1.bias"),
        ("input_proj.3.1.weight", "neck.extra.norm.gamma"),
        ("class_embed.6.weight", "class_heads.6.weight"),
        ("class_embed.7.weight", f"{HEADS}class_heads.0.weight"),
        ("transformer.decoder.class_embed.7.weight", f"{HEADS}class_heads.0.weight"),
        (
            "transformer.encoder.bbox_embed.4.layers.2.bias",
            "encoder_heads.box_heads.4.layers.2.bias",
        ),
        ("something.else", "something.else"),
    ],
)
def test_single_names(name: str, ours: str) -> None:
    assert original_to_ours(name, LAYERS) == ours


def test_a_profiler_s_counters_are_ignored() -> None:
    assert is_ignored("transformer.encoder.total_ops")
    assert not any(is_ignored(name) for name in ENTRIES)
