"""Reading YOLO text labels: one file for each picture, a line for each box."""

from __future__ import annotations

import logging
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from os.path import abspath
from pathlib import Path
from typing import Any, Literal

from focus_detr.checks import is_finite_number
from focus_detr.data.annotations import Annotations, BoxEntry, ImageEntry
from focus_detr.data.class_names import (
    LIST_NAMES,
    YAML_NAMES,
    find_names_file,
    number_classes,
    read_class_names,
    read_yaml,
)
from focus_detr.data.classes import ClassMap
from focus_detr.data.picture_files import find_pictures, is_file, is_folder, read_size
from focus_detr.data.text_files import read_text
from focus_detr.errors import FocusDetrError
from focus_detr.wording import counted

LABEL_FOLDER = "labels"
_IMAGE_FOLDER = "images"
_FAR_OUTSIDE = 0.5  # of the picture's side; rounding does not lead so far, pixel coordinates do
_BOX_FIELDS = ("class", "x centre", "y centre", "width", "height")

_log = logging.getLogger(__name__)

Split = Literal["train", "val"]
Row = tuple[int, tuple[float, float, float, float]]  # label; x, y, width, height as shares


@dataclass(frozen=True)
class _Pair:
    """A picture and where its labels are, if it has any."""

    name: str
    image: Path
    labels: Path


@dataclass(frozen=True)
class _Layout:
    """What belongs to a set."""

    pairs: tuple[_Pair, ...]
    class_names: tuple[str, ...]
    names_file: Path


def read_yolo(
    source: Path,
    image_dir: Path | None,
    classes: ClassMap | None = None,
    split: Split = "train",
) -> Annotations:
    """Read a set of YOLO label files.

    A line holds a class index and a box: centre x, centre y, width, height as shares of the
    picture. Lines with more numbers are outlines (x, y, x, y, ...), of which the enclosing box is
    taken. A picture without label file has no boxes. Image ids count from 1 in the order of the
    names.

    Args:
        source: a data.yaml, a folder of label files, a folder with ``labels`` and ``images`` in
            it, or a text file that lists pictures.
        image_dir: folder of the pictures; None: as data.yaml says, or where ``images`` takes the
            place of ``labels`` in the path.
        classes: class map of the model; its ids are used for its names.
        split: which entry of a data.yaml is meant.

    Raises:
        FocusDetrError: a file is missing or broken, or a class is not one of the model's.
    """
    layout = _find_layout(source, image_dir, split)
    class_map = number_classes(layout.class_names, classes)
    known = set(classes.names) if classes else set(layout.class_names)
    images: list[ImageEntry] = []
    boxes: list[BoxEntry] = []
    unreadable: list[str] = []
    found: list[Path] = []
    for number, pair in enumerate(layout.pairs, start=1):
        rows = _read_labels(pair.labels, layout, known)
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
    read = tuple(images), tuple(boxes), class_map, tuple(unreadable)
    return Annotations(source, *read, _in_words(found, layout.pairs))


def _in_words(found: Sequence[Path], pairs: Sequence[_Pair]) -> str:
    if found:
        return f"{counted(len(found), 'label file')} read, such as {found[0]}"
    return f"no label file found; the first would be {pairs[0].labels}"


def _find_layout(source: Path, image_dir: Path | None, split: Split) -> _Layout:
    if is_folder(source):
        yaml_file = find_names_file((source,), YAML_NAMES)
        labels = source / LABEL_FOLDER if is_folder(source / LABEL_FOLDER) else source
        if yaml_file is None or image_dir or (labels == source and any(source.glob("*.txt"))):
            images = image_dir or _beside(labels, LABEL_FOLDER, _IMAGE_FOLDER)
            return _Layout(tuple(_pairs(images, labels)), *_names_above(labels))
        source = yaml_file
    if source.suffix in (".yaml", ".yml"):
        return _from_yaml(source, image_dir, split)
    return _Layout(_once(_listed(source), source), *_names_above(source.parent))


def _from_yaml(path: Path, image_dir: Path | None, split: Split) -> _Layout:
    content = read_yaml(path)
    names = read_class_names(path)
    places = [image_dir] if image_dir else _places(content, path, split)
    pairs: list[_Pair] = []
    for place in places:
        if is_file(place):
            pairs += _listed(place)
        else:
            pairs += _pairs(place, _beside(place, _IMAGE_FOLDER, LABEL_FOLDER))
    return _Layout(_once(pairs, path), names, path)


def _places(content: dict[Any, Any], path: Path, split: Split) -> list[Path]:
    """The folders and lists that a data.yaml gives for a split."""
    keys = ("val", "valid") if split == "val" else (split,)
    value = next((content[key] for key in keys if content.get(key)), None)
    values = value if isinstance(value, list) else [value]
    base = content.get("path") or ""
    places = [item for item in values if isinstance(item, str)]
    if len(places) < len(values):
        raise FocusDetrError(f"{path}: '{split}' must be a folder of pictures or a list of such")
    if not isinstance(base, str):
        raise FocusDetrError(f"{path}: 'path' must be a folder, not {base!r}")
    return [_resolve(path.parent, base, place) for place in places]


def _resolve(folder: Path, base: str, value: str) -> Path:
    """Relative to the yaml file and its ``path``; exports by Roboflow have one '../' too many."""
    candidates = [folder / base / value, folder / value, folder / value.removeprefix("../")]
    return next((c for c in candidates if is_folder(c) or is_file(c)), candidates[0])


def _beside(path: Path, old: str, new: str) -> Path:
    """The path with its last part ``old`` replaced; unchanged where it has no such part."""
    parts = list(path.parts)
    if old not in parts:
        return path
    parts[len(parts) - 1 - parts[::-1].index(old)] = new
    return Path(*parts)


def _pairs(images: Path, labels: Path) -> list[_Pair]:
    """The pictures of a folder; label files that belong to none are counted in a warning."""
    names = find_pictures(images)
    if not names:
        raise FocusDetrError(f"{images} has no pictures")
    pairs = [_Pair(name, images / name, (labels / name).with_suffix(".txt")) for name in names]
    expected = {pair.labels for pair in pairs}
    orphans = [p for p in labels.rglob("*.txt") if p not in expected and p.name not in LIST_NAMES]
    if orphans:
        _log.warning(
            "%s: %s without a picture in %s, such as %s",
            *(labels, counted(len(orphans), "label file"), images, min(orphans)),
        )
    return pairs


def _once(pairs: Iterable[_Pair], source: Path) -> tuple[_Pair, ...]:
    """Each picture where it comes first; a warning counts those that come again."""
    found: dict[str, _Pair] = {}
    again = [pair for pair in pairs if found.setdefault(abspath(pair.image), pair) is not pair]
    if again:
        _log.warning(
            "%s: %s named more than once, such as %s; each is used once",
            *(source, counted(len(again), "picture"), again[0].image),
        )
    return tuple(found.values())


def _listed(path: Path) -> Iterable[_Pair]:
    """Pictures of a text file with one path on each line, relative to that file."""
    lines = [line.strip() for line in read_text(path).splitlines()]
    names = [line for line in lines if line]
    if not names:
        raise FocusDetrError(f"{path} lists no pictures")
    for name in names:
        image = path.parent / name
        labels = _beside(image, _IMAGE_FOLDER, LABEL_FOLDER)
        if not labels.name.rstrip("."):
            raise FocusDetrError(f"{path}: {name!r} is no picture")
        yield _Pair(name, image, labels.with_suffix(".txt"))


def _names_above(folder: Path) -> tuple[tuple[str, ...], Path]:
    """Class names from the file nearest to the labels, at most three folders up."""
    for place in (folder, *folder.absolute().parents[:3]):
        found = find_names_file((place,), (*YAML_NAMES, *LIST_NAMES))
        if found is not None:
            return read_class_names(found), found
    raise FocusDetrError(
        f"{folder}: the class names are missing; put a {YAML_NAMES[0]} or {LIST_NAMES[0]} there"
    )


def _read_labels(path: Path, layout: _Layout, known: set[str]) -> list[Row] | None:
    """The boxes of a label file; None if there is no such file."""
    if not is_file(path):
        return None
    rows = []
    for number, line in enumerate(read_text(path).splitlines(), start=1):
        words = line.split()
        if words:
            rows.append(_row(words, layout, known, f"{path}: line {number}"))
    return rows


def _row(words: list[str], layout: _Layout, known: set[str], where: str) -> Row:
    outline = len(words) > len(_BOX_FIELDS) and len(words) % 2 == 1
    if len(words) != len(_BOX_FIELDS) and not outline:
        there = counted(len(words), "number")
        raise FocusDetrError(f"{where} has {there}, expected {', '.join(_BOX_FIELDS)}")
    label = _label(words[0], layout, where)
    name = layout.class_names[label]
    if name not in known:
        raise FocusDetrError(f"{where}: class '{name}' is not one of the model's classes")
    names = [f"point {i // 2 + 1}" for i in range(len(words) - 1)] if outline else _BOX_FIELDS[1:]
    values = [_share(word, name, where) for word, name in zip(words[1:], names, strict=True)]
    if outline:
        xs, ys = values[::2], values[1::2]
        return label, (min(xs), min(ys), max(xs) - min(xs), max(ys) - min(ys))
    x, y, width, height = values
    return label, (x - width / 2, y - height / 2, width, height)


def _label(word: str, layout: _Layout, where: str) -> int:
    count = len(layout.class_names)
    value = _number(word)
    if not value.is_integer():
        raise FocusDetrError(f"{where}: class must be a whole number, not {word!r}")
    if not 0 <= value < count:
        raise FocusDetrError(
            f"{where}: class {word} does not exist, as {layout.names_file} has 0 to {count - 1}"
        )
    return int(value)


def _share(word: str, name: str, where: str) -> float:
    value = _number(word)
    if not is_finite_number(value) or not -_FAR_OUTSIDE <= value <= 1 + _FAR_OUTSIDE:
        raise FocusDetrError(f"{where}: {name} is {word}, expected a share of the picture (0 to 1)")
    return value


def _number(word: str) -> float:
    try:
        return float(word)
    except ValueError:
        return float("nan")
