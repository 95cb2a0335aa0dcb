"""The lines of YOLO label files: boxes, outlines, and boxes with key points or a confidence."""

from __future__ import annotations

import logging
import math
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

from focus_detr.data.json_fields import finite_number
from focus_detr.errors import FocusDetrError
from focus_detr.io.checks import is_finite_number
from focus_detr.wording import counted

_log = logging.getLogger(__name__)

_BOX_FIELDS = ("class", "x centre", "y centre", "width", "height")
_BOX = len(_BOX_FIELDS)
_FAR_OUTSIDE = 0.5  # of the picture's side; rounding does not lead so far, pixel coordinates do
_ROUNDING = 0.02  # of the picture's side, within which a point lies in a box
_CORNERS = 8  # numbers of an oriented box's four points
_TRACKED = 6  # numbers of a box with a confidence and the number of its track
_ORIENTED = 0.9  # share of the outlines from which on they are oriented boxes, some cut at the edge
_LIKELY = 0.7  # share of the outlines from which on they are probably none
_KEY_POINTS_NEED = "key points need a kpt_shape in data.yaml"
_LEAST_BEFORE = 3  # boxes that begin out of the picture, fewer are slips
_SHARE_BEFORE = 0.05  # of the boxes; of objects anywhere, more begin near an edge
_VISIBILITIES = (0.0, 1.0, 2.0)

Shares = tuple[float, float, float, float]  # x, y, width, height as shares of the picture
Row = tuple[int, Shares]  # label and box


@dataclass(frozen=True)
class LineForm:
    """What a set says about its lines."""

    class_names: tuple[str, ...]
    names_file: Path
    known: frozenset[str]  # names of classes that boxes may have
    key_points: tuple[int, int] | None = None  # how many, and the numbers of each
    outlines: bool = False  # the set says that it has no key points


@dataclass
class _Tally:
    """What only all lines of a set show together."""

    boxes: int = 0
    outside: int = 0  # boxes that reach out of their picture
    like_corners: int = 0  # boxes of which the last two numbers are larger than the first two
    before: int = 0  # boxes that begin left of their picture or above it
    like_upper_left: int = 0  # boxes inside the picture if the first two are their upper left end
    outlines: int = 0
    like_key_points: int = 0  # outlines that could be a box with key points
    like_boxes: int = 0  # outlines of which the first four numbers could be a box
    like_tracked: int = 0  # outlines that could be a box with a confidence and a whole number
    parallelograms: int = 0
    lengths: set[int] = field(default_factory=set)  # numbers in the lines of outlines
    first_outline: str = ""
    confidences: int = 0
    zero: int = 0  # confidences of nothing, which no program writes
    between: int = 0  # confidences that are neither 0 nor 1, as flags would be
    confidence_first: int = 0  # lines with a confidence that could be in front of the box
    first_confidence: str = ""

    def add_box(self, x: float, y: float, width: float, height: float) -> None:
        """Count what a box could be."""
        self.boxes += 1
        self.like_corners += width > x and height > y
        self.outside += not (_lies_in(x, width, 0.5, 1) and _lies_in(y, height, 0.5, 1))
        self.before += min(x - width / 2, y - height / 2) < -_ROUNDING / 2
        self.like_upper_left += max(x + width, y + height) <= 1 + _ROUNDING / 2 and min(x, y) >= 0

    def add_confidence(self, values: Sequence[float], where: str) -> None:
        """Count what seems to be one: the last of a line's numbers without the class."""
        value = values[-1]
        self.confidences += 1
        self.confidence_first += len(values) == _BOX and _could_be_box(values[1:])
        self.zero += value == 0
        self.between += 0 < value < 1
        self.first_confidence = self.first_confidence or where

    def check_confidences(self) -> None:
        """Refuse angles of turned boxes, and confidences in front of the boxes.

        Raises:
            FocusDetrError: some are exactly 0, as for boxes that are not turned, and others not; or
                all boxes fit into their pictures one number later only.
        """
        before = self.confidence_first == self.confidences == self.boxes
        if before and self.outside >= max(_LEAST_BEFORE, _SHARE_BEFORE * self.boxes):
            raise FocusDetrError(
                f"{self.first_confidence}: the number behind the class seems to be a confidence, "
                f"as {self.outside} of {self.boxes} boxes would reach out of their pictures "
                f"otherwise; YOLO text has {', '.join(_BOX_FIELDS)}"
            )
        if self.zero and self.between:
            raise FocusDetrError(
                f"{self.first_confidence}: the number behind the box seems to be the angle of a "
                f"turned one, as {self.zero} of {self.confidences} are 0; give the four corners of "
                "turned boxes, or leave the number out if it is a confidence"
            )

    def check_boxes(self, source: Path) -> None:
        """Refuse boxes of another convention.

        Raises:
            FocusDetrError: all could be one, and many reach out of their pictures as centres.
        """
        corners = self.boxes > 1 and self.like_corners == self.boxes <= 4 * self.outside
        upper_left = self.before >= max(_LEAST_BEFORE, _SHARE_BEFORE * self.boxes)
        if corners or (upper_left and self.like_upper_left == self.boxes):
            reading = "corners (x1, y1, x2, y2)" if corners else "x, y of the upper left end"
            raise FocusDetrError(
                f"{source}: the boxes seem to be {reading}, as {self.outside} of {self.boxes} "
                f"would reach out of their pictures; YOLO text has {', '.join(_BOX_FIELDS[1:])}"
            )


class LineReader:
    """Reads lines one by one and, at the end, judges what only all of them show."""

    def __init__(self, form: LineForm) -> None:
        self._form = form
        self._tally = _Tally()

    def row(self, words: Sequence[str], where: str) -> Row:
        """Label and box of a line that is not empty.

        Raises:
            FocusDetrError: a wrong number of words, an unknown class, or a value far outside.
        """
        if self._form.key_points is None and len(words) > _BOX and len(words) % 2 == 1:
            label = self._label(words[0], where)
            return label, self._outline(words[1:], where)
        self._check_rest(words, where)
        label = self._label(words[0], where)
        x, y, width, height = (
            _share(word, name, where)
            for word, name in zip(words[1:_BOX], _BOX_FIELDS[1:], strict=True)
        )
        self._tally.add_box(x, y, width, height)
        return label, (x - width / 2, y - height / 2, width, height)

    def finish(self, source: Path) -> None:
        """Judge the whole set, and count in a warning what was left out.

        Raises:
            FocusDetrError: its lines can be read in two ways, or its boxes are no centres.
        """
        tally = self._tally
        if not self._form.outlines and _seem_tracked(tally):
            raise FocusDetrError(
                f"{tally.first_outline}: {tally.lengths.pop()} numbers seem to be a box, a "
                "confidence and the number of a track, and so do those of other lines; leave the "
                "last two out, or say kpt_shape: null in the set's data.yaml for triangles"
            )
        if not self._form.outlines and _is_ambiguous(tally):
            raise FocusDetrError(
                f"{tally.first_outline}: {tally.lengths.pop()} numbers can be an outline or a box "
                "with key points, and so can the other lines; say kpt_shape: [points, 2 or 3] in "
                "the set's data.yaml, or kpt_shape: null for outlines"
            )
        tally.check_confidences()
        tally.check_boxes(source)
        if not self._form.outlines and _could_be_boxes(tally):
            _log.warning(
                "%s: %s of %d numbers read as corners, such as %s; if they are boxes with an angle "
                "and a confidence, give their four corners instead (kpt_shape: null in the set's "
                "data.yaml says that they are triangles)",
                *(source, counted(tally.outlines, "line"), 1 + _TRACKED, tally.first_outline),
            )
        if tally.confidences:
            _log.warning(
                "%s: left out the number behind %s as a confidence, such as %s; if it is the angle "
                "of a turned box, give its four corners instead",
                *(source, counted(tally.confidences, "box"), tally.first_confidence),
            )

    def _outline(self, words: Sequence[str], where: str) -> Shares:
        """The box around an outline, and whether it could be a box with key points as well."""
        try:
            values = [_share(w, f"point {i // 2 + 1}", where) for i, w in enumerate(words)]
        except FocusDetrError as error:
            raise FocusDetrError(f"{error}; {_KEY_POINTS_NEED}") from error
        tally = self._tally
        tally.first_outline = tally.first_outline or where
        tally.outlines += 1
        tally.like_key_points += _could_be_key_points(values)
        tally.like_boxes += _could_be_box(values)
        tally.like_tracked += _could_be_tracked(values)
        tally.parallelograms += len(values) == _CORNERS and _is_parallelogram(values)
        tally.lengths.add(1 + len(values))
        xs, ys = values[::2], values[1::2]
        return min(xs), min(ys), max(xs) - min(xs), max(ys) - min(ys)

    def _check_rest(self, words: Sequence[str], where: str) -> None:
        """What may follow a box: key points, and then a confidence as in files of predictions."""
        points, numbers = self._form.key_points or (0, 0)
        rest = len(words) - _BOX
        if rest not in (0, 1, points * numbers, points * numbers + 1):
            there, expected = counted(len(words), "number"), ", ".join(_BOX_FIELDS)
            if points:
                expected += f" and {points} key points of {numbers} numbers"
            elif rest > 0:
                expected += f"; {_KEY_POINTS_NEED}"
            raise FocusDetrError(f"{where} has {there}, expected {expected}")
        values = [_number(word) for word in words[_BOX:]]
        if not all(map(is_finite_number, values)):
            raise FocusDetrError(f"{where}: {' '.join(words[_BOX:])} are not all finite numbers")
        if rest in (1, points * numbers + 1):
            if not 0 <= values[-1] <= 1:
                raise FocusDetrError(
                    f"{where}: the last of {counted(len(words), 'number')} is {words[-1]}, "
                    "expected a confidence from 0 to 1 (turned boxes need their four corners)"
                )
            self._tally.add_confidence([*map(_number, words[1:])], where)

    def _label(self, word: str, where: str) -> int:
        names, value = self._form.class_names, _number(word)
        if not value.is_integer():
            raise FocusDetrError(f"{where}: class must be a whole number, not {word!r}")
        if not 0 <= value < len(names):
            raise FocusDetrError(
                f"{where}: class {word} does not exist, as {self._form.names_file} has 0 to "
                f"{len(names) - 1}"
            )
        if names[int(value)] not in self._form.known:
            raise FocusDetrError(
                f"{where}: class '{names[int(value)]}' is not one of the model's classes"
            )
        return int(value)


def _is_ambiguous(tally: _Tally) -> bool:
    """Outlines differ in length, or are oriented boxes, or are no boxes with points inside."""
    oriented = tally.parallelograms > _ORIENTED * tally.outlines
    return (
        len(tally.lengths) == 1
        and tally.like_key_points > _LIKELY * tally.outlines
        and not oriented
    )


def _seem_tracked(tally: _Tally) -> bool:
    """Triangles whose last corner lies on an edge of the picture are rare."""
    return tally.lengths == {1 + _TRACKED} and tally.like_tracked > _LIKELY * tally.outlines


def _could_be_boxes(tally: _Tally) -> bool:
    return tally.lengths == {1 + _TRACKED} and tally.like_boxes > _LIKELY * tally.outlines


def _could_be_box(values: Sequence[float]) -> bool:
    """Whether the first four are a box inside the picture."""
    x, y, width, height = values[:4]
    return _lies_in(x, width, 0.5, 1) and _lies_in(y, height, 0.5, 1)


def _could_be_tracked(values: Sequence[float]) -> bool:
    """Whether they are such a box, a share and a whole number; up to 1 here."""
    tracked = len(values) == _TRACKED and values[5].is_integer() and 0 <= values[4] <= 1
    return tracked and _could_be_box(values)


def _could_be_key_points(values: Sequence[float]) -> bool:
    """Whether the first four are a box inside the picture that holds all the other points.

    It cannot be where all sides of the outline are level or upright, as those of a rectangle.
    """
    if all(values[i] == values[i + 2] or values[i + 1] == values[i + 3] for i in _sides(values)):
        return False
    return _could_be_box(values) and any(_points_lie_in(values, numbers) for numbers in (2, 3))


def _sides(values: Sequence[float]) -> range:
    """Where the sides of an outline begin."""
    return range(0, len(values) - 2, 2)


def _points_lie_in(values: Sequence[float], numbers: int) -> bool:
    """Whether points of so many numbers each lie in the box before them; (0, 0) is no point."""
    if (len(values) - 4) % numbers:
        return False
    x, y, width, height = values[:4]
    points = [values[i : i + numbers] for i in range(4, len(values), numbers)]
    seen = [point for point in points if point[0] or point[1]]
    return all(point[2] in _VISIBILITIES for point in points if numbers == 3) and all(
        _lies_in(point[0], 0, x, width) and _lies_in(point[1], 0, y, height) for point in seen
    )


def _lies_in(centre: float, length: float, other: float, other_length: float) -> bool:
    """Whether a span lies in another one, both given by centre and length."""
    return abs(centre - other) + length / 2 <= other_length / 2 + _ROUNDING


def _is_parallelogram(values: Sequence[float]) -> bool:
    """Whether the diagonals of four corners halve each other."""
    first, second, third, fourth = (values[i : i + 2] for i in range(0, 8, 2))
    return all(abs(first[i] + third[i] - second[i] - fourth[i]) <= _ROUNDING for i in (0, 1))


def _share(word: str, name: str, where: str) -> float:
    value = _number(word)
    if not is_finite_number(value) or not -_FAR_OUTSIDE <= value <= 1 + _FAR_OUTSIDE:
        raise FocusDetrError(f"{where}: {name} is {word}, expected a share of the picture (0 to 1)")
    return value


def _number(word: str) -> float:
    value = finite_number(word)
    return math.nan if value is None else value
