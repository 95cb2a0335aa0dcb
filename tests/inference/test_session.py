"""Many pictures: drawings, JSON, and what happens to broken ones."""

from __future__ import annotations

import json
from itertools import count
from pathlib import Path

import numpy as np
import pytest
from exported_files import fake_file

from focus_detr.config.schema import DataConfig
from focus_detr.deploy.runner import ExportedPredictor
from focus_detr.errors import FocusDetrError
from focus_detr.inference import session
from focus_detr.inference.image_writing import write_image
from focus_detr.inference.inputs import collect_images
from focus_detr.inference.predictor import Predictor
from focus_detr.inference.session import OutputOptions, Summary, predict_images
from focus_detr.wording import counted

TOKENS, COUNTS = np.zeros((1, 3), int), np.ones((1, 2), int)


def fake_detector(images: object, image_sizes: object) -> tuple[np.ndarray, ...]:
    """The left upper quarter for sure, all of the picture hardly."""
    boxes = np.float32([[[0, 0, 0.5, 0.5], [0, 0, 1, 1]]])
    return np.float32([[0.75, 0.125]]), np.array([[1, 0]]), boxes, TOKENS, COUNTS


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    for name in ("a.png", "deep/b.jpg"):
        write_image(tmp_path / "in" / name, np.full((60, 80, 3), 99, np.uint8))
    return tmp_path


def run(folder: Path, source: Path, tokens: bool = False) -> Summary:
    predictor = Predictor(fake_detector, ("cat", "dog"), data=DataConfig(test_short_side=64))
    out = folder / "out"
    options = OutputOptions(out, out / "detections.json", threshold=0.3, tokens=tokens)
    return predict_images(predictor, collect_images([source], out), options)


def test_every_picture_is_drawn_and_listed(folder: Path) -> None:
    assert run(folder, folder / "in", tokens=True) == Summary(images=2, detections=2, failed=0)
    files = {str(p.relative_to(folder / "out")) for p in (folder / "out").rglob("*.*")}
    drawn = {"a.png", "a_tokens.png", "deep/b.jpg", "deep/b_tokens.png"}
    assert files == drawn | {"detections.json"}
    first, second = json.loads((folder / "out" / "detections.json").read_text())
    assert (first["width"], first["height"]) == (80, 60)
    assert second["image"].endswith("b.jpg")
    expected = {"label": 1, "name": "dog", "score": 0.75, "box": [0.0, 0.0, 40.0, 30.0]}
    assert first["detections"] == second["detections"] == [expected]


def test_broken_picture_of_a_folder_is_skipped(
    folder: Path, caplog: pytest.LogCaptureFixture
) -> None:
    (folder / "in" / "broken.png").write_bytes(b"no picture")
    write_image(folder / "in" / "tiny.png", np.zeros((8, 8, 3), np.uint8))
    assert run(folder, folder / "in") == Summary(images=2, detections=2, failed=2)
    assert "broken.png" in caplog.text
    assert "tiny.png" in caplog.text
    assert "skipped 2 of 4 pictures" in caplog.text


def test_what_was_drawn_before_an_interrupt_is_listed(folder: Path) -> None:
    pictures = iter([fake_detector])

    def second_interrupts(images: object, image_sizes: object) -> tuple[np.ndarray, ...]:
        detect = next(pictures, None)
        if detect is None:
            raise KeyboardInterrupt
        return detect(images, image_sizes)

    predictor = Predictor(second_interrupts, ("cat", "dog"), data=DataConfig(test_short_side=64))
    options = OutputOptions(folder / "out", folder / "out" / "detections.json")
    for told in ("detections.json lists 1 picture$", "^$"):  # then nothing was drawn
        with pytest.raises(KeyboardInterrupt, match=told):
            predict_images(predictor, collect_images([folder / "in"], options.folder), options)
        assert [Path(r["image"]).name for r in json.loads(options.json_file.read_text())] == [
            "a.png"
        ]


def _fail_at_call(
    monkeypatch: pytest.MonkeyPatch, function: str, call: int, error: BaseException
) -> None:
    """Let a function of the session do its work, and in one call raise after it."""
    whole, calls = getattr(session, function), count(1)

    def _failing(*arguments: object, **options: object) -> None:
        whole(*arguments, **options)
        if next(calls) == call:
            raise error

    monkeypatch.setattr(session, function, _failing)


def _listed(folder: Path) -> list[str]:
    records = json.loads((folder / "out" / "detections.json").read_text())
    return [Path(record["image"]).name for record in records]


@pytest.mark.parametrize(
    ("function", "call", "error", "names"),
    [
        ("_draw", 2, KeyboardInterrupt(), ["a.png"]),
        ("_draw", 2, FocusDetrError("no space left"), ["a.png"]),
        ("write_json", 1, KeyboardInterrupt(), ["a.png", "b.jpg"]),
    ],
)
def test_what_was_drawn_is_listed_wherever_it_ends(
    folder: Path,
    monkeypatch: pytest.MonkeyPatch,
    function: str,
    call: int,
    error: BaseException,
    names: list[str],
) -> None:
    _fail_at_call(monkeypatch, function, call, error)
    listed = rf"detections.json lists {counted(len(names), 'picture')}$"
    with pytest.raises(type(error), match=f"{error}.*{listed}"):
        run(folder, folder / "in")
    assert _listed(folder) == names


def test_a_picture_without_a_whole_drawing_is_not_listed(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    _fail_at_call(monkeypatch, "_draw", 1, FocusDetrError("exported without --tokens"))
    with pytest.raises(FocusDetrError, match=r"^exported without --tokens$"):
        run(folder, folder / "in")
    assert not (folder / "out" / "detections.json").exists()


@pytest.mark.parametrize("unwritable", [False, True])
def test_a_defect_stays_as_it_is_and_loses_no_record(
    folder: Path, monkeypatch: pytest.MonkeyPatch, unwritable: bool
) -> None:
    if unwritable:
        (folder / "out" / "detections.json").mkdir(parents=True)
    defect = ValueError("no such layer")
    _fail_at_call(monkeypatch, "_draw", 2, defect)
    with pytest.raises(ValueError, match=r"^no such layer$") as caught:
        run(folder, folder / "in")
    assert caught.value is defect
    assert caught.traceback[-1].name == "_failing"
    assert unwritable or _listed(folder) == ["a.png"]


def test_the_first_error_is_told_first_and_each_once(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (folder / "out" / "detections.json").mkdir(parents=True)
    with pytest.raises(FocusDetrError, match=r"^cannot write .*detections\.json: [^;]*$"):
        run(folder, folder / "in")
    _fail_at_call(monkeypatch, "_draw", 2, FocusDetrError("the first"))
    with pytest.raises(FocusDetrError, match=r"^the first; cannot write .*detections\.json: "):
        run(folder, folder / "in")


def test_broken_picture_given_by_name_is_an_error(folder: Path) -> None:
    (folder / "in" / "broken.png").write_bytes(b"no picture")
    with pytest.raises(FocusDetrError, match=r"broken\.png"):
        run(folder, folder / "in" / "broken.png")


@pytest.mark.parametrize("batch", [1, 2, 4])
def test_batches_find_the_same_and_skip_the_same(
    folder: Path, caplog: pytest.LogCaptureFixture, batch: int
) -> None:
    (folder / "in" / "broken.png").write_bytes(b"no picture")
    write_image(folder / "in" / "c.png", np.zeros((50, 40, 3), np.uint8))
    write_image(folder / "in" / "tiny.png", np.zeros((8, 8, 3), np.uint8))
    file, _ = fake_file(batch=batch)
    options = OutputOptions(folder / "out", folder / "out" / "detections.json")
    inputs = collect_images([folder / "in"], folder / "out")
    summary = predict_images(ExportedPredictor([file]), inputs, options)
    assert summary == Summary(images=3, detections=3, failed=2)
    assert "tiny.png: the picture is 8x8 pixels" in caplog.text
    records = json.loads(options.json_file.read_text())
    boxes = {Path(entry["image"]).name: entry["detections"][0]["box"] for entry in records}
    quarter = [0.0, 0.0, 40.0, 30.0]
    assert boxes == {"a.png": quarter, "b.jpg": quarter, "c.png": [0.0, 0.0, 20.0, 25.0]}
