"""From rows of the family and checkpoints to figures and a table of costs."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

from tqdm import tqdm

from focus_detr.config.loading import load_config
from focus_detr.config.schema import Config, ModelConfig
from focus_detr.data.buckets import Size
from focus_detr.data.classes import ClassMap
from focus_detr.data.transforms import resized_size
from focus_detr.inference.loading import LoadedDetector, load_detector
from focus_detr.io.files import write_json, write_whole
from focus_detr.models.factory import build_detector
from focus_detr.models.parameter_counts import ParameterCounts, count_parameters
from focus_detr.paper.costs import COCO_CLASSES, Check, Cost, build_and_check, count_cost
from focus_detr.paper.costs_drawing import costs_table, draw_costs
from focus_detr.paper.detectors import NamedFile
from focus_detr.paper.photographs import Photograph
from focus_detr.paper.published import Published, keeping
from focus_detr.paper.section_3_4 import PAPER_SAYS, section_3_4
from focus_detr.paper.timing import Times, time_detector


@dataclass(frozen=True)
class CostRequest:
    """What to count, on what, and how."""

    rows: Sequence[Published] = ()
    checkpoints: Sequence[NamedFile] = ()  # further rows; photographs at their own test size
    photographs: Sequence[Photograph] = ()  # none: one image of ``size``
    size: Size = (800, 1066)  # (height, width) in pixels
    short_side: int = 800  # of photographs for the rows of the family,
    max_side: int = 1333  # unless their long side would exceed this
    check: bool = True  # count the built networks too
    timed: int = 0  # pictures that each detector is timed on; needs photographs


def draw_cost_figures(request: CostRequest, out: Path) -> tuple[list[Path], str]:
    """Figures 2 and 7, tables 1, 6 and 9, and section 3.4.

    Returns:
        The files, and the table in Markdown.

    Raises:
        FocusDetrError: a checkpoint is bad, or a file cannot be written.
    """
    total = len(request.rows) + len(request.checkpoints)
    counted = [*tqdm(_costs(request), "costs", total, unit="detector", disable=None)]
    files, table = draw_costs(counted, out), costs_table(counted)
    write_whole(out / "costs.md", table.encode())
    numbers = {
        "rows": [cost.record() for cost in counted],
        "section_3_4": {
            "computed": [asdict(shares) for shares in section_3_4()],
            "paper_says": PAPER_SAYS,
        },
    }
    write_json(out / "costs.json", numbers, indent=1)
    return [*files, out / "costs.md", out / "costs.json"], table


def _costs(request: CostRequest) -> Iterator[Cost]:
    known: dict[tuple[str, int | None], tuple[ParameterCounts, Check | None]] = {}
    for row in request.rows:
        config = load_config(row.settings)
        model = keeping(config.model, row.keep)
        place = (row.settings, row.keep if request.check else None)  # weights are alike
        if place not in known:
            known[place] = build_and_check(model, check=request.check)
        weights, check = known[place]
        times = _times_of_random(config, model, request) if request.timed else None
        sizes = _sizes(request, request.short_side, request.max_side)
        yield count_cost(row, model, sizes, weights=weights, check=check, times=times)
    for file in request.checkpoints:
        yield _of_checkpoint(file, request)


def _of_checkpoint(file: NamedFile, request: CostRequest) -> Cost:
    loaded = load_detector(file.path, fold=False)
    weights = count_parameters(loaded.cell.model)
    check = build_and_check(loaded.model, check=True)[1] if request.check else None
    sizes = _sizes(request, loaded.data.test_short_side, loaded.data.test_max_side)
    times = _times(load_detector(file.path), request) if request.timed else None
    named = Published(file.name)
    return count_cost(named, loaded.model, sizes, weights=weights, check=check, times=times)


def _sizes(request: CostRequest, short_side: int, max_side: int) -> list[Size]:
    """Of the images as a network sees them."""
    shapes = [photograph.pixels.shape[:2] for photograph in request.photographs]
    resized = [resized_size(height, width, short_side, max_side) for height, width in shapes]
    return resized or [request.size]


def _times_of_random(config: Config, model: ModelConfig, request: CostRequest) -> Times:
    """Of a network with freshly drawn weights: time does not depend on them."""
    classes = model.num_classes or COCO_CLASSES
    names = tuple(f"class {number}" for number in range(classes))
    detector = build_detector(model, classes)
    class_map = ClassMap(names, tuple(range(classes)))
    return _times(LoadedDetector(detector, model, class_map, config.data), request)


def _times(loaded: LoadedDetector, request: CostRequest) -> Times:
    pictures = [photograph.pixels for photograph in request.photographs]
    return time_detector(loaded, pictures, request.timed)
