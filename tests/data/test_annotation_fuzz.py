"""Annotation files with random edits are read, or refused with a sentence."""

from __future__ import annotations

import json
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import Any

import pytest
from annotation_files import write_voc, write_yolo
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from focus_detr.data.dataset import DetectionDataset
from focus_detr.data.formats import read_annotations
from focus_detr.data.split import divide_by_list
from focus_detr.data.summary import summarise
from focus_detr.errors import FocusDetrError
from focus_detr.evaluation.coco_metrics import evaluate_detections
from focus_detr.evaluation.ground_truth import read_ground_truth

SIZES = {"a": (20, 40), "b": (40, 20)}
OBJECTS = {"a": [("cat", (5, 6, 12, 15), 0)], "b": [("dog", (1, 1, 20, 10), 1)]}
LABELS = {"a": "0 0.2 0.5 0.2 0.5\n1 0.1 0.1 0.4 0.1 0.2 0.3\n", "b": "1 0.5 0.125 1 0.25"}
TOKENS = (b'"', b"<", b">", b"{", b"]", b"-", b"nan", b"1e999", b"\x00", b"\xff", b"\n", b"/", b"&")
VOC_LIST = "ImageSets/all.txt"
FUZZ = settings(
    max_examples=100,
    suppress_health_check=[HealthCheck.function_scoped_fixture],
)

Edit = Callable[[bytes], bytes]


def _replace(place: float, length: int, new: bytes) -> Edit:
    def edit(text: bytes) -> bytes:
        start = int(place * len(text))
        return text[:start] + new + text[start + length :]

    return edit


EDITS = st.lists(
    st.builds(
        _replace,
        st.floats(0, 1),
        st.integers(0, 40),
        st.sampled_from(TOKENS) | st.binary(max_size=8) | st.integers().map(lambda n: b"%d" % n),
    ),
    min_size=1,
    max_size=4,
)


def check(source: Path) -> None:
    """Whatever uses annotations gets through or says why not."""
    with suppress(FocusDetrError):
        dataset = DetectionDataset.from_annotations(read_annotations(source), skip_broken=True)
        assert " image" in summarise(dataset, "data")
        assert all((record.boxes[:, 2:] > record.boxes[:, :2]).all() for record in dataset.records)
    with suppress(FocusDetrError):
        evaluate_detections(source, [])
    with suppress(FocusDetrError):
        read_ground_truth(source)


def edited(path: Path, original: bytes, edits: list[Edit]) -> None:
    for edit in edits:
        original = edit(original)
    path.write_bytes(original)


@pytest.fixture(scope="module")
def voc(tmp_path_factory: pytest.TempPathFactory) -> Path:
    root = write_voc(tmp_path_factory.mktemp("voc") / "set", SIZES, OBJECTS)
    (root / "ImageSets").mkdir()
    (root / VOC_LIST).write_text("a\nb\n")
    return root


@pytest.fixture(scope="module")
def yolo(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_yolo(tmp_path_factory.mktemp("yolo") / "set", SIZES, LABELS)


@pytest.fixture(scope="module")
def coco(voc: Path) -> Path:
    path = voc / "JPEGImages" / "instances.json"
    path.write_text(json.dumps(read_annotations(voc).to_coco()))
    return path


@FUZZ
@given(edits=EDITS, name=st.sampled_from(["Annotations/a.xml", VOC_LIST]))
def test_voc_files(voc: Path, edits: list[Edit], name: str) -> None:
    path = voc / name
    original = path.read_bytes()
    try:
        edited(path, original, edits)
        check(voc / VOC_LIST)
    finally:
        path.write_bytes(original)


@FUZZ
@given(edits=EDITS, name=st.sampled_from(["labels/train/a.txt", "data.yaml"]))
def test_yolo_files(yolo: Path, edits: list[Edit], name: str) -> None:
    path = yolo.parent / name
    original = path.read_bytes()
    try:
        edited(path, original, edits)
        check(yolo)
        check(yolo.parent / "labels")
    finally:
        path.write_bytes(original)


@FUZZ
@given(edits=EDITS)
def test_coco_bytes(coco: Path, edits: list[Edit]) -> None:
    original = coco.read_bytes()
    try:
        edited(coco, original, edits)
        check(coco)
    finally:
        coco.write_bytes(original)


@FUZZ
@given(edits=EDITS)
def test_lists_of_validation_images(voc: Path, tmp_path: Path, edits: list[Edit]) -> None:
    path = tmp_path / "val.txt"
    edited(path, b"a.png\nb\n", edits)
    whole = read_annotations(voc)
    with suppress(FocusDetrError):
        division = divide_by_list(whole, path)
        assert len(division.train.images) == len(division.val.images) == 1


VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=4),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=4), inner),
    max_leaves=4,
)
KEYS = ("id", "image_id", "category_id", "bbox", "area", "iscrowd", "name", "file_name", "height")


@FUZZ
@given(data=st.data())
def test_coco_values(coco: Path, data: st.DataObject) -> None:
    original = coco.read_bytes()
    content: dict[str, Any] = json.loads(original)
    section = data.draw(st.sampled_from(["images", "annotations", "categories"]))
    entry = data.draw(st.sampled_from(content[section]))
    entry[data.draw(st.sampled_from(KEYS))] = data.draw(VALUES | st.sampled_from([10**400, -1]))
    try:
        coco.write_text(json.dumps(content))
        check(coco)
    finally:
        coco.write_bytes(original)


def test_the_originals_are_read(voc: Path, yolo: Path, coco: Path) -> None:
    for source in (voc, yolo, coco):
        assert len(DetectionDataset.from_files(source)) == 2
        assert len(read_ground_truth(source)["images"]) == 2
