"""From what a user asks for to files: kinds of figures that need a detector or boxes.

Each draws, writes the numbers behind it as JSON, and returns the files that it wrote.
"""

from __future__ import annotations

import logging
from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass
from itertools import islice
from pathlib import Path
from statistics import fmean
from typing import Any

from tqdm import tqdm

from focus_detr.data.dataset import ImageRecord
from focus_detr.errors import FocusDetrError
from focus_detr.inference.loading import network_settings
from focus_detr.io.files import write_json, write_whole
from focus_detr.paper.detectors import AS_TRAINED, NamedFile, Seen, Viewing, WatchedDetector
from focus_detr.paper.drawing import lettering
from focus_detr.paper.labels import RULES, Labelled, RuleCounts, count_labels, label
from focus_detr.paper.labels_drawing import draw_labels
from focus_detr.paper.objects import count_objects, mean_objects
from focus_detr.paper.objects_drawing import draw_object_statistics, draw_objects
from focus_detr.paper.photographs import Photograph, opened, photographs, read_data_set
from focus_detr.paper.quality import Quality, QualityMeter, quality_table
from focus_detr.paper.quality_drawing import draw_quality
from focus_detr.paper.token_drawing import Row, draw_layers, draw_levels, draw_patches
from focus_detr.paper.tokens import count_tokens, strides_of
from focus_detr.wording import counted

_log = logging.getLogger(__name__)


@dataclass(frozen=True)
class Pictures:
    """What to draw on: files and folders, or images of a data set."""

    paths: tuple[Path, ...] = ()
    annotations: Path | None = None
    images: Path | None = None

    def read(self, out: Path, limit: int | None) -> Iterator[Photograph]:
        """The first so many, one after the other; with their boxes where there are annotations.

        Raises:
            FocusDetrError: neither is given or both are, or what is given is bad.
        """
        if self.paths and self.annotations is None:
            return islice(photographs(self.paths, out), limit)
        return opened(self.records(limit))

    def records(self, count: int | None) -> list[ImageRecord]:
        """The first so many images of the data set.

        Raises:
            FocusDetrError: it is not given, photographs are too, or it is bad.
        """
        if self.annotations is None or self.paths:
            raise FocusDetrError("give either photographs or --annotations")
        return read_data_set(self.annotations, self.images, count)


def draw_token_figures(
    detectors: Sequence[NamedFile],
    pictures: Pictures,
    out: Path,
    *,
    count: int = 4,
    layer: int = 1,
    threshold: float = 0.3,
    viewing: Viewing = AS_TRAINED,
) -> list[Path]:
    """Figures 1, 4, 6a, 9 and 10 of one or several detectors.

    Args:
        detectors: their rows stand below each other for each picture.
        pictures: to draw on.
        out: folder to write to.
        count: of pictures.
        layer: of the encoder, from 1 on, whose tokens are shown as patches and by level.
        threshold: smallest score of the detections that are drawn.
        viewing: how the networks see them.

    Raises:
        FocusDetrError: a checkpoint or picture is bad, a detector has no such layer, or none of
            them selects tokens.
    """
    drawn = list(pictures.read(out, count))
    _check_selections(detectors, layer)
    rows = _looked(detectors, drawn, viewing)
    with lettering():
        files = draw_patches(rows, layer - 1, out)
        files += draw_levels(rows, layer - 1, out)
        files += draw_layers(rows, threshold, out)
    counts = [asdict(count_tokens(name, seen, threshold)) for name, seen in rows]
    return [*files, _numbers(out, "tokens", {"layer": layer, "pictures": counts})]


def _check_selections(detectors: Sequence[NamedFile], layer: int) -> None:
    """See from their settings whether there will be something to draw.

    Raises:
        FocusDetrError: a detector has no such layer, or none of them selects tokens.
    """
    models = {file.name: network_settings(file.path) for file in detectors}
    for name, model in models.items():
        if not 1 <= layer <= model.encoder.layers:
            layers = counted(model.encoder.layers, "encoder layer")
            raise FocusDetrError(f"{name} has {layers}, no layer {layer}")
    dense = [name for name, model in models.items() if not model.foreground_selector.enabled]
    told = "selects no tokens: its encoder keeps all of them"
    if len(dense) == len(models):
        raise FocusDetrError(f"{dense[0]} {told}; draw it beside one that selects")
    for name in dense:
        _log.warning("%s %s", name, told)


def _looked(
    detectors: Sequence[NamedFile], photographs: Sequence[Photograph], viewing: Viewing
) -> list[Row]:
    """What each detector does with each picture; rows of one picture come together."""
    columns = []
    for file in detectors:
        detector = WatchedDetector.open(file, viewing)
        columns.append([(file.name, detector.look(photograph)) for photograph in photographs])
    return [row for rows in zip(*columns, strict=True) for row in rows]


def draw_object_figures(
    file: NamedFile,
    pictures: Pictures,
    out: Path,
    *,
    count: int = 4,
    limit: int | None = None,
    viewing: Viewing = AS_TRAINED,
) -> list[Path]:
    """Figure 6b, and statistics of the object tokens.

    Args:
        file: the detector.
        pictures: to draw on; their statistics know boxes if they are a data set.
        out: folder to write to.
        count: of pictures that are drawn.
        limit: of pictures that the statistics are of; None: all.
        viewing: how the network sees them.

    Raises:
        FocusDetrError: a checkpoint or picture is bad, or the detector has no object tokens.
    """
    measured = pictures.read(out, limit)
    if not network_settings(file.path).encoder.dual_attention:
        raise FocusDetrError(f"{file.path} has no object tokens: its encoder has no dual attention")
    detector = WatchedDetector.open(file, viewing)
    drawn: list[Seen] = []
    counts = []
    for photograph in tqdm(measured, "objects", unit="picture", disable=None):
        seen = detector.look(photograph)
        drawn += [seen] if len(drawn) < count else []
        counts.append(count_objects(seen))
    means = mean_objects(counts)
    known = [each.covered for each in counts if each.covered is not None]
    covered = fmean(known) if known else None
    files = draw_objects(drawn, out)
    files += draw_object_statistics(means, strides_of(drawn[0]), covered, len(counts), out)
    numbers = {"detector": file.name, "covered": covered, "mean": [asdict(each) for each in means]}
    pictured = [asdict(each) for each in counts]
    return [*files, _numbers(out, "objects", numbers | {"pictures": pictured})]


def draw_label_figures(
    pictures: Pictures,
    out: Path,
    *,
    count: int = 1,
    limit: int | None = None,
    short_side: int = 800,
    max_side: int = 1333,
) -> list[Path]:
    """Figure 8: foreground labels by the released rule and the paper's.

    Args:
        pictures: a data set.
        out: folder to write to.
        count: of pictures that are drawn.
        limit: of pictures that are counted; None: all.
        short_side: of what a network would see, pixels,
        max_side: unless the long side would exceed this.

    Raises:
        FocusDetrError: the data is bad or has no box.
    """
    records = pictures.records(limit)
    drawn: list[tuple[Photograph, list[Labelled]]] = []
    counts: list[RuleCounts] = []
    measured = 0
    for photograph in tqdm(opened(records), "labels", len(records), unit="picture", disable=None):
        labelled = [label(photograph, rule, short_side, max_side) for rule in RULES]
        found = [count_labels(*pair) for pair in zip(RULES, labelled, strict=True)]
        counts = [a + b for a, b in zip(counts, found, strict=True)] if counts else found
        drawn += [(photograph, labelled)] if len(drawn) < count else []
        measured += 1
    files = draw_labels(drawn, RULES, out)
    numbers = {"short_side": short_side, "max_side": max_side, "pictures": measured}
    rules = [asdict(each) for each in counts]
    return [*files, _numbers(out, "labels", numbers | {"rules": rules})]


def draw_quality_figures(
    detectors: Sequence[NamedFile],
    pictures: Pictures,
    out: Path,
    *,
    limit: int | None = None,
    viewing: Viewing = AS_TRAINED,
) -> tuple[list[Path], str]:
    """Recall, precision and Corr of detectors beside each other, over a data set.

    Args:
        detectors: by name.
        pictures: the data set.
        out: folder to write to.
        limit: of pictures; None: all.
        viewing: how the networks see them.

    Returns:
        The files, and the table in Markdown.

    Raises:
        FocusDetrError: a checkpoint or the data is bad.
    """
    records = pictures.records(limit)
    measured = [_measured(file, records, viewing) for file in detectors]
    files, table = draw_quality(measured, out), quality_table(measured)
    write_whole(out / "quality.md", table.encode())
    numbers = {"detectors": [asdict(quality) for quality in measured]}
    return [*files, out / "quality.md", _numbers(out, "quality", numbers)], table


def _measured(file: NamedFile, records: Sequence[ImageRecord], viewing: Viewing) -> Quality:
    detector = WatchedDetector.open(file, viewing, attention=True)
    meter: QualityMeter | None = None
    bar = tqdm(opened(records), file.name, len(records), unit="picture", disable=None)
    for photograph in bar:
        seen = detector.look(photograph)
        meter = meter or QualityMeter(file.name, seen.tokens.layers)
        meter.add(seen)
    assert meter is not None  # no picture at all is an error
    return meter.result()


def _numbers(out: Path, name: str, numbers: dict[str, Any]) -> Path:
    path = out / f"{name}.json"
    write_json(path, numbers, indent=1)
    return path
