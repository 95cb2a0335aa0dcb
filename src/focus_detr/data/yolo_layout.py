"""Where a YOLO set has its pictures, label files and class names."""

from __future__ import annotations

import logging
import ntpath
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from os.path import abspath, basename
from pathlib import Path, PurePosixPath
from typing import Any, Literal

from focus_detr.data.class_names import (
    LIST_NAMES,
    YAML_NAMES,
    find_names_file,
    nearest_names,
    read_class_names,
    read_yaml,
    warn_of_other_order,
)
from focus_detr.data.image_io import IMAGE_SUFFIXES
from focus_detr.data.json_fields import whole_number
from focus_detr.data.label_pairs import by_stem, label_stems, pair_labels, warn_of_rivals
from focus_detr.data.named_files import NamedFiles, find_all, spellings
from focus_detr.data.picture_files import find_pictures, is_file, is_folder
from focus_detr.data.text_files import is_comment, read_lines
from focus_detr.data.visible_files import files_below, list_folder, visible_files
from focus_detr.errors import FocusDetrError
from focus_detr.io.user_paths import path_text
from focus_detr.wording import counted

LABEL_FOLDER = "labels"
DARKNET_SUFFIX = ".data"
_IMAGE_FOLDER = "images"
_LABELS = ".txt"
_QUOTES = "'\""
_NOTES = "readme"  # of exports, about themselves

_log = logging.getLogger(__name__)

Split = Literal["train", "val"]
_KEYS: dict[Split, tuple[str, ...]] = {"train": ("train",), "val": ("val", "valid")}


@dataclass(frozen=True)
class Pair:
    """A picture and where its labels are, if it has any."""

    name: str
    image: Path
    labels: Path


@dataclass(frozen=True)
class Layout:
    """What belongs to a set."""

    pairs: tuple[Pair, ...]
    class_names: tuple[str, ...]
    names_file: Path


def find_layout(source: Path, image_dir: Path | None, split: Split) -> Layout:
    """Find what belongs to a set; ``read_yolo`` describes the arguments.

    Raises:
        FocusDetrError: there is no picture or no class name, or a file is missing or broken.
    """
    if is_folder(source):
        labels = source / LABEL_FOLDER if is_folder(source / LABEL_FOLDER) else source
        inner = labels == source and _labels_in(source)
        listing = _listing_file(source)
        if listing is None or image_dir or not _tells_pictures(listing, split, bool(inner)):
            images = image_dir or _images_of(labels)
            return Layout(_once(_pairs(images, labels), source), *_names_above(labels))
        source = listing
    if source.suffix.lower() in (".yaml", ".yml"):
        return _from_yaml(source, image_dir, split)
    if source.suffix.lower() == DARKNET_SUFFIX:
        return _from_darknet(source, image_dir, split)
    return Layout(_once(_listed(source, image_dir), source), *_names_above(source.parent))


def _listing_file(folder: Path) -> Path | None:
    """A file in a folder that says where the pictures are."""
    darknet = visible_files(folder, {DARKNET_SUFFIX})
    return find_names_file((folder,), YAML_NAMES) or next(iter(darknet), None)


def _tells_pictures(listing: Path, split: Split, inner: bool) -> bool:
    """Whether it says where pictures are; a data.yaml may only have names, or be a copied one.

    One that says it for another split counts: the folder would have the pictures of both.

    Args:
        listing: a data.yaml or obj.data in a folder.
        split: that is wanted.
        inner: whether there are label files in the folder itself.
    """
    if listing.suffix == DARKNET_SUFFIX:
        return True
    content = read_yaml(listing)
    if not any(content.get(key) for key in _KEYS[split]):
        return any(content.get(key) for keys in _KEYS.values() for key in keys)
    try:
        return bool(_places(content, listing, split))
    except FocusDetrError:
        return not inner


def _from_yaml(path: Path, image_dir: Path | None, split: Split) -> Layout:
    content = read_yaml(path)
    names = read_class_names(path)
    pairs: list[Pair] = []
    folders = [path.parent]
    for place in [image_dir] if image_dir else _places(content, path, split):
        if is_file(place):
            pairs += _listed(place, None)
        else:
            labels = _labels_of(place)
            folders.append(labels)
            pairs += _pairs(place, labels)
    warn_of_other_order(names, path, folders)
    return Layout(_once(pairs, path), names, path)


def _places(content: dict[Any, Any], path: Path, split: Split) -> list[Path]:
    """The folders and lists that a data.yaml gives for a split."""
    value = next((content[key] for key in _KEYS[split] if content.get(key)), None)
    values = value if isinstance(value, list) else [value]
    base = content.get("path") or ""
    places = [path_text(item) for item in values if isinstance(item, str)]
    if len(places) < len(values):
        raise FocusDetrError(f"{path}: '{split}' must be a folder of pictures or a list of such")
    if not isinstance(base, str):
        raise FocusDetrError(f"{path}: 'path' must be a folder, not {base!r}")
    above = path_text(base) if base else ""
    return [_place(path, above, place, split) for place in places]


def _place(path: Path, base: str, value: str, split: Split) -> Path:
    """A folder or list: below ``path``, beside the file, and by its end if it is of elsewhere."""
    written = [text for given in (f"{base}/{value}", value) for text in spellings(given)]
    ways = [Path(path.parent, base, value), *(Path(path.parent, text) for text in written)]
    for text in written:
        drive, rest = ntpath.splitdrive(text)
        parts = PurePosixPath(rest).parts
        if drive or base or rest.startswith(("/", "../")):
            ways += [Path(path.parent, *parts[start:]) for start in range(1, len(parts))]
    found = next((way for way in ways if is_folder(way) or is_file(way)), None)
    if found is None:
        raise FocusDetrError(
            f"{path}: '{split}' leads to {ways[0]}, which does not exist; write where it is from "
            f"the folder of this file, or set data.{split}_images to the folder of the pictures"
        )
    return found


def _from_darknet(path: Path, image_dir: Path | None, split: Split) -> Layout:
    """An obj.data, as by CVAT: ``train = data/train.txt`` and ``names = data/obj.names``."""
    halves = [line.partition("=") for line in read_lines(path) if not is_comment(line)]
    content = {key.strip(): value.strip().strip(_QUOTES) for key, _, value in halves}
    listing = next((content[key] for key in _KEYS[split] if content.get(key)), "")
    if not listing or not content.get("names"):
        raise FocusDetrError(f"{path} has no '{split}' or no 'names'")
    names_file = _near(path, content["names"])
    names = read_class_names(names_file)
    if whole_number(content.get("classes", len(names))) != len(names):
        there = counted(len(names), "class")
        raise FocusDetrError(
            f"{path}: 'classes' is {content['classes']!r}, but {names_file} has {there}"
        )
    return Layout(_once(_listed(_near(path, listing), image_dir), path), names, names_file)


def _near(path: Path, name: str) -> Path:
    beside = path.parent / PurePosixPath(name.replace("\\", "/")).name
    return NamedFiles(path.parent).find(name) or beside


def _exchanged(path: Path, old: str, new: str) -> Iterator[Path]:
    """The path with a part ``old`` replaced, in upper and lower case; the last part first."""
    parts = path.parts
    for index in reversed(range(len(parts))):
        if parts[index].lower() == old:
            for name in dict.fromkeys((new, new.capitalize(), new.upper())):
                yield Path(*parts[:index], name, *parts[index + 1 :])


def _images_of(labels: Path) -> Path:
    ways = [*_exchanged(labels, LABEL_FOLDER, _IMAGE_FOLDER), labels]
    return next(filter(is_folder, ways), ways[0])


def _labels_of(images: Path) -> Path:
    """The folder of label files that belongs to one of pictures: the first that has any."""
    ways = _label_places(images)
    return next(filter(_label_files, ways), ways[0])


def _pairs(images: Path, labels: Path) -> list[Pair]:
    """The pictures of a folder; label files that belong to none are counted in a warning."""
    names = find_pictures(images)
    if not names:
        raise FocusDetrError(f"{images} has no pictures")
    files = by_stem(_label_files(labels), labels)
    pairing = pair_labels(dict.fromkeys(files, ""), names)
    found = {picture: labels / files[stem] for stem, picture in pairing.pictures.items()}
    orphans = [labels / files[stem] for stem in files.keys() - pairing.pictures.keys()]
    if orphans:
        _log.warning(
            "%s: %s without a picture in %s, such as %s",
            *(labels, counted(len(orphans), "label file"), images, min(orphans)),
        )
    warn_of_rivals(images, pairing.rivals)
    return [
        Pair(name, images / name, found.get(name) or labels / f"{label_stems(name)[1]}{_LABELS}")
        for name in names
        if name not in pairing.rivals
    ]


def _label_files(folder: Path) -> list[str]:
    return [name for name in files_below(folder, {_LABELS}) if _may_be_labels(basename(name))]


def _labels_in(folder: Path) -> list[str]:
    """Those in the folder itself."""
    there = (file.name for file in visible_files(folder, {_LABELS}))
    return [name for name in there if _may_be_labels(name)]


def _may_be_labels(name: str) -> bool:
    return name.lower() not in LIST_NAMES and not name.lower().startswith(_NOTES)


def _once(pairs: Iterable[Pair], source: Path) -> tuple[Pair, ...]:
    """Each picture where it comes first; a warning counts those that come again."""
    found: dict[str, Pair] = {}
    again = [pair for pair in pairs if found.setdefault(abspath(pair.image), pair) is not pair]
    if again:
        _log.warning(
            "%s: %s named more than once, such as %s; each is used once",
            *(source, counted(len(again), "picture"), again[0].image),
        )
    return tuple(found.values())


def _listed(path: Path, image_dir: Path | None) -> list[Pair]:
    """Pictures of a text file with one path on each line.

    They are relative to ``image_dir``, or else to the file's folder, the one above it or the
    current one. Lines that begin with ``#`` and are no names are comments.
    """
    names = [line for line in read_lines(path) if line.strip()]
    if not names:
        raise FocusDetrError(f"{path} lists no pictures")
    folders = (path.parent, path.absolute().parent.parent, Path())
    images = find_all((image_dir,) if image_dir else folders, names, path)
    labels, rivals = _labels_of_listed(images)
    pairs = []
    for name, image in zip(names, images, strict=True):
        if is_comment(name) and not is_file(image):
            continue
        if not image.name.rstrip("."):
            raise FocusDetrError(f"{path}: {name!r} is no picture")
        if image not in rivals:
            pairs.append(Pair(name.strip(), image, labels.get(image) or _absent_labels(image)))
    if not any(is_file(image) for image in images):
        raise FocusDetrError(
            f"{path}: none of the pictures that it lists is there, such as {images[0]}; write them "
            f"from the folder of this file, or set data.train_images (data.val_images) to the "
            "folder that they begin in"
        )
    warn_of_rivals(path, {str(image): rivals[image] for image in images if image in rivals})
    return pairs


def _labels_of_listed(images: Iterable[Path]) -> tuple[dict[Path, Path], dict[Path, str]]:
    """Label files of pictures, found as if their folders were read whole; each is listed once.

    Returns:
        picture -> label file, and picture -> the one beside it that has its label file.
    """
    listed: dict[Path, set[str]] = {}
    for image in images:
        listed.setdefault(image.parent, set()).add(image.name)
    found: dict[Path, Path] = {}
    rivals: dict[Path, str] = {}
    for folder, names in listed.items():
        names &= {name for name, is_inner in list_folder(folder) if not is_inner}
        names |= _others(folder, names)
        for place in _label_places(folder):
            files = by_stem(_labels_in(place), place)
            pairing = pair_labels(dict.fromkeys(files, ""), sorted(names))
            found |= {folder / name: place / files[s] for s, name in pairing.pictures.items()}
            rivals |= {folder / name: other for name, other in pairing.rivals.items()}
            if files:
                break
    return found, rivals


def _others(folder: Path, listed: Iterable[str]) -> set[str]:
    """Pictures beside listed ones that may have label files of their own."""
    stems = {stem for name in listed for stem in label_stems(name)}
    there = (file.name for file in visible_files(folder, IMAGE_SUFFIXES))
    return {name for name in there if stems.isdisjoint(label_stems(name))}


def _label_places(images: Path) -> list[Path]:
    """Folders that the label files of a folder's pictures may be in, the likeliest first."""
    return [*_exchanged(images, _IMAGE_FOLDER, LABEL_FOLDER), images]


def _absent_labels(image: Path) -> Path:
    """Where the label file of a picture should be."""
    return _label_places(image.parent)[0] / f"{label_stems(image.name)[1]}{_LABELS}"


def _names_above(folder: Path) -> tuple[tuple[str, ...], Path]:
    """Class names from the file nearest to the labels, at most three folders up."""
    for place in (folder, *folder.absolute().parents[:3]):
        found = nearest_names((place,), (*YAML_NAMES, *LIST_NAMES))
        if found is not None:
            return found
    raise FocusDetrError(
        f"{folder}: the class names are missing; put a {YAML_NAMES[0]} or {LIST_NAMES[0]} there"
    )
