"""Lines of YOLO label files in the forms that tools write."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pytest

from focus_detr.data.yolo_rows import LineForm, LineReader, Row
from focus_detr.errors import FocusDetrError

NAMES = ("cat", "dog")


def read(lines: Sequence[str], **form: object) -> list[Row]:
    reader = LineReader(LineForm(NAMES, Path("data.yaml"), frozenset(NAMES), **form))
    rows = [reader.row(line.split(), f"line {n}") for n, line in enumerate(lines, start=1)]
    reader.finish(Path("labels"))
    return rows


def pose(count: int, numbers: int, lines: int = 20, spread: float = 0.4) -> list[str]:
    """Boxes with points inside them."""
    rng = np.random.default_rng(0)
    made = []
    for x, y, size in rng.uniform((0.3, 0.3, 0.1), (0.6, 0.6, 0.3), (lines, 3)):
        points = rng.uniform(-spread, spread, (count, 2)) * size + (x, y)
        seen = rng.integers(1, 3, (count, 1))
        values = np.hstack([points, seen])[:, :numbers].ravel()
        made.append(" ".join(map(str, (0, x, y, size, size, *values))))
    return made


def outlines(corners: int, lines: int = 20) -> list[str]:
    """Points around a centre."""
    rng = np.random.default_rng(1)
    turn = 2 * np.pi * np.arange(corners) / corners
    made = []
    for x, y, size in rng.uniform((0.2, 0.2, 0.05), (0.8, 0.8, 0.15), (lines, 3)):
        points = np.stack([x + size * np.cos(turn), y + size * np.sin(turn)], axis=1)
        made.append(" ".join(map(str, (1, *points.ravel()))))
    return made


@pytest.mark.parametrize(("count", "numbers"), [(8, 2), (17, 3), (4, 3), (5, 2)])
@pytest.mark.parametrize("confidence", ["", " 0.25"])
def test_a_box_with_key_points_is_its_numbers_2_to_5(
    count: int, numbers: int, confidence: str, caplog: pytest.LogCaptureFixture
) -> None:
    lines = [line + confidence for line in pose(count, numbers)]
    rows = read(lines, key_points=(count, numbers))
    for line, (label, (left, top, width, height)) in zip(lines, rows, strict=True):
        expected = [float(word) for word in line.split()[:5]]
        assert [label, left + width / 2, top + height / 2, width, height] == pytest.approx(expected)
    told = "left out the number behind 20 boxes as a confidence, such as line 1"
    assert (told in caplog.text) == bool(confidence)


def test_boxes_without_their_key_points_and_other_numbers() -> None:
    assert read(["0 .5 .5 .2 .2"], key_points=(8, 2))[0][1] == pytest.approx((0.4, 0.4, 0.2, 0.2))
    with pytest.raises(
        FocusDetrError, match=r"has 9 numbers, expected .* and 8 key points of 2 num"
    ):
        read(["0 .5 .5 .2 .2 .1 .1 .3 .3"], key_points=(8, 2))


@pytest.mark.parametrize(("count", "numbers"), [(8, 2), (2, 2), (4, 3)])
@pytest.mark.parametrize("spread", [0.4, 0.52])
def test_what_could_be_key_points_is_asked_for(count: int, numbers: int, spread: float) -> None:
    """Also where a point in some boxes lies a little outside."""
    lines = pose(count, numbers, spread=spread)
    with pytest.raises(FocusDetrError, match="kpt_shape"):
        read(lines)
    if numbers == 2:
        assert len(read(lines, outlines=True)) == len(lines)


def test_an_even_number_is_no_outline() -> None:
    with pytest.raises(
        FocusDetrError, match=r"56 numbers.*key points need a kpt_shape in data.yaml"
    ):
        read(pose(17, 3))


@pytest.mark.parametrize("corners", [3, 4, 7, 30])
def test_outlines_become_their_boxes(corners: int) -> None:
    lines = outlines(corners)
    for line, (_, (left, top, width, height)) in zip(lines, read(lines), strict=True):
        points = np.array(line.split()[1:], float).reshape(-1, 2)
        expected = [*points.min(axis=0), *np.ptp(points, axis=0)]
        assert [left, top, width, height] == pytest.approx(expected)


@pytest.mark.parametrize(
    "line",
    [
        "0 .2 .2 .3 .2 .3 .25 .2 .25 .2 .2",  # a rectangle, closed
        "0 .2 .2 .3 .2 .3 .25 .25 .25 .25 .22 .2 .22",  # steps
    ],
)
def test_outlines_by_their_form(line: str) -> None:
    points = np.array(line.split()[1:], float).reshape(-1, 2)
    expected = [*points.min(axis=0), *np.ptp(points, axis=0)]
    assert read([line, line]) == [(0, pytest.approx(expected))] * 2


def test_oriented_boxes_are_outlines() -> None:
    line = "0 0.4 0.3 0.6 0.4 0.5 0.6 0.3 0.5"
    assert read([line])[0] == (0, pytest.approx((0.3, 0.3, 0.3, 0.3)))


def test_outlines_of_different_lengths_need_no_word() -> None:
    lines = [*pose(8, 2, 1), *pose(5, 2, 1)]
    assert len(read(lines)) == 2


def test_a_confidence_is_left_out_and_counted(caplog: pytest.LogCaptureFixture) -> None:
    rows = read(["0 .5 .5 .2 .4 .9", "1 .5 .5 .2 .4"])
    assert [box for _, box in rows] == [pytest.approx((0.4, 0.3, 0.2, 0.4))] * 2
    assert "left out the number behind 1 box as a confidence, such as line 1" in caplog.text
    assert "if it is the angle of a turned box, give its four corners" in caplog.text


@pytest.mark.parametrize("angles", [(0, 0.3, 0.7), (0.0, 0.0, 0.01)])
def test_angles_are_no_confidences(angles: tuple[float, ...]) -> None:
    lines = [f"0 .5 .5 .2 .4 {angle}" for angle in (0.25, *angles)]
    zero = angles.count(0)
    with pytest.raises(FocusDetrError, match=rf"line 1: .* angle of a turned one, as {zero} of 4"):
        read(lines)
    for other in (-0.1, 1.3, 45):
        with pytest.raises(FocusDetrError, match=r"line 5: .*\(turned boxes need their four"):
            read([*lines, f"0 .5 .5 .2 .4 {other}"])


@pytest.mark.parametrize("flags", [(0, 1, 1), (0, 0, 0), (0.2, 1, 0.9)])
def test_what_is_no_angle_is_left_out(flags: tuple[float, ...]) -> None:
    """Flags; boxes that are not turned, which are right as they are; confidences."""
    assert len(read([f"0 .5 .5 .2 .4 {value}" for value in flags])) == 3


@pytest.mark.parametrize(
    ("rest", "told"), [("0.3 0.91", True), ("0.9 0.02", True), ("0.3 0.91 0.5", False)]
)
def test_an_angle_and_a_confidence_are_doubted_as_a_corner(
    rest: str, told: bool, caplog: pytest.LogCaptureFixture
) -> None:
    lines = [f"0 .5 .5 .2 .4 {rest}"] * 3
    if told:
        assert len(read(lines)) == 3
        assert "3 lines of 7 numbers read as corners, such as line 1; if they are" in caplog.text
        caplog.clear()
        read(lines, outlines=True)
        assert not caplog.text
    else:
        with pytest.raises(FocusDetrError, match="has 8 numbers"):
            read(lines)


def test_a_confidence_in_front_of_the_box_is_refused() -> None:
    rng = np.random.default_rng(4)
    boxes = rng.uniform((0.3, 0.3, 0.1, 0.1), (0.7, 0.7, 0.4, 0.4), (20, 4))
    scores = rng.uniform(0.3, 1, 20)
    lines = [" ".join(map(str, (0, s, *b))) for s, b in zip(scores, boxes, strict=True)]
    with pytest.raises(FocusDetrError, match="line 1: the number behind the class seems to be a"):
        read(lines)
    lines = [" ".join(map(str, (0, *b, s))) for s, b in zip(scores, boxes, strict=True)]
    assert len(read(lines)) == 20


def test_corners_are_told_from_centres() -> None:
    with pytest.raises(FocusDetrError, match=r"seem to be corners .* 2 of 3 would reach out"):
        read(["0 .1 .1 .3 .3", "0 .2 .5 .9 .9", "1 .4 .4 .5 .5"])
    assert len(read(["0 .1 .1 .3 .3", "0 .6 .5 .5 .4"])) == 2


def test_upper_left_ends_are_told_from_centres() -> None:
    rng = np.random.default_rng(3)
    sides = rng.uniform(0.05, 0.3, (40, 2))
    starts = rng.uniform(size=(40, 2)) * (1 - sides)
    with pytest.raises(FocusDetrError, match="seem to be x, y of the upper left end"):
        read([f"0 {x} {y} {w} {h}" for (x, y), (w, h) in zip(starts, sides, strict=True)])
    centres = starts + sides / 2
    lines = [f"0 {x} {y} {w} {h}" for (x, y), (w, h) in zip(centres, sides, strict=True)]
    assert len(read([*lines, "0 .1 .1 .3 .3", "0 .01 .5 .1 .1", "0 .5 0 .1 .1"])) == 43


def test_a_confidence_and_a_track_are_no_corner_of_a_triangle() -> None:
    lines = ["0 0.25 0.3 0.25 0.25 0.9 1", "1 0.6 0.6 0.2 0.2 0.5 0", "0 0.5 0.5 0.1 0.1 0.7 1"]
    with pytest.raises(FocusDetrError, match=r"line 1: 7 numbers seem to be a box, a confidence"):
        read(lines)
    assert len(read(lines, outlines=True)) == 3
    triangles = outlines(corners=3)
    assert len(read([*triangles, "0 0.5 0.5 0.3 0.3 0.4 1"])) == len(triangles) + 1
