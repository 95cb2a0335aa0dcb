"""Packed data sets give the same batches as the files they were packed from."""

from __future__ import annotations

import dataclasses
import json
import shutil
import sqlite3
from collections.abc import Callable
from contextlib import closing
from pathlib import Path

import numpy as np
import pytest
from annotation_files import write_voc
from coco_files import annotation, write_coco
from mindspore.mindrecord import FileReader, FileWriter

from focus_detr.config.loading import load_config
from focus_detr.data import mindrecord_writing
from focus_detr.data.annotations import Annotations
from focus_detr.data.batch import Batch
from focus_detr.data.build import build_eval_loader, build_train_loader
from focus_detr.data.dataset import DetectionDataset
from focus_detr.data.formats import detect_format, read_annotations
from focus_detr.errors import FocusDetrError

SIZES = [(30, 40), (40, 30), (24, 48), (33, 33), (36, 40)]
SHARDS = 3
HEADER = 2**16  # bytes; files with the usual header and pages are 48 MiB long
SETTINGS = (
    "data.train_short_sides=[24, 32]",
    "data.train_max_side=64",
    "data.crop_short_sides=[24]",
    "data.crop_sides=[16, 24]",
    "data.test_short_side=32",
    "data.test_max_side=64",
    "train.batch_size=2",
)


def write_small(annotations: Annotations, folder: Path, shards: int = 1) -> None:
    """Pack into short files."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(mindrecord_writing, "_HEADER", HEADER)
        patch.setattr(mindrecord_writing, "_PAGE", HEADER)
        mindrecord_writing.write_mindrecord(annotations, folder, shards)


@pytest.fixture(scope="module")
def plain(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A COCO json with a crowd, a box over the edge and two boxes in one picture."""
    boxes = [annotation(i, i, (0.1 * i, 0, 20, 20)) for i in range(1, len(SIZES))]
    boxes.append(annotation(8, 2, (3, 4, 9, 9), iscrowd=1, area=44.5))
    boxes.append(annotation(9, 1, (30, 20, 30, 30), category_id=7))
    return write_coco(tmp_path_factory.mktemp("plain"), SIZES, boxes)


@pytest.fixture(scope="module")
def whole(plain: Path) -> Path:
    """The same packed; not to be changed."""
    folder = plain.parent / "packed"
    write_small(read_annotations(plain), folder, SHARDS)
    return folder


@pytest.fixture
def packed(whole: Path, tmp_path: Path) -> Path:
    """A copy in another place."""
    return Path(shutil.copytree(whole, tmp_path / "moved"))


def batches(source: Path, workers: int) -> list[Batch]:
    """Two epochs of training and one of evaluation."""
    paths = [f"data.{split}_annotations={source}" for split in ("train", "val")]
    config = load_config(None, [*SETTINGS, *paths, f"data.workers={workers}"])
    train = build_train_loader(config, seed=5)
    evaluation = build_eval_loader(config, batch_size=2)
    return [*train.epoch(0), *train.epoch(1), *evaluation.epoch(0)]


@pytest.mark.parametrize("workers", [0, 2])
def test_the_batches_are_the_same_bit_for_bit(plain: Path, packed: Path, workers: int) -> None:
    expected, found = batches(plain, workers), batches(packed, workers)
    assert len(expected) == len(found) == 7
    for one, other in zip(expected, found, strict=True):
        for field in dataclasses.fields(Batch):
            np.testing.assert_array_equal(getattr(one, field.name), getattr(other, field.name))


def test_the_annotations_are_the_same(plain: Path, packed: Path) -> None:
    expected, found = read_annotations(plain), read_annotations(packed)
    assert found.classes == expected.classes
    assert sorted(found.boxes, key=repr) == sorted(expected.boxes, key=repr)
    for one, other in zip(expected.images, found.images, strict=True):
        assert (one.image_id, one.name, one.height) == (other.image_id, other.name, other.height)
        assert other.stored is not None
        assert other.stored.read() == one.path.read_bytes()


def test_other_formats_can_be_packed(tmp_path: Path) -> None:
    objects = {"a": [("cat", (5, 6, 12, 15), 0)], "b": [("dog", (1, 1, 20, 10), 1)]}
    voc = read_annotations(write_voc(tmp_path / "voc", {"a": (20, 40), "b": (40, 20)}, objects))
    write_small(voc, tmp_path / "packed")
    found = read_annotations(tmp_path / "packed" / "pictures.mindrecord")
    assert (found.classes, found.boxes) == (voc.classes, voc.boxes)


def test_mindspore_reads_the_rows(packed: Path, plain: Path) -> None:
    reader = FileReader(str(packed / "pictures.mindrecord0"))
    rows = {json.loads(row["annotation"])["image"]["file_name"]: row for row in reader.get_next()}
    reader.close()
    assert len(rows) == len(SIZES)
    for name, row in rows.items():
        assert bytes(row["picture"]) == (plain.parent / name).read_bytes()


def test_files_and_folders_are_recognised(packed: Path, plain: Path) -> None:
    assert detect_format(packed) == "mindrecord"
    assert detect_format(packed / "pictures.mindrecord1") == "mindrecord"
    assert detect_format(plain) == "coco"
    one = DetectionDataset.from_files(packed / "pictures.mindrecord1")
    assert len(one) == len(SIZES)


def cut(path: Path) -> None:
    """Take away the pages, so that only a part of the header's space is left."""
    path.write_bytes(path.read_bytes()[:HEADER])


def change_index(statement: str) -> Callable[[Path], None]:
    """Change rows of an index."""

    def change(path: Path) -> None:
        with closing(sqlite3.connect(path)) as connection, connection:
            connection.execute(statement)

    return change


@pytest.mark.parametrize(
    ("name", "damage", "sentence"),
    [
        ("pictures.mindrecord1", Path.unlink, "not complete: .*mindrecord1 is missing"),
        ("pictures.mindrecord2.db", Path.unlink, "not complete: .*mindrecord2.db is missing"),
        ("pictures.mindrecord1", cut, "mindrecord1 is cut off: its index names bytes beyond"),
        ("pictures.mindrecord0", lambda p: p.write_bytes(b""), "mindrecord0 is broken or no Mind"),
        ("pictures.mindrecord0", lambda p: p.write_bytes(b"\xff" * 99), "0 is broken or no Mind"),
        ("pictures.mindrecord1.db", lambda p: p.write_bytes(b"x" * 4096), r"1\.db is broken: "),
        ("pictures.mindrecord1.db", change_index("DELETE FROM INDEXES"), "broken or of different"),
        (
            "pictures.mindrecord1.db",
            change_index("UPDATE INDEXES SET annotation_0 = '[]'"),
            r"1\.db is broken",
        ),
        (
            "pictures.mindrecord1.db",
            change_index("UPDATE INDEXES SET annotation_0 = annotation_0 || ' '"),
            "broken or of different sets",
        ),
        (
            "pictures.mindrecord1.db",
            change_index("UPDATE INDEXES SET PAGE_OFFSET_BLOB_END = PAGE_OFFSET_BLOB_END + 1"),
            r"1\.db is broken",
        ),
    ],
)
def test_damage_is_one_sentence(
    packed: Path, name: str, damage: Callable[[Path], object], sentence: str
) -> None:
    damage(packed / name)
    with pytest.raises(FocusDetrError, match=sentence) as caught:
        read_annotations(packed)
    assert "\n" not in str(caught.value)


def test_files_of_two_sets_are_not_mixed(packed: Path, plain: Path, tmp_path: Path) -> None:
    other = read_annotations(plain)
    write_small(other.only({1, 2, 3}), tmp_path / "other", SHARDS)
    for ending in ("", ".db"):
        name = f"pictures.mindrecord1{ending}"
        shutil.copy(tmp_path / "other" / name, packed / name)
    with pytest.raises(FocusDetrError, match="mindrecord1 belongs to another packed set than"):
        read_annotations(packed)
    shutil.copy(tmp_path / "other" / "pictures.mindrecord0", packed / "new.mindrecord")
    with pytest.raises(FocusDetrError, match="holds several packed sets; name a file of one"):
        read_annotations(packed)


def test_other_mindrecord_files_are_refused(tmp_path: Path) -> None:
    path = tmp_path / "a.mindrecord"
    writer = FileWriter(str(path), 1)
    writer.add_schema({"x": {"type": "int32"}}, "numbers")
    writer.write_raw_data([{"x": 1}])
    writer.commit()
    with pytest.raises(FocusDetrError, match="but not one that scripts/pack_mindrecord"):
        read_annotations(path)


def test_a_shard_that_shrinks_later_counts_as_broken_pictures(packed: Path) -> None:
    dataset = DetectionDataset.from_files(packed)
    for path in packed.glob("*.mindrecord?"):
        with path.open("rb+") as file:
            file.truncate(HEADER)
    stored = dataset.records[0].stored
    assert stored is not None
    with pytest.raises(FocusDetrError, match=r"mindrecord\d is cut off"):
        stored.read()
