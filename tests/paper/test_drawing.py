"""Figures look as they should: sizes, words apart from each other, colours apart for everybody."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from itertools import combinations
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from golden_data import load
from paper_cases import golden_seen

from focus_detr.config.loading import load_config
from focus_detr.errors import FocusDetrError
from focus_detr.inference.palette import FIGURE_COLOURS
from focus_detr.inference.postprocess import Detections
from focus_detr.inference.prediction import Prediction
from focus_detr.models.parameter_counts import ParameterCounts
from focus_detr.paper import (
    costs_drawing,
    labels_drawing,
    objects_drawing,
    quality_drawing,
    token_drawing,
)
from focus_detr.paper.costs import Built, Check, Cost, Parts, count_cost
from focus_detr.paper.drawing import (
    LEVEL_COLOURS,
    SMALLEST,
    SUFFIXES,
    WIDTH,
    dimmed,
    lettering,
    panel_grid,
    save_figure,
    show_picture,
)
from focus_detr.paper.labels import RULES, label_boxes
from focus_detr.paper.objects import count_objects, mean_objects
from focus_detr.paper.published import find_rows, keeping
from focus_detr.paper.quality import QualityMeter
from focus_detr.paper.timing import Times

to_rgba = pytest.importorskip("matplotlib.colors", reason="figures need matplotlib").to_rgba

BOXES = np.float32([[20, 30, 200, 250], [250, 100, 420, 390], [5, 300, 30, 330]])
# of linear light, for people without the middle or the long cones (Machado and others, 2009)
_BLINDNESS = (
    ((0.367, 0.861, -0.228), (0.280, 0.673, 0.047), (-0.012, 0.043, 0.969)),
    ((0.152, 1.053, -0.205), (0.115, 0.786, 0.099), (-0.004, -0.048, 1.052)),
)


@pytest.fixture
def figures(monkeypatch: pytest.MonkeyPatch) -> dict[str, Any]:
    """Figures by name, as they are saved."""
    kept: dict[str, Any] = {}

    def keep(figure: Any, folder: Path, name: str) -> list[Path]:
        kept[name] = figure
        return []

    modules = (token_drawing, objects_drawing, labels_drawing, quality_drawing, costs_drawing)
    for module in modules:
        monkeypatch.setattr(module, "save_figure", keep)
    return kept


def _words(figure: Any) -> Iterator[tuple[str, Any]]:
    """Every text that is drawn, and its place; none is too small for print."""
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.text import Text

    canvas = FigureCanvasAgg(figure)
    canvas.draw()
    renderer, outside = canvas.get_renderer(), set(_ticks_outside(figure))
    for text in figure.findobj(Text):
        if text.get_visible() and text.get_text().strip() and text not in outside:
            assert text.get_fontsize() >= SMALLEST >= 6.5, text
            place = text.get_window_extent(renderer)
            if place.width > 0:
                yield text.get_text(), place


def _ticks_outside(figure: Any) -> Iterator[Any]:
    """Labels of ticks beyond the ends of their axis, which are not drawn."""
    for axis in (axis for axes in figure.axes for axis in (axes.xaxis, axes.yaxis)):
        low, high = sorted(axis.get_view_interval())
        for tick in axis.get_major_ticks():
            if not low <= tick.get_loc() <= high:
                yield from (tick.label1, tick.label2)


def check_figure(figure: Any, largest: float) -> None:
    """Assert its width, and that all words are inside, not small and apart from each other.

    Args:
        figure: to be drawn.
        largest: height in inches.
    """
    assert figure.get_size_inches()[0] == WIDTH
    assert figure.get_size_inches()[1] <= largest
    words = list(_words(figure))
    for text, place in words:
        assert place.x0 >= -1 and place.y0 >= -1, text
        assert place.x1 <= figure.bbox.width + 1 and place.y1 <= figure.bbox.height + 1, text
    for (one, first), (other, second) in combinations(words, 2):
        apart = (
            first.x1 <= second.x0 + 1
            or second.x1 <= first.x0 + 1
            or first.y1 <= second.y0 + 1
            or second.y1 <= first.y0 + 1
        )
        assert apart, f"{one!r} and {other!r}"


def _legend(figure: Any) -> list[str]:
    """What stands under all panels."""
    return [text.get_text() for legend in figure.legends for text in legend.get_texts()]


def _cost(name: str, timed: bool) -> Cost:
    (row,) = find_rows([name])
    weights = ParameterCounts(20_000_000, 5_000_000, 9_000_000, 0, 9_000_000, 0, 0, 0, 0)
    parts = Parts(70e9, 40e9 + 2e9 * (row.keep or 50), 22e9)
    built = Built(weights, 42_000_000, Check(224, 224, 10, 10))
    times = Times("CPU", "float32", 100, 900.0, 800.0, 400.0, 1.0, 2101.0, 0.48)
    kept = (17821.0,) * 6
    size = ((800, 1066),)
    more_of = {"_swin_base_224_": 285e9, "_swin_base_384_": 308e9}  # as near as they are
    extra = next((more for part, more in more_of.items() if part in name), 0.0)
    parts = replace(parts, features=parts.features + extra)
    return Cost(row, size, 17821, kept, built, parts, 0.0, times if timed else None)


def test_token_figures(figures: dict[str, Any], tmp_path: Path) -> None:
    seen = golden_seen(load("infer_r50_alpha_q100"), BOXES)
    rows = [("focus", seen), ("the other one", seen)]
    with lettering():
        token_drawing.draw_patches(rows, 0, tmp_path)
        token_drawing.draw_levels(rows, 0, tmp_path)
        token_drawing.draw_layers(rows, 0.3, tmp_path)
        assert set(figures) == {"token_patches", "token_levels", "token_layers"}
        for figure in figures.values():
            check_figure(figure, 6)
        layers = figures["token_layers"].axes
    assert _legend(figures["token_layers"]) == ["dog"]
    strides = [f"stride {stride}" for stride in (16, 32, 64)]
    assert _legend(figures["token_patches"]) == ["stride 8: photograph", *strides]
    assert len(layers) == 2 * 7
    points = [axes.collections[0].get_offsets() for axes in layers[1:7]]
    assert [len(each) for each in points] == seen.tokens.counts.tolist()


def test_classes_are_named_in_colours_that_stay_apart(
    figures: dict[str, Any], tmp_path: Path
) -> None:
    seen = golden_seen(load("infer_r50_alpha_q100"))
    names = [f"a class of cells {number}" for number in range(20)]
    boxes = np.tile(np.float32([9, 9, 90, 90]), (20, 1))
    labels, scores = np.arange(20)[::-1], np.ones(20, np.float32)
    for count in (20, 2):  # labels 0 to 19; 18 and 19
        found = Detections(boxes[:count], scores[:count], labels[:count])
        prediction = Prediction(found, tuple(names[::-1][:count]), None)
        with lettering():
            token_drawing.draw_layers([("a", replace(seen, prediction=prediction))], 0.3, tmp_path)
            check_figure(figures["token_layers"], 2.5)
        assert _legend(figures["token_layers"]) == names[-count:]
    colours = [box.get_edgecolor() for box in figures["token_layers"].axes[0].patches]
    assert colours == [to_rgba(FIGURE_COLOURS[1]), to_rgba(FIGURE_COLOURS[0])]


def test_names_may_hold_dollar_signs(figures: dict[str, Any], tmp_path: Path) -> None:
    seen = golden_seen(load("infer_r50_alpha_q100"))
    rows = [("$\\foo$", seen), ("$$", seen)]
    with lettering():
        token_drawing.draw_patches(rows, 0, tmp_path)
        check_figure(figures["token_patches"], 6)


def test_patches_show_the_photograph_or_the_level_s_colour() -> None:
    seen = golden_seen(load("infer_r50_alpha_q100"))
    drawn = token_drawing.patched(seen, np.array([0]))
    assert drawn.shape == (800, 848, 3)  # enlarged by 2
    lit = drawn.max(axis=2) > 0.31 * 255
    assert lit[:16, :16].mean() > 0.9 and not lit[20:].any()


def test_rows_are_as_high_as_their_pictures() -> None:
    from matplotlib.backends.backend_agg import FigureCanvasAgg

    with lettering():
        figure, axes = panel_grid([(48, 64, 3), (96, 48, 3)], 3)
        for panels, shape in zip(axes, [(48, 64, 3), (96, 48, 3)], strict=True):
            for panel in panels:
                show_picture(panel, np.zeros(shape, np.uint8), "below")
        FigureCanvasAgg(figure).draw()
    (lying, _), (upright, _) = ((panels[0].bbox, panels[1].bbox) for panels in axes)
    assert lying.height / lying.width == pytest.approx(48 / 64, rel=0.02)
    assert upright.height / upright.width == pytest.approx(96 / 48, rel=0.02)
    assert lying.width == pytest.approx(upright.width, rel=0.06)  # nothing is shrunk
    gap = lying.y0 - upright.y1
    assert 0 < gap < 0.3 * figure.dpi
    with pytest.raises(FocusDetrError, match=r"figure of 999 rows is too high .*--count"):
        panel_grid([(48, 64)] * 999, 4)


def test_object_figures(figures: dict[str, Any], tmp_path: Path) -> None:
    seen = golden_seen(load("infer_r50_alpha_q100"), BOXES)
    objects_drawing.draw_objects([seen, seen], tmp_path)
    means = mean_objects([count_objects(seen)])
    objects_drawing.draw_object_statistics(means, (8, 16, 32, 64), 0.4, 1, tmp_path)
    objects_drawing.draw_object_statistics(means, (8, 16, 32, 64), None, 1, tmp_path)
    with lettering():
        check_figure(figures["objects"], 5)
        check_figure(figures["object_statistics"], 3)
    assert figures["object_statistics"].axes[0].get_ylabel() == "share, mean of 1 picture"
    offsets = [len(dots.get_offsets()) for dots in figures["objects"].axes[1].collections]
    assert sum(offsets) == 300
    assert _legend(figures["objects"])[:3] == ["score 0", "score 1", "stride 8"]


def test_an_encoder_that_keeps_all_tokens_has_no_scores_to_show(
    figures: dict[str, Any], tmp_path: Path
) -> None:
    seen = golden_seen(load("infer_r50_alpha_q100"))
    seen = replace(seen, looks=replace(seen.looks, scores=None))
    objects_drawing.draw_objects([seen], tmp_path)
    with lettering():
        check_figure(figures["objects"], 3)
    (said,) = figures["objects"].axes[0].texts
    assert said.get_text() == "no scores: all tokens are kept"


def test_label_figure(figures: dict[str, Any], tmp_path: Path) -> None:
    photograph = golden_seen(load("infer_r50_alpha_q100"), BOXES).photograph
    size = photograph.pixels.shape[:2]
    labelled = [label_boxes(BOXES, rule, size) for rule in RULES]
    labels_drawing.draw_labels([(photograph, labelled)], RULES, tmp_path)
    with lettering():
        check_figure(figures["labels"], 7)
    assert _legend(figures["labels"]) == ["foreground", "other tokens in boxes"]
    panels = np.reshape(figures["labels"].axes, (3, 4))
    for each, row in zip(labelled, panels, strict=True):
        for level, axes in enumerate(row):
            red = to_rgba(labels_drawing.FOREGROUND)
            dots = [
                len(points.get_offsets())
                for points in axes.collections
                if tuple(points.get_facecolor()[0]) == red
            ]
            assert sum(dots) == (each.foreground & (each.places.levels == level)).sum()


def test_quality_figure(figures: dict[str, Any], tmp_path: Path) -> None:
    seen = golden_seen(load("infer_r50_alpha_q100"), BOXES)
    measured = []
    for name in ("focus", "sparse"):
        meter = QualityMeter(name, 6)
        meter.add(seen)
        measured.append(meter.result())
    quality_drawing.draw_quality(measured, tmp_path)
    with lettering():
        check_figure(figures["quality"], 3)
    kinds = [f"{name} boxes" for name in ("all", "small", "medium", "large")]
    assert _legend(figures["quality"]) == ["focus", "sparse", "blind choice", *kinds]


@pytest.mark.parametrize("timed", [False, True])
def test_cost_figures(figures: dict[str, Any], tmp_path: Path, timed: bool) -> None:
    names = [f"focus_detr_r50_36ep@{keep}" for keep in (10, 20, 30, 40, 50)]
    names += ["family/dino_r50_36ep", "family/deformable_detr_refine_r50_50ep"]
    names += [f"focus_detr_swin_base_{size}_36ep@30" for size in (224, 384)]
    names += ["family/dn_deformable_detr_sparse_dual_r50_50ep@30"]  # the longest
    costs = [_cost(name, timed) for name in names]
    costs_drawing.draw_costs(costs, tmp_path)
    with lettering():
        check_figure(figures["costs"], 3)
        check_figure(figures["ap_by_cost"], 5)
    assert len(figures["costs"].axes) == 1 + timed
    shown = {text.get_text() for text in figures["ap_by_cost"].axes[0].texts}
    assert {"10 %", "50 %", "Swin-B, 224", "Swin-B, 384"} <= shown
    table = costs_drawing.costs_table(costs).splitlines()
    assert len({line.count("|") for line in table}) == 1
    assert ("| 0.48 |" in table[2]) == timed
    assert all("| 800 x 1066 | 43.00 | 42.00 |" in line for line in table[2:])


def test_words_of_the_whole_family_stay_apart(figures: dict[str, Any], tmp_path: Path) -> None:
    built = _cost("family/dino_r50_36ep", timed=False).built
    costs = []
    for row in find_rows([]):
        model = keeping(load_config(row.settings).model, row.keep)
        costs.append(count_cost(row, model, [(800, 1066)], built=built))
    costs_drawing.draw_costs(costs, tmp_path)
    with lettering():
        check_figure(figures["costs"], 8)
        check_figure(figures["ap_by_cost"], 5)


def test_the_scatter_says_what_its_costs_are_of(figures: dict[str, Any], tmp_path: Path) -> None:
    one = _cost("family/dino_r50_36ep", timed=False)
    other = replace(one, sizes=((64, 85),))
    several = replace(one, sizes=((800, 1066), (800, 1200)))
    for costs, told in (
        ([one, one], "one image of 800 x 1066"),
        ([one, other], "one image"),
        ([several, several], "mean of 2 images"),
    ):
        costs_drawing.draw_costs(costs, tmp_path)
        for figure in figures.values():
            assert figure.axes[0].get_xlabel().endswith(f", {told}")
    assert "| 800 x 1133 |" in costs_drawing.costs_table([several])


def test_files_are_for_screen_and_print(tmp_path: Path) -> None:
    from matplotlib.figure import Figure

    with lettering():
        files = save_figure(Figure(figsize=(2, 1)), tmp_path / "new", "a", dpi=100)
    assert [file.suffix for file in files] == list(SUFFIXES)
    assert files[0].read_bytes().startswith(b"\x89PNG")
    assert files[1].read_bytes().startswith(b"%PDF")


def _seen_by(colour: str, blindness: Any) -> np.ndarray:
    red, green, blue = (int(colour[place : place + 2], 16) / 255 for place in (1, 3, 5))
    linear = np.array(blindness) @ np.array([red, green, blue]) ** 2.2
    return np.clip(linear, 0, 1) ** (1 / 2.2)


@pytest.mark.parametrize("blindness", _BLINDNESS)
@pytest.mark.parametrize(
    "colours",
    [LEVEL_COLOURS, FIGURE_COLOURS, (labels_drawing.FOREGROUND, labels_drawing.BACKGROUND)],
)
def test_colours_stay_apart_for_the_colour_blind(colours: tuple[str, ...], blindness: Any) -> None:
    seen = [_seen_by(colour, blindness) for colour in colours]
    assert min(np.linalg.norm(one - other) for one, other in combinations(seen, 2)) > 0.12


def _light(colour: tuple[float, ...]) -> float:
    """Relative luminance of sRGB 0..1, as the web's rules for contrast have it."""
    linear = [c / 12.92 if c <= 0.04045 else ((c + 0.055) / 1.055) ** 2.4 for c in colour]
    return float(np.dot(linear, (0.2126, 0.7152, 0.0722)))


@pytest.mark.parametrize("grey", [0, 128, 255])
def test_levels_stand_out_from_a_dark_photograph(grey: int) -> None:
    """The finest level has the most tokens and the smallest dots: it stands out most."""
    ground = _light((dimmed(np.array([grey]))[0] / 255,) * 3)
    contrasts = [(_light(to_rgba(c)[:3]) + 0.05) / (ground + 0.05) for c in LEVEL_COLOURS]
    assert contrasts[0] == max(contrasts) > 4.5
    assert min(contrasts) > 1.7
