"""Tiles and COCO files cut from annotated photographs."""

from __future__ import annotations

import json
from pathlib import Path

import cv2
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from focus_detr.data.image_io import read_image
from focus_detr.data.sample import (
    Recipe,
    Split,
    boxes_in_tile,
    build_sample,
    is_complete,
    read_voc_boxes,
    tile_starts,
)
from focus_detr.errors import FocusDetrError

RECIPE = Recipe(splits={"train": Split("wood", 32, 24), "val": Split("grove", 32, 32)})


def _voc(boxes: list[tuple[int, int, int, int]]) -> str:
    items = [
        f"<object><name>Tree</name><bndbox><xmin>{a}</xmin><ymin>{b}</ymin>"
        f"<xmax>{c}</xmax><ymax>{d}</ymax></bndbox></object>"
        for a, b, c, d in boxes
    ]
    return f"<annotation>{''.join(items)}</annotation>"


@pytest.fixture
def source(tmp_path: Path) -> Path:
    """Two photographs with boxes: wood 60 x 40 pixels, grove 32 x 32."""
    folder = tmp_path / "source"
    folder.mkdir()
    random = np.random.default_rng(0)
    for name, width, height in (("wood", 60, 40), ("grove", 32, 32)):
        pixels = random.integers(0, 256, (height, width, 3), np.uint8)
        cv2.imwrite(str(folder / f"{name}.png"), pixels)
        (folder / f"{name}.xml").write_text(_voc([(2, 3, 12, 13), (20, 20, 30, 30)]))
    return folder


def _coco(folder: Path, split: str) -> dict[str, list[dict[str, object]]]:
    return json.loads((folder / "annotations" / f"instances_{split}.json").read_text())


def test_voc_boxes_are_read_as_corners(source: Path) -> None:
    assert read_voc_boxes(source / "wood.xml").tolist() == [[2, 3, 12, 13], [20, 20, 30, 30]]


def test_a_voc_file_without_objects_has_no_boxes(tmp_path: Path) -> None:
    (tmp_path / "empty.xml").write_text(_voc([]))
    assert read_voc_boxes(tmp_path / "empty.xml").shape == (0, 4)


@pytest.mark.parametrize(
    "text",
    ["<annotation>", "<a><object/></a>", _voc([(5, 5, 5, 9)]), ""],
    ids=["cut off", "no corners", "no area", "empty"],
)
def test_a_bad_voc_file_is_named(tmp_path: Path, text: str) -> None:
    (tmp_path / "bad.xml").write_text(text)
    with pytest.raises(FocusDetrError, match=r"bad\.xml"):
        read_voc_boxes(tmp_path / "bad.xml")


@given(st.integers(1, 600), st.integers(1, 200), st.integers(1, 200))
def test_tiles_cover_the_side_and_stay_inside(length: int, tile: int, stride: int) -> None:
    stride = min(stride, tile)
    if length < tile:
        with pytest.raises(FocusDetrError, match="smaller than a tile"):
            tile_starts(length, tile, stride)
        return
    starts = tile_starts(length, tile, stride)
    covered = {pixel for start in starts for pixel in range(start, start + tile)}
    assert covered == set(range(length))
    assert starts == sorted(set(starts))


def test_boxes_are_cut_to_the_tile_and_moved_to_its_corner() -> None:
    boxes = np.array([[10.0, 10, 20, 20], [26, 10, 36, 20], [29, 0, 39, 10], [90, 90, 95, 95]])
    # Tile of 20 pixels at (10, 5): the second box shows 4 of 10 columns, the third one.
    assert boxes_in_tile(boxes, 10, 5, 20, 0.4).tolist() == [[0, 5, 10, 15], [16, 5, 20, 15]]
    assert boxes_in_tile(boxes[:0], 10, 5, 20, 0.4).shape == (0, 4)


def test_a_sample_holds_the_pixels_and_boxes_of_its_photographs(
    source: Path, tmp_path: Path
) -> None:
    target = tmp_path / "sample"
    assert build_sample(source, target, RECIPE)
    coco = _coco(target, "train")
    assert [image["file_name"] for image in coco["images"]] == [
        f"{left:04d}_{top:04d}.png" for top in (0, 8) for left in (0, 24, 28)
    ]
    photo = read_image(source / "wood.png")
    tile = read_image(target / "train" / "0024_0008.png", (32, 32))
    assert np.array_equal(tile, photo[8:40, 24:56])
    boxes = [box["bbox"] for box in coco["annotations"] if box["image_id"] == 5]
    assert boxes == [[0, 12, 6, 10]]
    assert coco["categories"] == [{"id": 1, "name": "tree"}]
    assert len(_coco(target, "val")["annotations"]) == 2
    assert [box["id"] for box in coco["annotations"]] == list(
        range(1, len(coco["annotations"]) + 1)
    )


def test_a_complete_folder_is_kept_and_an_incomplete_one_rebuilt(
    source: Path, tmp_path: Path
) -> None:
    target = tmp_path / "sample"
    build_sample(source, target, RECIPE)
    assert not build_sample(source, target, RECIPE)
    other = Recipe(least_visible=0.9, splits=RECIPE.splits)
    assert not is_complete(target, other)
    (target / "val" / "0000_0000.png").unlink()
    assert build_sample(source, target, RECIPE)
    assert is_complete(target, RECIPE)


def test_a_build_that_fails_leaves_no_stamp(source: Path, tmp_path: Path) -> None:
    target = tmp_path / "sample"
    build_sample(source, target, RECIPE)
    (target / "train" / "0000_0000.png").unlink()
    (source / "grove.png").write_bytes(b"no image")
    with pytest.raises(FocusDetrError, match=r"grove\.png"):
        build_sample(source, target, RECIPE)
    assert not is_complete(target, RECIPE)


def test_the_splits_of_the_real_recipe_share_no_photograph() -> None:
    photos = [split.photo for split in Recipe().splits.values()]
    assert len(set(photos)) == len(photos) == 2
