"""MindSpore Lite is called as its interface asks; ``lite_stand_in`` is as strict as it is."""

from __future__ import annotations

import sys
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from exported_files import GRAPH, SIDECAR
from lite_stand_in import Arrays, StandIn

from focus_detr.deploy.engine import open_engine
from focus_detr.deploy.runner import ExportedPredictor, ModelFile
from focus_detr.errors import FocusDetrError

LITE = replace(GRAPH, engine="lite", boxes="unit")
IN_PIXELS = replace(LITE, boxes="pixels")
IMAGES = np.zeros((1, 64, 96, 3), np.uint8)
SIZES = np.int32([[64, 80]])
CELL = "6529_focus_detr_export_cells_ExportedDetector_construct_445:"


def detect(inputs: Arrays) -> list[np.ndarray]:
    """One object in the upper left quarter; the first value of the picture tells its class."""
    images = next(array for array in inputs.values() if array.ndim == 4)
    scores, labels = np.float32([[0.75, -1]]), np.int32([[images.flat[0] // 10, 0]])
    return [scores, labels, np.float32([[[0, 0, 0.5, 0.5], [0, 0, 1, 1]]])]


@pytest.fixture
def lite(monkeypatch: pytest.MonkeyPatch) -> StandIn:
    stand_in = StandIn({"images": IMAGES, "image_sizes": SIZES}, detect)
    monkeypatch.setitem(sys.modules, "mindspore_lite", stand_in.module())
    return stand_in


@pytest.fixture
def path(tmp_path: Path) -> Path:
    file = tmp_path / "a.mindir"
    file.touch()
    return file


def test_a_picture_goes_through(lite: StandIn, path: Path) -> None:
    predictor = ExportedPredictor([ModelFile(path, replace(SIDECAR, graph=LITE))])
    pixels = np.full((32, 40, 3), (10, 28, 38), np.uint8)
    prediction = predictor.predict(pixels)
    predictor.predict(pixels)
    assert lite.built == [str(path)] and lite.targets == [["ascend"]] and len(lite.fed) == 2
    assert lite.fed[0]["images"].dtype == np.uint8
    assert lite.fed[0]["image_sizes"].tolist() == [[64, 80]]
    assert prediction.names == ("dog",)
    np.testing.assert_allclose(prediction.detections.boxes, [[0, 0, 20, 16]])


def test_results_stay_when_the_next_picture_is_run(lite: StandIn, path: Path) -> None:
    engine = open_engine(path, LITE)
    first = engine.run(IMAGES + np.uint8(10), SIZES)
    second = engine.run(IMAGES, SIZES)
    assert [labels.tolist() for _, labels, _ in (first, second)] == [[[1, 0]], [[0, 0]]]


def test_inputs_are_matched_by_name(lite: StandIn, path: Path) -> None:
    """The two sizes have one shape, so a shape says nothing about them."""
    arrays = zip(IN_PIXELS.inputs, (IMAGES, SIZES, SIZES), strict=True)
    lite.takes = {f"{CELL}{name}": array for name, array in reversed(list(arrays))}
    open_engine(path, IN_PIXELS).run(IMAGES, SIZES, np.int32([[480, 640]]))
    (fed,) = lite.fed
    assert fed[f"{CELL}image_sizes"].tolist() == [[64, 80]]
    assert fed[f"{CELL}picture_sizes"].tolist() == [[480, 640]]


@pytest.mark.parametrize(
    ("takes", "told"),
    [
        ({"images": IMAGES, "sizes": SIZES}, r"images .*, sizes \[1, 2\] int32, its"),
        ({"images": IMAGES.astype(np.float32), "image_sizes": SIZES}, r"96, 3\] float32, image_"),
        ({"images": IMAGES[:, :32], "image_sizes": SIZES}, r"images \[1, 32, 96, 3\] uint8"),
        ({"images": IMAGES}, r"images \[1, 64, 96, 3\] uint8, its sidecar says images"),
    ],
)
def test_a_file_that_takes_other_tensors_is_refused_when_it_is_loaded(
    lite: StandIn, path: Path, takes: Arrays, told: str
) -> None:
    lite.takes = takes
    with pytest.raises(FocusDetrError, match=rf"a\.mindir takes .*{told}"):
        open_engine(path, LITE, "ascend")


@pytest.mark.parametrize(
    "images", [IMAGES.transpose(0, 2, 1, 3), IMAGES.astype(np.int8), np.concatenate([IMAGES] * 2)]
)
def test_arrays_of_another_shape_or_type_are_refused(
    lite: StandIn, path: Path, images: np.ndarray
) -> None:
    """The first has as many bytes, with which the library itself would be content."""
    engine = open_engine(path, LITE)
    with pytest.raises(FocusDetrError, match=r"a\.mindir takes images \[1, 64.*, it was given im"):
        engine.run(images, SIZES)
    assert not lite.fed


def test_a_run_that_fails_is_one_sentence(lite: StandIn, path: Path) -> None:
    engine = open_engine(path, LITE)
    lite.fails_to_predict = True
    with pytest.raises(FocusDetrError, match=r"does not run .*a\.mindir: predict failed!$"):
        engine.run(IMAGES, SIZES)
    lite.fails_to_predict, lite.computes = False, lambda inputs: detect(inputs)[:2]
    with pytest.raises(FocusDetrError, match="gives 2 tensors, its sidecar says 3"):
        engine.run(IMAGES, SIZES)


def test_a_tensor_that_refuses_its_data_is_one_sentence(lite: StandIn, path: Path) -> None:
    engine = open_engine(path, LITE)
    lite.inputs[0].array = IMAGES.astype(np.float32)
    with pytest.raises(FocusDetrError, match=r"does not run .*: data type not equal! Numpy type: "):
        engine.run(IMAGES, SIZES)


def test_a_failed_build_tells_the_cause_from_standard_error(
    lite: StandIn, path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    lite.fails_to_build = True
    with pytest.raises(FocusDetrError) as refusal:
        open_engine(path, LITE)
    assert str(refusal.value) == (
        f"MindSpore Lite cannot load {path}: Catch exception: mind ir version 3 is too new"
    )
    assert capfd.readouterr().err == ""
    path.unlink()
    with pytest.raises(FocusDetrError, match=r"cannot load .*: build_from_file failed, model_path"):
        open_engine(path, LITE)


def test_what_cannot_be_run_is_one_sentence(lite: StandIn, monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(FocusDetrError, match="was converted for Ascend, it does not run on CPU"):
        open_engine(Path("a.mindir"), LITE, "CPU")
    monkeypatch.setitem(sys.modules, "mindspore_lite", None)
    with pytest.raises(FocusDetrError, match=r"a\.mindir needs MindSpore Lite for Ascend"):
        open_engine(Path("a.mindir"), LITE)
