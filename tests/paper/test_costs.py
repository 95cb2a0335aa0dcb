"""Costs of the family against the reference's, and the formula against the built networks."""

from __future__ import annotations

import re
from dataclasses import replace

import pytest
from family_cases import small_family_config

from focus_detr.config.loading import load_config
from focus_detr.config.recipes import recipe_folder, recipe_names
from focus_detr.config.schema import ModelConfig
from focus_detr.errors import FocusDetrError
from focus_detr.models.factory import build_model
from focus_detr.models.flops import count_multiply_adds
from focus_detr.paper.costs import Built, count_cost, mean_parts, split_parts
from focus_detr.paper.costs_drawing import costs_table
from focus_detr.paper.counted import count_built
from focus_detr.paper.published import (
    LAYER_SHARES,
    USUAL_KEEP,
    find_rows,
    keeping,
    published_rows,
)

SIZE = (800, 1066)
FOCUS = "focus_detr_r50_36ep"
# billion multiply-adds at 800 x 1066 of a counter on the reference
REFERENCE = {
    f"{FOCUS}@10": 122.4,
    f"{FOCUS}@20": 135.8,
    f"{FOCUS}@30": 149.2,
    f"{FOCUS}@40": 162.6,
    f"{FOCUS}@50": 176.0,
    "focus_detr_r101_36ep@30": 212.6,
    "focus_detr_swin_tiny_36ep@30": 156.9,
    "focus_detr_swin_base_224_36ep@30": 354.6,
    "focus_detr_swin_base_384_36ep@30": 378.2,
    "focus_detr_swin_large_36ep@30": 741.2,
    "family/dino_r50_36ep": 237.0,
}


def _model(name: str) -> ModelConfig:
    (row,) = find_rows([name])
    return keeping(load_config(row.settings).model, row.keep)


@pytest.mark.parametrize("name", REFERENCE)
def test_totals_are_the_reference_s(name: str) -> None:
    parts, spread = mean_parts(_model(name), 80, [SIZE])
    assert parts.total / 1e9 == pytest.approx(REFERENCE[name], abs=0.06)
    assert spread == 0


def test_encoder_and_decoder_are_those_of_figure_2() -> None:
    """48.3 and 138.7 for the layers, 22.5 to 22.9 for the decoder, of another counter."""
    focus, dino = (mean_parts(_model(name), 80, [SIZE])[0] for name in list(REFERENCE)[2::8])
    assert focus.encoder / 1e9 == pytest.approx(48.0 + 1.9 + 1.17, abs=0.1)  # and its selection
    assert dino.encoder / 1e9 == pytest.approx(138.8, abs=0.1)
    assert focus.decoder / 1e9 == pytest.approx(22.9 + 1.17, abs=0.1)  # and projected proposals
    assert focus.features == dino.features


def test_projecting_tokens_is_shared_by_selection_and_proposals_of_every_kind() -> None:
    """A selector's scores and the proposals read the same projection: half of it is of each."""
    base = load_config(FOCUS).model
    for source, position in (("mixed", "boxes"), ("two_stage_mixed", "constant")):
        queries = replace(base.queries, source=source)
        decoder = replace(base.decoder, position=position)
        config = replace(base, queries=queries, decoder=decoder)
        counts = count_multiply_adds(config, 80, *SIZE)
        of_encoder = counts.encoder_layers + counts.encoder_sampling + counts.dual_attention
        of_encoder += counts.category_head + counts.score_mlp
        scoring = split_parts(config, counts).encoder - of_encoder
        assert scoring == counts.memory_projection / 2, source


def test_the_released_row_of_table_7_is_the_release_to_the_last_bit() -> None:
    encoder = keeping(load_config(FOCUS).model, 30).encoder
    assert (encoder.keep_ratio, encoder.cascade) == (0.5, (1.0, 0.8, 0.6, 0.6, 0.4, 0.2))
    for keep, shares in LAYER_SHARES.items():
        assert sum(shares) / 6 == pytest.approx(keep / 100)
    sparse = keeping(load_config("family/sparse_detr_r50_50ep").model, 20).encoder
    assert (sparse.keep_ratio, sparse.cascade) == (0.2, (1.0,) * 6)


def test_every_row_has_settings_and_the_published_ap_of_their_head() -> None:
    rows = published_rows()
    assert len({row.name for row in rows}) == len(rows)
    for row in rows:
        model = load_config(row.settings).model
        assert model.foreground_selector.enabled == (row.keep is not None)
        if row.ap is not None and row.keep in (None, USUAL_KEEP):  # what the settings are for
            lines = (recipe_folder() / f"{row.settings}.yaml").read_text().splitlines()
            head = " ".join(line for line in lines if line.startswith("#"))
            assert f"{row.ap:.1f}" in head, row.name


def test_every_base_of_the_family_has_a_row() -> None:
    """Of several schedules one, as they cost the same; so do other losses and their decoder."""
    schedule = re.compile(r"(_(dac|align|dac_align))?_r50(_5scale)?_\d+ep$")
    names = [name for name in recipe_names() if name.startswith("family/") and "_r50_" in name]
    rows = [row.settings for row in published_rows()]
    bases = {schedule.sub("", name) for name in rows}
    named_twice = {"family/dino_focus"}  # Focus-DETR itself
    assert "focus_detr" in bases
    bases |= named_twice
    assert {schedule.sub("", name) for name in names} <= bases


def test_means_over_images() -> None:
    sizes = [(800, 1066), (800, 1200), (640, 640)]
    (row,) = find_rows([f"{FOCUS}@30"])
    config = _model(row.name)
    built = Built.of(build_model(small_family_config("dino_r50_12ep").model, 80))
    cost = count_cost(row, config, sizes, built=built)
    totals = [count_multiply_adds(config, 80, *size).total for size in sizes]
    assert cost.parts.total == pytest.approx(sum(totals) / 3)
    assert cost.spread == pytest.approx(40e9, rel=0.2)
    assert cost.kept[0] == pytest.approx(cost.tokens / 2, rel=1e-3)
    record = cost.record()
    assert record["published"]["name"] == row.name
    assert record["trainable"] == built.trainable < record["weights"]["total"]
    assert f"| `{row.name}` |" in costs_table([cost])


# what the formula leaves out and what it counts although the network need not compute it
@pytest.mark.parametrize(
    ("name", "points", "twice"),
    [
        ("dino_r50_12ep", 0, 1),
        ("dino_sparse_dual_r50_36ep", 0, 1),
        ("deformable_detr_r50_50ep", 1, 0),
        ("deformable_detr_focus_r50_50ep", 1, 0),
        ("deformable_detr_two_stage_focus_r50_50ep", 0, 0),
        ("sparse_detr_r50_50ep", 0, 0),
        ("dn_deformable_detr_sparse_r50_50ep", 0, 0),
        ("dac_detr_r50_24ep", 0, 1),
    ],
)
def test_formula_and_built_network_agree(name: str, points: int, twice: int) -> None:
    """The network projects learned points, and reads the box head of its last layer once."""
    even = ["model.encoder.cascade=[1, 1]"] if "sparse" in name else []
    config = small_family_config(name, *even).model
    built = count_built(build_model(config, 7), 160, 224)
    queries, width = config.decoder.queries, config.width
    last_head = queries * (2 * width**2 + 4 * width)
    formula = count_multiply_adds(config, 7, 160, 224).total
    assert sum(built.values()) == formula + points * queries * 2 * width - twice * last_head


@pytest.mark.parametrize(("name", "side"), [("swin_tiny", 224), ("efficientnet_lite0", 160)])
def test_other_backbones_agree(name: str, side: int) -> None:
    changes = [f"model.backbone={{name: {name}}}", "model.width=128"]
    changes += ["model.encoder.cascade=[1, 1]"]
    config = small_family_config("sparse_detr_r50_50ep", *changes).model
    built = sum(count_built(build_model(config, 7), side, side).values())
    assert built == count_multiply_adds(config, 7, side, side).total


def test_unknown_rows_and_ratios_are_refused() -> None:
    with pytest.raises(FocusDetrError, match="there is no row focus; did you mean focus_detr_r50"):
        find_rows(["focus"])
    with pytest.raises(FocusDetrError, match="10, 20, 30, 40, 50 percent, not 25"):
        keeping(load_config(FOCUS).model, 25)
    with pytest.raises(FocusDetrError, match="six encoder layers, not of 3"):
        keeping(load_config("bccd").model, 30)
