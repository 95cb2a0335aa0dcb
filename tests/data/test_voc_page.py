"""Fields of VOC files in the forms that tools write."""

from __future__ import annotations

import math
from pathlib import Path

import pytest

from focus_detr.data.voc_page import VocPage, read_page
from focus_detr.errors import FocusDetrError

BOX = "<bndbox><xmin>11</xmin><ymin>21</ymin><xmax>60</xmax><ymax>80</ymax></bndbox>"


def page(folder: Path, inner: str, name: str = "cat") -> VocPage:
    path = folder / "a.xml"
    path.write_text(
        f"<annotation><object><name>{name}</name>{inner}</object></annotation>", encoding="utf-8"
    )
    return read_page(path)


@pytest.mark.parametrize(
    ("written", "difficult"),
    [
        ("<difficult>1</difficult>", True),
        ("<difficult> true </difficult>", True),
        ("<difficult>True</difficult>", True),
        ("<difficult>Yes</difficult>", True),
        ("<difficult>1.0</difficult>", True),
        ("<difficult>0</difficult>", False),
        ("<difficult>0.0</difficult>", False),
        ("<difficult>no</difficult>", False),
        ("<difficult>None</difficult>", False),
        ("<difficult>null</difficult>", False),
        ("<difficult>FALSE</difficult>", False),
        ("<difficult>Unspecified</difficult>", False),
        ("<difficult/>", False),
        ("<difficult></difficult>", False),
        ("", False),
        ("<Difficult>1</Difficult>", True),
        ("<isDifficult>1</isDifficult>", True),
        ("<difficult>0</difficult><ignore>1</ignore>", True),
        ("<iscrowd>1</iscrowd>", True),
        ("<crowd>0</crowd>", False),
    ],
)
def test_difficult_in_every_form(tmp_path: Path, written: str, difficult: bool) -> None:
    (item,) = page(tmp_path, written + BOX).objects
    assert (item.name, item.box, item.difficult) == ("cat", (10, 20, 50, 60), difficult)


@pytest.mark.parametrize("value", ["2", "-1", "0.5", "maybe"])
def test_other_values_of_difficult_are_refused(tmp_path: Path, value: str) -> None:
    with pytest.raises(FocusDetrError, match="object 1: 'difficult' must be 0 or 1"):
        page(tmp_path, f"<difficult>{value}</difficult>{BOX}")


def test_tags_may_be_in_another_style(tmp_path: Path) -> None:
    path = tmp_path / "a.xml"
    path.write_text(
        "<Annotation><fileName>a.jpg</fileName><Size><Width>90</Width><Height>80</Height></Size>"
        "<Object><Name>cat</Name><bndBox><xMin>11</xMin><y_min>21</y_min><XMAX>60</XMAX>"
        "<ymax>80</ymax></bndBox></Object></Annotation>"
    )
    read = read_page(path)
    assert (read.file_name, read.size) == ("a.jpg", (80, 90))
    assert [item.box for item in read.objects] == [(10, 20, 50, 60)]


def test_what_a_person_took_away_is_gone(tmp_path: Path) -> None:
    assert not page(tmp_path, f"<deleted>1</deleted>{BOX}").objects
    assert len(page(tmp_path, f"<deleted>0</deleted>{BOX}").objects) == 1


def test_parts_are_neither_objects_nor_boxes(tmp_path: Path) -> None:
    part = BOX.replace(">11<", ">30<").replace(">60<", ">35<")
    inner = f"<part><name>head</name>{part}</part>"
    for order in (inner + BOX, BOX + inner):
        (item,) = page(tmp_path, order).objects
        assert (item.name, item.box) == ("cat", (10, 20, 50, 60))
    with pytest.raises(FocusDetrError, match="object 1 has no 'bndbox'"):
        page(tmp_path, inner)


def test_numbers_in_other_forms(tmp_path: Path) -> None:
    for old, new in ((">11<", "> 11.0\n<"), (">11<", ">1.1e1<")):
        assert page(tmp_path, BOX.replace(old, new)).objects[0].box == (10, 20, 50, 60)
    assert page(tmp_path, BOX.replace(">11<", ">-0<")).objects[0].box == (-1, 20, 61, 60)


@pytest.mark.parametrize("tag", ["pt", "point"])
def test_polygons_become_their_boxes(tmp_path: Path, tag: str) -> None:
    corners = ((10, 40), (30.5, 20), (50, 60))
    points = "".join(f"<{tag}><x>{x}</x><y>{y}</y></{tag}>" for x, y in corners)
    assert page(tmp_path, f"<polygon>{points}</polygon>").objects[0].box == (10, 20, 40, 40)
    flat = "".join(f"<x{i}>{x}</x{i}><y{i}>{y}</y{i}>" for i, (x, y) in enumerate(corners, start=1))
    assert page(tmp_path, f"<polygon>{flat}</polygon>").objects[0].box == (10, 20, 40, 40)
    assert page(tmp_path, f"<polygon>{flat}</polygon>{BOX}").objects[0].box == (10, 20, 50, 60)
    with pytest.raises(FocusDetrError, match="'polygon' has fewer than three points"):
        page(tmp_path, "<polygon><x1>1</x1><y1>2</y1></polygon>")


def test_turned_boxes_become_the_boxes_around_them(tmp_path: Path) -> None:
    fields = {"cx": 50, "cy": 40, "w": 20, "h": 10, "angle": math.pi / 2}
    inner = "".join(f"<{key}>{value}</{key}>" for key, value in fields.items())
    box = page(tmp_path, f"<type>robndbox</type><robndbox>{inner}</robndbox>").objects[0].box
    assert box == pytest.approx((45, 30, 10, 20))
    degrees = inner.replace(f">{fields['angle']}<", ">90<")
    with pytest.raises(FocusDetrError, match=r"object 1: 'robndbox/angle' is 90, .*degrees"):
        page(tmp_path, f"<robndbox>{degrees}</robndbox>")


@pytest.mark.parametrize(
    ("more", "key"),
    [
        (BOX, "bndbox"),
        ("<name>dog</name>", "name"),
        ("<difficult>0</difficult><Difficult>1</Difficult>", "difficult"),
    ],
)
def test_an_object_with_two_of_a_kind_is_refused(tmp_path: Path, more: str, key: str) -> None:
    with pytest.raises(FocusDetrError, match=f"object 1 has 2 times '{key}', expected one"):
        page(tmp_path, BOX + more)


@pytest.mark.parametrize(("value", "box"), [("90.0", (5, 25, 60, 50)), ("0.0", None), ("a", None)])
def test_boxes_that_cvat_says_are_turned(
    tmp_path: Path, value: str, box: tuple[float, ...] | None
) -> None:
    other = "<attribute><name>colour</name><value>45</value></attribute>"
    turned = f"<attribute><name>rotation</name><value>{value}</value></attribute>"
    found = page(tmp_path, f"<attributes>{other}{turned}</attributes>{BOX}").objects[0].box
    assert found == pytest.approx(box or (10, 20, 50, 60))


@pytest.mark.parametrize(
    ("name", "value", "difficult"),
    [
        ("ignore", "1", True),
        ("Difficult", "true", True),
        ("iscrowd", "0", False),
        ("ignore", "?", False),
    ],
)
def test_flags_among_cvat_s_attributes(
    tmp_path: Path, name: str, value: str, difficult: bool
) -> None:
    one = f"<attribute><name>{name}</name><value>{value}</value></attribute>"
    assert page(tmp_path, f"<attributes>{one}</attributes>{BOX}").objects[0].difficult is difficult


def test_shares_of_the_picture_are_refused(tmp_path: Path) -> None:
    shares = BOX
    for old, new in (("11", "0.1"), ("21", "0.2"), ("60", "0.6"), ("80", "1")):
        shares = shares.replace(f">{old}<", f">{new}<")
    with pytest.raises(FocusDetrError, match=r"a\.xml: all numbers .* shares of the picture"):
        page(tmp_path, shares)
    one = BOX.replace(">11<", ">1<").replace(">21<", ">1<").replace(">60<", ">1<")
    assert page(tmp_path, one.replace(">80<", ">1<")).objects[0].box == (0, 0, 1, 1)


@pytest.mark.parametrize(
    "size",
    ["<width> </width>", "<width>30</width>", "<width>30</width><height/>", "<depth>3</depth>"],
)
def test_incomplete_sizes_are_none(tmp_path: Path, size: str) -> None:
    (tmp_path / "a.xml").write_text(f"<annotation><size>{size}</size></annotation>")
    assert read_page(tmp_path / "a.xml").size is None
