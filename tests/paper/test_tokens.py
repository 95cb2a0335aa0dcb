"""Numbers of kept tokens against golden ones."""

from __future__ import annotations

import numpy as np
from golden_data import load
from hypothesis import given
from hypothesis import strategies as st
from paper_cases import golden_seen, seen_tokens

from focus_detr.inference.kept_tokens import KeptTokens
from focus_detr.models.geometry import level_shapes
from focus_detr.paper.tokens import count_tokens, kept_tokens


def test_counts_are_those_of_the_reference_s_lists() -> None:
    golden = load("infer_r50_alpha_q100")
    counted = count_tokens("golden", golden_seen(golden), 0.3)
    ends = np.cumsum([rows * columns for rows, columns in golden["spatial_shapes"]])
    unusable = np.isinf(golden["gen_proposals"][0]).any(axis=-1)
    assert counted.selects and len(counted.layers) == 6
    for index, layer in enumerate(counted.layers):
        tokens = golden[f"foreground_inds{index}"][0]
        levels = np.bincount(np.searchsorted(ends, tokens, side="right"), minlength=4)
        assert [level.kept for level in layer.levels] == levels.tolist()
        assert layer.kept == len(tokens)
        assert sum(level.border for level in layer.levels) == unusable[tokens].sum()
        objects = golden[f"enc{index}_topk_sa_global"][0]
        levels = np.bincount(np.searchsorted(ends, objects, side="right"), minlength=4)
        assert layer.objects == tuple(levels)
    assert [level.cells for level in counted.layers[0].levels] == np.diff(ends, prepend=0).tolist()
    assert [found["name"] for found in counted.detections] == ["dog"]


def test_kept_tokens_are_the_reference_s() -> None:
    golden = load("infer_r50_alpha_q100")
    seen = golden_seen(golden)
    for layer in range(6):
        expected = golden[f"foreground_inds{layer}"][0]
        kept = kept_tokens(seen, layer)  # near ties may stand in another order
        assert len(kept) == len(expected) and set(kept.tolist()) == set(expected.tolist())
        by_level = [kept_tokens(seen, layer, level) for level in range(4)]
        assert set(np.concatenate(by_level).tolist()) == set(expected.tolist())


def test_a_dense_encoder_is_told_apart() -> None:
    size = (64, 96)
    count = sum(rows * columns for rows, columns in level_shapes(*size))
    tokens = KeptTokens(np.arange(count), np.array([count] * 2), level_shapes(*size), size)
    counted = count_tokens("dense", seen_tokens(tokens), 0.3)
    assert not counted.selects
    assert all(level.kept == level.cells for layer in counted.layers for level in layer.levels)
    assert all(layer.objects == () for layer in counted.layers)


@given(seed=st.integers(0, 999), height=st.integers(40, 128), width=st.integers(40, 128))
def test_padding_is_never_counted(seed: int, height: int, width: int) -> None:
    shapes = level_shapes(128, 128)
    total = sum(rows * columns for rows, columns in shapes)
    ranked = np.random.default_rng(seed).permutation(total)
    tokens = KeptTokens(ranked, np.array([total, total // 2]), shapes, (height, width))
    first, second = count_tokens("any", seen_tokens(tokens), 0.0).layers
    image = sum(rows * columns for rows, columns in level_shapes(height, width))
    assert first.kept == first.cells == second.cells == image
    assert second.kept == sum(tokens.kept_cells(1, level).sum() for level in range(4))
