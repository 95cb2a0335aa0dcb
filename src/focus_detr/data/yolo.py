"""Reading YOLO text labels: one file for each picture, a line for each box."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from focus_detr.data.annotations import Annotations, BoxEntry, ImageEntry
from focus_detr.data.class_names import number_classes, read_key_points
from focus_detr.data.classes import ClassMap
from focus_detr.data.picture_files import is_file, read_size
from focus_detr.data.text_files import read_lines
from focus_detr.data.yolo_layout import Layout, Pair, Split, find_layout
from focus_detr.data.yolo_rows import LineForm, LineReader, Row
from focus_detr.errors import FocusDetrError
from focus_detr.wording import counted


def read_yolo(
    source: Path,
    image_dir: Path | None,
    classes: ClassMap | None = None,
    split: Split = "train",
) -> Annotations:
    """Read a set of YOLO label files.

    A line holds a class index and a box: centre x, centre y, width, height as shares of the
    picture. Lines with more numbers are outlines (x, y, x, y, ...), of which the enclosing box is
    taken, or boxes with key points if the data.yaml has a ``kpt_shape``. A picture without label
    file has no boxes. Image ids count from 1 in the order of the names.

    Args:
        source: a data.yaml or obj.data, a folder of label files, a folder with ``labels`` and
            ``images`` in it, or a text file that lists pictures.
        image_dir: folder of the pictures; None: as data.yaml says, or where ``images`` takes the
            place of ``labels`` in the path.
        classes: class map of the model; its ids are used for its names.
        split: which entry of a data.yaml is meant.

    Raises:
        FocusDetrError: a file is missing or broken, or a class is not one of the model's.
    """
    layout = find_layout(source, image_dir, split)
    class_map = number_classes(layout.class_names, classes)
    lines = LineReader(_form(layout, classes))
    images: list[ImageEntry] = []
    boxes: list[BoxEntry] = []
    unreadable: list[str] = []
    found: list[Path] = []
    for number, pair in enumerate(layout.pairs, start=1):
        rows = _read_labels(pair.labels, lines)
        if rows is not None:
            found.append(pair.labels)
        try:
            height, width = read_size(pair.image)
        except FocusDetrError as error:
            unreadable.append(str(error))
            continue
        images.append(ImageEntry(number, pair.name, pair.image, height, width))
        for label, (x, y, w, h) in rows or ():
            box = x * width, y * height, w * width, h * height
            boxes.append(BoxEntry(number, class_map.category_ids[label], box, abs(box[2] * box[3])))
    lines.finish(source)
    read = tuple(images), tuple(boxes), class_map, tuple(unreadable)
    return Annotations(source, *read, _in_words(found, layout.pairs))


def _form(layout: Layout, classes: ClassMap | None) -> LineForm:
    key_points, outlines = read_key_points(layout.names_file)
    known = frozenset(classes.names if classes else layout.class_names)
    return LineForm(layout.class_names, layout.names_file, known, key_points, outlines)


def _in_words(found: Sequence[Path], pairs: Sequence[Pair]) -> str:
    if found:
        return f"{counted(len(found), 'label file')} read, such as {found[0]}"
    return f"no label file found; the first would be {pairs[0].labels}"


def _read_labels(path: Path, lines: LineReader) -> list[Row] | None:
    """The boxes of a label file; None if there is no such file."""
    if not is_file(path):
        return None
    words = (line.split() for line in read_lines(path))
    return [
        lines.row(line, f"{path}: line {number}")
        for number, line in enumerate(words, start=1)
        if line
    ]
