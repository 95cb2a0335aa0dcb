"""``eval.py`` and ``predict.py`` on a small network and two pictures."""

from __future__ import annotations

import json
import shutil
from contextlib import redirect_stdout
from dataclasses import dataclass, replace
from io import StringIO
from pathlib import Path
from types import ModuleType
from typing import Any

import cv2
import numpy as np
import pytest
from annotation_files import write_voc, write_yolo
from coco_files import annotation, write_coco
from script_module import load_script
from small_checkpoint import CLASSES, NETWORK, TEST_SIZE, write_small_checkpoint

from focus_detr.config.loading import dump_yaml
from focus_detr.config.schema import Config, TrainConfig
from focus_detr.inference.prediction import Prediction
from focus_detr.inference.predictor import Predictor

ROOT = Path(__file__).resolve().parents[1]
SIZES = [(64, 96), (128, 160)]


def _command(name: str) -> ModuleType:
    return load_script(ROOT / f"{name}.py")


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A checkpoint, settings that fit it, and a validation set."""
    folder = tmp_path_factory.mktemp("commands")
    write_small_checkpoint(folder / "best.safetensors")
    (folder / "photos").mkdir()
    boxes = [annotation(1, 1, [10, 10, 30, 20]), annotation(2, 2, [5, 5, 90, 60], category_id=7)]
    path = write_coco(folder / "photos", SIZES, boxes)
    images = str(folder / "photos")
    data = replace(TEST_SIZE, val_annotations=str(path), val_images=images, workers=0)
    train = TrainConfig(compile_cache=str(folder / "graphs"))
    (folder / "settings.yaml").write_text(dump_yaml(Config(model=NETWORK, data=data, train=train)))
    return folder


def _graphs(folder: Path) -> dict[Path, int]:
    """The kept graphs and when they were written."""
    return {path: path.stat().st_mtime_ns for path in folder.glob("graphs/*/*")}


def _eval_arguments(folder: Path) -> list[str]:
    checkpoint, settings = folder / "best.safetensors", folder / "settings.yaml"
    return ["--config", str(settings), "--checkpoint", str(checkpoint), "--device", "CPU"]


@dataclass(frozen=True)
class _Evaluated:
    """What ``eval.py`` tells of the COCO files."""

    results: list[dict[str, Any]]
    report: dict[str, Any]
    printed: str
    graphs: dict[Path, int]


@pytest.fixture(scope="module")
def evaluated(folder: Path) -> _Evaluated:
    """One evaluation for all tests: compiling takes most of its time."""
    results, metrics = folder / "results.json", folder / "metrics.json"
    outputs = ["--results-out", str(results), "--json", str(metrics)]
    with redirect_stdout(StringIO()) as printed:
        assert _command("eval").main([*_eval_arguments(folder), *outputs]) == 0
    return _Evaluated(
        json.loads(results.read_text()),
        json.loads(metrics.read_text()),
        printed.getvalue(),
        _graphs(folder),
    )


def test_evaluation_tells_metrics_and_classes(evaluated: _Evaluated) -> None:
    assert {"AP", "AP50", "AR100"} <= evaluated.report["metrics"].keys()
    assert "dog" in evaluated.printed


def test_both_commands_find_the_same_with_the_same_graphs(
    folder: Path, evaluated: _Evaluated
) -> None:
    drawn = folder / "drawn"
    arguments = ["--checkpoint", str(folder / "best.safetensors"), "--device=CPU", "--tokens"]
    arguments.append(f"--graphs={folder / 'graphs'}")
    pictures = [str(folder / "photos" / f"{number}.png") for number in (1, 2)]
    assert _command("predict").main([*arguments, "--threshold=0", f"--out={drawn}", *pictures]) == 0
    predicted = json.loads((drawn / "detections.json").read_text())
    for number, picture in enumerate(predicted, start=1):
        ours = [found for found in evaluated.results if found["image_id"] == number]
        assert len(ours) > 5
        _assert_same(ours, picture["detections"])
        height, width, _ = cv2.imread(str(drawn / f"{number}.png")).shape  # enlarged
        assert height * SIZES[number - 1][1] == width * SIZES[number - 1][0]
        assert (drawn / f"{number}_tokens.png").stat().st_size > 0
    assert len(evaluated.graphs) == 1  # the pictures get one shape
    assert _graphs(folder) == evaluated.graphs


def _first_picture(checkpoint: Path, graphs: Path | None) -> Prediction:
    image = cv2.imread(str(checkpoint.parent / "photos" / "1.png"))
    kept = None if graphs is None else str(graphs)
    return Predictor.from_checkpoint(checkpoint, graphs=kept).predict(image)


def test_kept_graphs_run_on_the_weights_of_each_checkpoint(
    folder: Path, evaluated: _Evaluated
) -> None:
    first, other = folder / "best.safetensors", folder / "other.safetensors"
    write_small_checkpoint(other, seed=1)
    compiled, kept = _first_picture(other, None), _first_picture(other, folder / "graphs")
    for left, right in (
        (kept.detections.scores, compiled.detections.scores),
        (kept.detections.boxes, compiled.detections.boxes),
        (kept.tokens.ranked, compiled.tokens.ranked),
    ):
        np.testing.assert_array_equal(left, right)
    scores = _first_picture(first, folder / "graphs").detections.scores
    assert not np.array_equal(scores, kept.detections.scores)
    assert _graphs(folder) == evaluated.graphs


@pytest.mark.parametrize("kind", ["voc", "yolo"])
def test_other_formats_give_the_numbers_of_coco(
    folder: Path, evaluated: _Evaluated, tmp_path: Path, kind: str
) -> None:
    """The checkpoint's classes are found by name, so its category ids 3 and 7 appear here too."""
    sizes = {str(number): size for number, size in enumerate(SIZES, start=1)}
    if kind == "voc":
        objects = {
            "1": [("cat", (11, 11, 40, 30), 0)],
            "2": [("dog", (6, 6, 95, 65), 0)],
        }
        source = write_voc(tmp_path / "set", sizes, objects)
        pictures = source / "JPEGImages"
    else:
        labels = {
            "1": f"0 {25 / 96} {20 / 64} {30 / 96} {20 / 64}",
            "2": f"1 {50 / 160} {35 / 128} {90 / 160} {60 / 128}",
        }
        source = write_yolo(tmp_path / "set", sizes, labels)
        pictures = source.parent / "images" / "train"
    for number in sizes:  # the same pixels
        shutil.copy(folder / "photos" / f"{number}.png", pictures)
    report = tmp_path / f"{kind}.json"
    there = [f"data.val_annotations={source}", "data.val_images=null"]
    assert _command("eval").main([*_eval_arguments(folder), f"--json={report}", *there]) == 0
    found = json.loads(report.read_text())
    assert found["metrics"] == evaluated.report["metrics"]
    assert found["per_class"] == evaluated.report["per_class"]


def _assert_same(evaluated: list[dict[str, Any]], predicted: list[dict[str, Any]]) -> None:
    """COCO results (category id; x, y, width, height) and predictions (name; two corners)."""
    names = dict(zip(CLASSES.category_ids, CLASSES.names, strict=True))
    assert [names[found["category_id"]] for found in evaluated] == [
        found["name"] for found in predicted
    ]
    for key, tolerance in (("score", 1e-4), ("box", 1e-2)):
        left = [_corners(found["bbox"]) if key == "box" else found[key] for found in evaluated]
        np.testing.assert_allclose(left, [found[key] for found in predicted], atol=tolerance)


def _corners(box: list[float]) -> list[float]:
    x, y, width, height = box
    return [x, y, x + width, y + height]


def test_another_class_count_is_one_sentence(
    folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert _command("eval").main([*_eval_arguments(folder), "model.num_classes=5"]) == 2
    error = capsys.readouterr().err
    assert "best.safetensors has 2 classes, the model 5" in error
    assert error.count("\n") == 1
