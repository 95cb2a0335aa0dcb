"""From rows of the family and checkpoints to figures and a table of costs."""

from __future__ import annotations

import gc
import sys
from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path

from tqdm import tqdm

from focus_detr.config.loading import load_config
from focus_detr.config.schema import Config, DataConfig
from focus_detr.data.buckets import Size
from focus_detr.data.classes import ClassMap
from focus_detr.data.transforms import resized_size
from focus_detr.errors import FocusDetrError
from focus_detr.inference.loading import LoadedDetector, load_detector
from focus_detr.inference.predictor import with_test_size
from focus_detr.io.files import write_json, write_whole
from focus_detr.models.factory import build_detector
from focus_detr.paper.costs import COCO_CLASSES, Built, Cost, build_and_check, count_cost
from focus_detr.paper.costs_drawing import costs_table, draw_costs, time_told
from focus_detr.paper.detectors import NamedFile
from focus_detr.paper.photographs import PictureFile
from focus_detr.paper.published import Published, keeping
from focus_detr.paper.section_3_4 import PAPER_SAYS, section_3_4, section_table
from focus_detr.paper.timing import WARM_UP, Times, time_detector
from focus_detr.wording import counted

USUAL_SIZE = (800, 1066)  # (height, width) in pixels of the one image that stands for COCO's


@dataclass(frozen=True)
class CostRequest:
    """What to count, on what, and how."""

    rows: Sequence[Published] = ()
    checkpoints: Sequence[NamedFile] = ()  # further rows
    pictures: Sequence[PictureFile] = ()  # none: one of ``USUAL_SIZE``
    size: Size | None = None  # (height, width) that every detector sees; None: it resizes pictures,
    short_side: int | None = None  # to this, pixels; None: as it was trained,
    max_side: int | None = None  # unless their long side would exceed this; None: likewise
    check: bool = True  # count the built networks too
    timed: int = 0  # pictures that each detector is timed on; needs pictures
    warm_up: int = WARM_UP  # pictures before those


def draw_cost_figures(request: CostRequest, out: Path) -> tuple[list[Path], str]:
    """Figures 2 and 7, tables 1, 6 and 9, and section 3.4.

    One detector is built at a time. Where they are timed, each is told as it comes, and the numbers
    so far are written.

    Returns:
        The files, and the table in Markdown.

    Raises:
        FocusDetrError: a checkpoint or picture is bad, or a file cannot be written; as for an
            interrupt, the detectors that are done are written and drawn, and it says so.
        KeyboardInterrupt: it came on the way.
    """
    total = len(request.rows) + len(request.checkpoints)
    done: list[Cost] = []
    try:
        for cost in tqdm(_costs(request), "costs", total, unit="detector", disable=None):
            done.append(cost)
            if cost.times is not None:
                _write_numbers(done, out)
                told = f"{cost.published.name} ({len(done)} of {total}): {time_told(cost.times)}"
                tqdm.write(told, file=sys.stderr)
    except (KeyboardInterrupt, FocusDetrError) as early:
        if not done:
            raise
        _write(done, out)
        kept = f"{out} has the costs of {counted(len(done), 'detector')} of {total}"
        raise type(early)("; ".join([*map(str, early.args), kept])) from early
    return _write(done, out)


def _write(costs: Sequence[Cost], out: Path) -> tuple[list[Path], str]:
    files, table = draw_costs(costs, out), costs_table(costs)
    tables = {out / "costs.md": table, out / "section_3_4.md": section_table()}
    for path, text in tables.items():
        write_whole(path, text.encode())
    return [*files, *tables, _write_numbers(costs, out)], table


def _write_numbers(costs: Sequence[Cost], out: Path) -> Path:
    formulas = {
        "computed": [asdict(shares) for shares in section_3_4()],
        "paper_says": PAPER_SAYS,
    }
    numbers = {"rows": [cost.record() for cost in costs], "section_3_4": formulas}
    write_json(out / "costs.json", numbers, indent=1)
    return out / "costs.json"


def _costs(request: CostRequest) -> Iterator[Cost]:
    known: dict[tuple[str, int | None], Built] = {}
    for row in request.rows:
        place = (row.settings, row.keep if request.check else None)  # weights are alike
        config = load_config(row.settings)
        config = replace(config, model=keeping(config.model, row.keep))
        if place not in known:
            known[place] = build_and_check(config.model, check=request.check)
        yield _of_row(row, config, known[place], request)
        gc.collect()  # networks refer to themselves in circles
    for file in request.checkpoints:
        yield _of_checkpoint(file, request)
        gc.collect()


def _of_row(row: Published, config: Config, built: Built, request: CostRequest) -> Cost:
    data = with_test_size(config.data, request.short_side, request.max_side)
    config, times = replace(config, data=data), None
    if request.timed:
        times = _times(_random(config), row.name, request)
    sizes = _sizes(request, data)
    return count_cost(row, config.model, sizes, built=built, times=times)


def _of_checkpoint(file: NamedFile, request: CostRequest) -> Cost:
    loaded = load_detector(file.path, fold=False)
    check = build_and_check(loaded.model, check=True).check if request.check else None
    built = Built.of(loaded.cell.model, check)
    data, times = with_test_size(loaded.data, request.short_side, request.max_side), None
    if request.timed:
        times = _times(replace(load_detector(file.path), data=data), file.name, request)
    named, sizes = Published(file.name), _sizes(request, data)
    return count_cost(named, loaded.model, sizes, built=built, times=times)


def _sizes(request: CostRequest, data: DataConfig) -> list[Size]:
    """Of the images as a network sees them."""
    if request.size is not None:
        return [request.size]
    shapes = [picture.size for picture in request.pictures] or [USUAL_SIZE]
    return [resized_size(*shape, data.test_short_side, data.test_max_side) for shape in shapes]


def _random(config: Config) -> LoadedDetector:
    """With freshly drawn weights: time does not depend on them."""
    classes = config.model.num_classes or COCO_CLASSES
    names = tuple(f"class {number}" for number in range(classes))
    detector = build_detector(config.model, classes)
    class_map = ClassMap(names, tuple(range(classes)))
    return LoadedDetector(detector, config.model, class_map, config.data)


def _times(loaded: LoadedDetector, name: str, request: CostRequest) -> Times:
    pictures = [picture.read for picture in request.pictures]
    return time_detector(loaded, pictures, request.timed, name, request.warm_up)
