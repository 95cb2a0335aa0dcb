"""Boxes in another convention are refused, and legitimate ones never are."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from focus_detr.data.annotations import Annotations, BoxEntry, ImageEntry
from focus_detr.data.classes import ClassMap
from focus_detr.data.conventions import check_convention
from focus_detr.errors import FocusDetrError

WIDTH, HEIGHT = 160, 120


def pixels(count: int = 40) -> np.ndarray:
    """Boxes [count, 4] anywhere in a picture, as x, y, width, height."""
    random = np.random.default_rng(4)
    sides = random.uniform(0.05, 0.4, (count, 2)) * (WIDTH, HEIGHT)
    return np.hstack([random.uniform(size=(count, 2)) * ((WIDTH, HEIGHT) - sides), sides])


def check(boxes: Sequence[Sequence[float]], size: tuple[int, int] = (HEIGHT, WIDTH)) -> None:
    image = ImageEntry(1, "a.png", Path("a.png"), *size)
    entries = tuple(BoxEntry(1, 1, tuple(map(float, box)), 1.0) for box in boxes)
    check_convention(Annotations(Path("set"), (image,), entries, ClassMap(("a",), (1,))))


def shares() -> np.ndarray:
    return pixels() / (WIDTH, HEIGHT, WIDTH, HEIGHT)


def centres(boxes: np.ndarray) -> np.ndarray:
    return np.hstack([boxes[:, :2] + boxes[:, 2:] / 2, boxes[:, 2:]])


def corners() -> np.ndarray:
    boxes = pixels()
    return np.hstack([boxes[:, :2], boxes[:, :2] + boxes[:, 2:]])


VOC_SHARES = np.hstack([shares()[:, :2] - 1, shares()[:, 2:] + 1])


@pytest.mark.parametrize(
    ("boxes", "reading"),
    [
        (shares(), "40 of 40 boxes lie within the first pixel .* look like shares of the picture"),
        (centres(shares()), "look like shares of the picture"),
        (VOC_SHARES, "look like shares of the picture"),
        (shares()[:1], "1 of 1 box lie within the first pixel"),
        ([*shares(), [5, 6, 50, 60]], "40 of 41 boxes lie within"),
        (corners(), r"all fit as corners \(x1, y1, x2, y2\)"),
        (np.round(corners()), r"all fit as corners \(x1, y1, x2, y2\)"),
        (corners()[:, [1, 0, 3, 2]], r"all fit as corners \(y1, x1, y2, x2\)"),
        ([[50, 125, 90, 159], [60, 130, 95, 150], [55, 140, 90, 155]], r"fit as corners \(y1"),
        (corners()[:, [0, 2, 1, 3]], r"all fit as ends \(x1, x2, y1, y2\)"),
        (pixels()[:, [1, 0, 3, 2]], "all fit as y, x, height, width"),
        (centres(pixels()), r"all fit as centres \(x, y of the centre, width, height\)"),
    ],
)
def test_other_conventions_are_refused(boxes: np.ndarray, reading: str) -> None:
    with pytest.raises(FocusDetrError, match=reading):
        check(boxes)


def test_shares_are_known_without_the_size() -> None:
    with pytest.raises(FocusDetrError, match="shares of the picture"):
        check(shares(), (0, 0))
    check(corners(), (0, 0))


@pytest.mark.parametrize(
    ("boxes", "size"),
    [
        ([[0, 0, 1, 1]], (1, 1)),
        ([[0, 0, 0.5, 0.5]], (1, 1)),
        ([[0, 0, 1, 1], [0, 0, 1, 1]], (40, 40)),
        ([[3.2, 5.1, 0.4, 0.6]] * 9, (40, 40)),  # objects of less than a pixel
        ([[100, 100, 90, 90], [110, 70, 99, 99]], (HEIGHT, WIDTH)),  # two slips
        ([[0, 0, 0, 0]] * 9, (HEIGHT, WIDTH)),
        ([[1e308, 1e308, 1e308, 1e308]] * 9, (HEIGHT, WIDTH)),
    ],
)
def test_odd_boxes_are_no_convention(
    boxes: Sequence[Sequence[float]], size: tuple[int, int]
) -> None:
    check(boxes, size)


def test_what_a_part_suggests_is_a_warning(caplog: pytest.LogCaptureFixture) -> None:
    check([*pixels(), *shares()[:10]])
    assert "10 of 50 boxes lie within the first pixel of their pictures" in caplog.text
    caplog.clear()
    over = np.add(pixels()[:5], (0, 0, WIDTH, HEIGHT))
    check([*pixels(), *over])
    assert "5 of 45 boxes reach far over the edge of their pictures and are clipped" in caplog.text


SIDE = st.integers(3, 400)
SHARE = st.floats(0, 1)


@pytest.mark.parametrize(("scale", "name"), [(100, "percents"), (1000, "thousandths")])
def test_shares_of_another_scale_are_a_warning(
    caplog: pytest.LogCaptureFixture, scale: int, name: str
) -> None:
    check(shares() * scale, (3 * scale, 4 * scale))
    expected = f"40 of 40 boxes lie within the first {scale} pixels of larger pictures, as {name}"
    assert expected in caplog.text
    caplog.clear()
    check(shares() * scale, (scale, 4 * scale))  # a small picture
    check([*shares() * scale, [scale, 0, 50, 60]], (3 * scale, 4 * scale))
    check(shares() * scale / 2, (3 * scale, 4 * scale))
    check(shares()[:9] * scale, (3 * scale, 4 * scale))
    assert not caplog.text


@given(SIDE, SIDE, st.lists(st.tuples(SHARE, SHARE, SHARE, SHARE), min_size=1, max_size=30))
def test_boxes_inside_their_pictures_are_never_refused(
    height: int, width: int, drawn: list[tuple[float, float, float, float]]
) -> None:
    boxes = []
    for left, top, wide, high in drawn:
        x, y = round(left * (width - 2)), round(top * (height - 2))
        boxes.append([x, y, max(wide * (width - x), 1.5), max(high * (height - y), 1.5)])
    check(boxes, (height, width))


@given(st.lists(st.tuples(SHARE, SHARE, SHARE, SHARE), min_size=20, max_size=60), st.randoms())
def test_truncated_objects_are_no_other_convention(
    drawn: list[tuple[float, float, float, float]], random: object
) -> None:
    """Full extents of objects that stand out on all sides, some of them on the left and above."""
    boxes = [
        [x * 200 - 20, y * 160 - 20, 10 + wide * 60, 10 + high * 60] for x, y, wide, high in drawn
    ]
    check([*boxes, [-15, 5, 60, 60], [5, -15, 60, 60], [-9, -9, 30, 30]])
