"""What a detector found: its numbers, its drawings, and the same for other packages."""

from __future__ import annotations

import json
import sys
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace

import cv2
import numpy as np
import pytest
from exported_files import SIDECAR

from focus_detr.api.found import Found
from focus_detr.api.pictures import PictureSource
from focus_detr.errors import FocusDetrError
from focus_detr.inference.kept_tokens import KeptTokens
from focus_detr.inference.postprocess import Detections
from focus_detr.inference.prediction import Prediction

PICTURE = np.full((700, 900, 3), 127, np.uint8)
BOXES = np.float32([[10, 20, 300, 400], [500, 100, 650, 300]])


def found_in(given: object, number: int = 2) -> Found:
    detections = Detections(
        BOXES[:number], np.float32([0.9, 0.5])[:number], np.int32([1, 0])[:number]
    )
    names = tuple(SIDECAR.class_names[label] for label in detections.labels)
    tokens = KeptTokens(np.arange(4), np.array([4, 2]), ((2, 2),), (16, 16))
    return Found(Prediction(detections, names, tokens), (700, 900), PictureSource.of(given))


def test_its_length_and_short_form() -> None:
    found = found_in(PICTURE)
    assert len(found) == 2
    assert repr(found) == "<Found 2 detections: dog 0.90, cat 0.50>"
    assert repr(found_in(PICTURE, 0)) == "<Found 0 detections: nothing>"
    assert repr(found.above(0.6)) == "<Found 1 detection: dog 0.90>"


def test_it_goes_into_json() -> None:
    first, _ = json.loads(json.dumps(found_in(PICTURE).to_dicts()))
    assert first == {"label": 1, "name": "dog", "score": 0.9, "box": [10, 20, 300, 400]}


def test_drawing_marks_the_boxes_and_leaves_the_picture() -> None:
    drawn = found_in(PICTURE).draw()
    assert drawn.shape == PICTURE.shape and drawn.dtype == np.uint8
    assert (PICTURE == 127).all()
    assert (drawn[690:, 880:] == 127).all()
    assert (drawn[399, 50:250] != 127).any() and (drawn[250:350, 11] != 127).any()


def test_a_picture_in_a_file_is_read_again(tmp_path: Path) -> None:
    file = tmp_path / "a.png"
    cv2.imwrite(str(file), PICTURE)
    found = found_in(file)
    np.testing.assert_array_equal(found.draw(), found_in(PICTURE).draw())
    cv2.imwrite(str(file), PICTURE[:-1])
    with pytest.raises(FocusDetrError, match=r"a\.png is another picture by now"):
        found.draw()
    file.unlink()
    with pytest.raises(FocusDetrError, match="cannot read image"):
        found.draw()


@pytest.mark.parametrize("folder", ["", "~"])
def test_saving_writes_the_drawing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, folder: str
) -> None:
    monkeypatch.setenv("HOME", str(tmp_path))
    found = found_in(PICTURE)
    found.save(Path(folder or tmp_path) / "new" / "drawn.png")
    saved = cv2.imread(str(tmp_path / "new" / "drawn.png"))
    np.testing.assert_array_equal(saved[..., ::-1], found.draw())
    with pytest.raises(FocusDetrError, match=r"written as \.png or \.jpg"):
        found.save(tmp_path / "drawn.gif")


def test_tokens_are_drawn_if_there_are_any() -> None:
    found = found_in(PICTURE)
    assert found.draw_tokens().shape[2] == 3
    prediction = replace(found.prediction, tokens=None)
    bare = replace(found, prediction=prediction)
    assert bare.tokens is None
    with pytest.raises(FocusDetrError, match="does not tell its tokens"):
        bare.draw_tokens()


def test_notebooks_show_the_drawing() -> None:
    found = found_in(PICTURE)
    shown = cv2.imdecode(np.frombuffer(found._repr_png_(), np.uint8), cv2.IMREAD_COLOR)
    np.testing.assert_array_equal(shown[..., ::-1], found.draw())


@pytest.mark.parametrize("number", [2, 0])
def test_supervision_gets_the_same(monkeypatch: pytest.MonkeyPatch, number: int) -> None:
    stand_in = SimpleNamespace(Detections=lambda **fields: fields)
    monkeypatch.setitem(sys.modules, "supervision", stand_in)
    fields = found_in(PICTURE, number).to_supervision()
    np.testing.assert_array_equal(fields["xyxy"], BOXES[:number])
    assert fields["xyxy"].shape == (number, 4)
    assert fields["class_id"].tolist() == [1, 0][:number] and fields["class_id"].dtype.kind == "i"
    assert fields["confidence"].tolist() == pytest.approx([0.9, 0.5][:number])
    assert fields["data"]["class_name"].tolist() == ["dog", "cat"][:number]


def test_without_supervision_a_sentence_says_so(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "supervision", None)
    with pytest.raises(FocusDetrError, match="needs the package supervision"):
        found_in(PICTURE).to_supervision()
