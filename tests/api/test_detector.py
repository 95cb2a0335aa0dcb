"""``focus_detr.load`` and its detectors, on a model that always finds the same dog."""

from __future__ import annotations

import threading
from pathlib import Path

import cv2
import numpy as np
import pytest
from constant_onnx import write_constant_onnx
from exported_files import GRAPH, fake_file
from PIL import Image

import focus_detr
from focus_detr.deploy.runner import ExportedPredictor

PICTURE = np.full((60, 90, 3), 127, np.uint8)


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("api")
    write_constant_onnx(folder / "dog.onnx", tokens=True)
    (folder / "plain").mkdir()
    write_constant_onnx(folder / "plain" / "dog.onnx")
    cv2.imwrite(str(folder / "photo.png"), PICTURE)
    return folder


@pytest.fixture(scope="module")
def detector(folder: Path) -> focus_detr.Detector:
    return focus_detr.load(folder / "dog.onnx")


def test_a_detector_knows_its_classes(detector: focus_detr.Detector, folder: Path) -> None:
    assert detector.class_names == ("cat", "dog")
    assert detector.threshold == 0.3
    assert repr(detector) == f"<Detector {folder / 'dog.onnx'}: 2 classes>"


def test_one_picture_gives_one_result(detector: focus_detr.Detector, folder: Path) -> None:
    for picture in (str(folder / "photo.png"), PICTURE, Image.fromarray(PICTURE)):
        found = detector(picture)
        np.testing.assert_allclose(found.boxes, [[22.5, 15, 67.5, 45]])
        np.testing.assert_allclose(found.scores, [0.75])
        assert found.labels.tolist() == [1] and found.names == ("dog",)
        assert found.tokens is not None and found.tokens.counts.tolist() == [120, 24]


def test_several_pictures_give_a_list_in_their_order(detector: focus_detr.Detector) -> None:
    heights = [60, 45, 33]
    pictures = [np.full((height, 90, 3), 127, np.uint8) for height in heights]
    expected = [height * 0.75 for height in heights]
    for several in (pictures, tuple(pictures), iter(pictures)):
        assert [found.boxes[0, 3] for found in detector(several)] == pytest.approx(expected)
    assert [len(found) for found in detector(np.stack([PICTURE, PICTURE]))] == [1, 1]
    assert detector([]) == []


def test_pictures_are_given_to_the_model_as_it_takes_them() -> None:
    file, engine = fake_file(batch=2)
    detector = focus_detr.Detector(ExportedPredictor([file]), 0.3, "fake")
    assert len(detector([PICTURE] * 5)) == 5
    assert [len(call[0]) for call in engine.calls] == [2, 2, 2]
    assert engine.calls[0][0].shape == (2, GRAPH.height, GRAPH.width, 3)


@pytest.mark.parametrize(("threshold", "number"), [(None, 1), (0.75, 1), (0.76, 0), (0, 1)])
def test_the_threshold_chooses(
    detector: focus_detr.Detector, threshold: float | None, number: int
) -> None:
    assert len(detector(PICTURE, threshold=threshold)) == number


@pytest.mark.parametrize("threshold", [-0.1, 1.5, float("nan")])
def test_a_threshold_that_is_no_score_is_refused(
    detector: focus_detr.Detector, threshold: float
) -> None:
    with pytest.raises(focus_detr.FocusDetrError, match="expected a number from 0 to 1"):
        detector(PICTURE, threshold=threshold)


def test_a_bad_picture_among_several_is_named(detector: focus_detr.Detector) -> None:
    with pytest.raises(focus_detr.FocusDetrError, match=r"pictures\[1\]: .* 29x40 pixels"):
        detector([PICTURE, np.zeros((40, 29, 3), np.uint8)])
    with pytest.raises(focus_detr.FocusDetrError, match="a picture is a path"):
        detector(7)  # type: ignore[call-overload]


def test_any_thread_may_ask(detector: focus_detr.Detector) -> None:
    results: list[int] = []
    threads = [
        threading.Thread(target=lambda: results.append(len(detector([PICTURE] * 3))))
        for _ in range(4)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert results == [3] * 4


def test_kept_models_may_lie_in_the_home_folder(
    folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HOME", str(tmp_path / "home"))
    monkeypatch.chdir(tmp_path)
    focus_detr.load(folder / "dog.onnx", graphs=Path("~/kept"))
    focus_detr.load(folder / "dog.onnx", graphs="./~/kept")
    assert sorted(path.relative_to(tmp_path).as_posix() for path in tmp_path.glob("*/*")) == [
        *("home/kept", "~/kept"),
    ]


def test_a_folder_of_exports_is_opened(folder: Path) -> None:
    assert len(focus_detr.load(folder / "plain", device="CPU")(PICTURE)) == 1


@pytest.mark.parametrize(
    ("name", "options", "sentence"),
    [
        ("missing.safetensors", {}, "there is no checkpoint"),
        ("missing.onnx", {}, "there is no model"),
        ("plain", {"tokens": True}, "does not tell which tokens it kept"),
        ("dog.onnx", {"short_side": 9}, "the sizes of an exported model are fixed"),
        ("dog.onnx", {"device": "GPU"}, "runs on CPU, not GPU"),
    ],
)
def test_what_cannot_be_opened_is_one_sentence(
    folder: Path, name: str, options: dict[str, object], sentence: str
) -> None:
    with pytest.raises(focus_detr.FocusDetrError, match=sentence) as caught:
        focus_detr.load(folder / name, **options)  # type: ignore[arg-type]
    assert "\n" not in str(caught.value)
