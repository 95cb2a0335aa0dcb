"""The map of names is a bijection over the torch model's state dict."""

from __future__ import annotations

import pytest
from golden_data import manifest

from focus_detr.errors import FocusDetrError
from focus_detr.weights.naming import (
    aliases,
    canonical,
    find_encoder_head,
    is_ignored,
    to_ours,
    to_torch,
)

ENTRIES = manifest("r50")["state_dict"]
ENCODER_HEAD = 6


def test_encoder_head_is_the_number_of_decoder_layers() -> None:
    assert find_encoder_head(ENTRIES) == ENCODER_HEAD
    assert find_encoder_head(["transformer.decoder.layers.1.norms.0.weight"]) == 2
    with pytest.raises(FocusDetrError, match="no decoder layers"):
        find_encoder_head(["conv1.weight"])


def test_canonical_names_are_the_reference_s() -> None:
    for name, entry in ENTRIES.items():
        assert canonical(name, ENCODER_HEAD) == entry["canonical"]


def test_map_is_a_bijection_over_the_canonical_names() -> None:
    names = {entry["canonical"] for entry in ENTRIES.values()}
    ours = {to_ours(name, ENCODER_HEAD) for name in names}
    assert len(names) == len(ours) == 625
    assert {to_torch(name) for name in ours} == names
    assert all(to_ours(to_torch(name), ENCODER_HEAD) == name for name in ours)


def test_no_torch_word_is_left_in_our_names() -> None:
    ours = {to_ours(name, ENCODER_HEAD) for name in ENTRIES}
    foreign = ("transformer", "embed.", "attentions", "ffns", "norms", "convs", "enc_")
    assert not [name for name in ours if any(word in name for word in foreign)]


def test_aliases_restore_every_entry_of_the_state_dict() -> None:
    restored = set()
    for name in {entry["canonical"] for entry in ENTRIES.values()}:
        restored.update([name, *aliases(name, ENCODER_HEAD, encoder_layers=6)])
    assert restored == set(ENTRIES)


@pytest.mark.parametrize(
    ("torch_name", "ours"),
    [
        ("backbone.res3.1.conv2.norm.weight", "backbone.res3.1.conv2.norm.weight"),
        ("neck.extra_convs.0.norm.weight", "neck.extra.norm.gamma"),
        ("transformer.encoder.layers.4.norm2.bias", "encoder.layers.4.dual_attention.norm.beta"),
        ("transformer.decoder.layers.5.norms.2.weight", "decoder.layers.5.norm3.gamma"),
        ("enhance_MCSP_layerlist.3.bias", "class_heads.6.bias"),
        ("transformer.decoder.bbox_embed.0.layers.2.bias", "box_heads.0.layers.2.bias"),
        ("something.else", "something.else"),
    ],
)
def test_single_names(torch_name: str, ours: str) -> None:
    assert to_ours(torch_name, ENCODER_HEAD) == ours


def test_counters_and_constants_are_ignored() -> None:
    assert is_ignored("pixel_mean")
    assert is_ignored("backbone.stem.conv1.norm.num_batches_tracked")
    assert not any(is_ignored(name) for name in ENTRIES)
