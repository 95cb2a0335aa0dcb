"""One Pascal VOC xml file: the picture that it names, its size, and its objects."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from xml.etree.ElementTree import Element

from focus_detr.data.annotations import MAX_SIDE
from focus_detr.data.class_names import clean_name
from focus_detr.data.json_fields import FLAGS, ROTATION, finite_number, flag, known_flag
from focus_detr.data.key_styles import KeyStyles
from focus_detr.data.text_files import read_xml
from focus_detr.data.turned_boxes import Box, box_around, box_around_turned
from focus_detr.errors import FocusDetrError

_CORNERS = ("xmin", "ymin", "xmax", "ymax")
_WORDS = {  # of tools for VOC, besides those that are flags everywhere
    **{"yes": True, "no": False},
    **dict.fromkeys(("", "unspecified", "none", "null")),
}
_POINT = ("x", "y")
_DELETED = "deleted"  # of the online LabelMe, which keeps what a person took away
_STYLES = KeyStyles(
    (
        *("annotation", "filename", "size", "width", "height", "object", "name", *FLAGS, _DELETED),
        *("bndbox", *_CORNERS, "robndbox", "cx", "cy", "w", "h", "angle", "polygon", "pt", "point"),
    )
)


@dataclass(frozen=True)
class VocObject:
    """One object of a picture."""

    name: str
    box: Box  # counted from 0
    difficult: bool


@dataclass(frozen=True)
class VocPage:
    """One xml file."""

    path: Path
    file_name: str  # of the picture, as the file says; often wrong after renaming
    size: tuple[int, int] | None  # (height, width); None: not given
    objects: tuple[VocObject, ...]
    early: bool = False  # a ``bndbox`` begins before 1, where VOC has no pixel
    mistaken: str = ""  # the encoding that it declares while it is UTF-8


def read_page(path: Path) -> VocPage:
    """Read an xml file.

    Raises:
        FocusDetrError: it is missing, not of VOC, or a field is missing or wrong.
    """
    xml = read_xml(path)
    root = xml.top
    for element in root.iter():
        element.tag = _STYLES.meant(element.tag)
    if root.tag != "annotation":
        raise FocusDetrError(f"{path} is not a VOC file: its top element is '{root.tag}'")
    items = [
        item
        for item in root.iterfind("object")
        if not _is_set(item, _DELETED, f"{path}: a {_DELETED} object")
    ]
    _check_pixels(items, path)
    early = any(0 <= start < 1 for start in _numbers(items, _CORNERS[:2]))
    objects = [
        _object(item, f"{path}: object {number}") for number, item in enumerate(items, start=1)
    ]
    name, size = root.findtext("filename") or "", _size(root, path)
    return VocPage(path, name, size, tuple(objects), early, xml.mistaken)


def _size(root: Element, path: Path) -> tuple[int, int] | None:
    """The stated size; many tools leave it out, in part or whole, or write zeros."""
    if not all((root.findtext(f"size/{key}") or "").strip() for key in ("height", "width")):
        return None
    height, width = (_number(root, f"size/{key}", str(path)) for key in ("height", "width"))
    if 0 in (height, width):
        return None
    for key, value in (("height", height), ("width", width)):
        if not 1 <= value <= MAX_SIDE or value != int(value):
            raise FocusDetrError(
                f"{path}: 'size/{key}' must be a whole number from 1 to {MAX_SIDE}, not {value:g}"
            )
    return int(height), int(width)


def _object(item: Element, where: str) -> VocObject:
    for key in ("name", "bndbox", *FLAGS):
        if (there := len(item.findall(key))) > 1:
            raise FocusDetrError(f"{where} has {there} times '{key}', expected one")
    name = clean_name(item.findtext("name") or "")
    if not name:
        raise FocusDetrError(f"{where} has no 'name'")
    flags = [_is_set(item, key, where) for key in FLAGS]
    return VocObject(name, _box(item, where), any(flags) or _has_set_attribute(item))


def _has_set_attribute(item: Element) -> bool:
    """Whether one of CVAT's attributes is a flag that is set; others may be called like it."""
    return any(
        _STYLES.meant(name) in FLAGS and known_flag(text) for name, text in _attributes(item)
    )


def _attributes(item: Element) -> Iterator[tuple[str, str]]:
    """CVAT's, by name."""
    for attribute in item.iterfind("attributes/attribute"):
        yield attribute.findtext("name") or "", attribute.findtext("value") or ""


def _is_set(item: Element, key: str, where: str) -> bool:
    text = (item.findtext(key) or "").strip()
    return flag(_WORDS.get(text.lower(), text), where, key)


def _box(item: Element, where: str) -> Box:
    """``bndbox``, or what stands in its place; boxes of an object's parts are not its own."""
    if item.find("bndbox") is not None:
        x1, y1, x2, y2 = (_number(item, f"bndbox/{key}", where) for key in _CORNERS)
        box = x1 - 1, y1 - 1, x2 - x1 + 1, y2 - y1 + 1
        rotation = _rotation(item)
        return box_around_turned(box, math.radians(rotation)) if rotation else box
    if item.find("robndbox") is not None:
        return _turned_box(item, where)
    polygon = item.find("polygon")
    if polygon is not None:
        return box_around(_polygon_points(polygon, where))
    raise FocusDetrError(f"{where} has no 'bndbox'")


def _turned_box(item: Element, where: str) -> Box:
    """Around a box given by its centre, its sides and the angle in radians it is turned by."""
    x, y, width, height, angle = (
        _number(item, f"robndbox/{key}", where) for key in ("cx", "cy", "w", "h", "angle")
    )
    if abs(angle) > math.tau:
        raise FocusDetrError(
            f"{where}: 'robndbox/angle' is {angle:g}, as if it were degrees; expected radians"
        )
    return box_around_turned((x - width / 2, y - height / 2, width, height), angle)


def _rotation(item: Element) -> float:
    """CVAT's angle in degrees by which ``bndbox`` is turned."""
    turns = (finite_number(text) for name, text in _attributes(item) if name == ROTATION)
    return next(turns, None) or 0.0


def _polygon_points(polygon: Element, where: str) -> list[tuple[float, float]]:
    """Of ``<pt><x/><y/></pt>`` for each point, or of ``<x1/><y1/><x2/><y2/>`` and so on."""
    inner = polygon.findall("pt") or polygon.findall("point")
    if inner:
        points = [tuple(_number(point, key, where) for key in _POINT) for point in inner]
    else:
        count = sum(child.tag.startswith("x") for child in polygon)
        points = [
            tuple(_number(polygon, f"{key}{number}", where) for key in _POINT)
            for number in range(1, count + 1)
        ]
    if len(points) < 3:
        raise FocusDetrError(f"{where}: 'polygon' has fewer than three points")
    return [(x, y) for x, y in points]


def _check_pixels(items: Sequence[Element], path: Path) -> None:
    """Refuse shares of the picture, which would be boxes of a pixel or two."""
    values = _numbers(items, _CORNERS)
    if values and max(values) <= 1 and any(value != int(value) for value in values):
        raise FocusDetrError(
            f"{path}: all numbers of 'bndbox' are at most 1, as if they were shares of the "
            "picture; VOC has pixels"
        )


def _numbers(items: Sequence[Element], keys: Sequence[str]) -> list[float]:
    """Those among the given ends of all boxes that are numbers."""
    texts = (item.findtext(f"bndbox/{key}") or "" for item in items for key in keys)
    return [value for value in map(finite_number, texts) if value is not None]


def _number(element: Element, key: str, where: str) -> float:
    text = element.findtext(key)
    if text is None:
        raise FocusDetrError(f"{where} has no '{key}'")
    value = finite_number(text)
    if value is None:
        raise FocusDetrError(f"{where}: '{key}' must be a finite number, not {text!r}")
    return value
