"""An exported file is evaluated as its checkpoint would be."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from coco_files import annotation, write_coco
from constant_onnx import write_constant_onnx
from exported_files import SIDECAR, FakeEngine, fake_file
from script_module import load_script

from focus_detr.config.loading import dump_yaml
from focus_detr.config.schema import Config, DataConfig, EvalConfig
from focus_detr.data.image_io import read_image
from focus_detr.deploy.runner import ExportedPredictor
from focus_detr.errors import FocusDetrError
from focus_detr.evaluation.exported import open_exported_evaluation

ROOT = Path(__file__).resolve().parents[2]
MIDDLE = [16, 12, 32, 24]  # of a picture of 48 x 64, where the constant model finds a dog
CORNER = [0, 0, 32, 24]  # where the fake engine does


def dataset(folder: Path, sizes: list[tuple[int, int]], *boxes: list[float]) -> Config:
    """Settings of a set with a dog in each picture; its test size is not the export's."""
    dogs = [
        annotation(number, number, box, category_id=7) for number, box in enumerate(boxes, start=1)
    ]
    path = write_coco(folder, sizes, dogs)
    data = DataConfig(val_annotations=str(path), val_images=str(folder), workers=0)
    return Config(data=data, eval=EvalConfig(batch_size=3))


def evaluated(config: Config, file: Any, batch_size: int | None = None) -> dict[str, float]:
    result = open_exported_evaluation(config, ExportedPredictor([file]), batch_size).run(False)
    assert result is not None
    return dict(result.metrics)


def test_the_engine_gets_what_it_gets_when_detecting(tmp_path: Path) -> None:
    config = dataset(tmp_path, [(48, 64), (50, 40)], CORNER, [0, 0, 20, 25])
    file, engine = fake_file()
    assert evaluated(config, file)["AP"] == pytest.approx(1)
    other, reference = fake_file()
    for number in (1, 2):
        ExportedPredictor([other]).predict(read_image(tmp_path / f"{number}.png"))
    assert len(engine.calls) == len(reference.calls) == 2
    for ours, theirs in zip(engine.calls, reference.calls, strict=True):
        for found, expected in zip(ours[:2], theirs[:2], strict=True):
            assert found.dtype == expected.dtype
            np.testing.assert_array_equal(found, expected)
        assert ours[2].tolist() == [[1, 1]]


@pytest.mark.parametrize(
    ("limit", "most", "found"), [(None, None, 2), (0.5, None, 1), (None, 1, 1)]
)
def test_what_stays_is_said_by_the_sidecar(
    tmp_path: Path, limit: float | None, most: int | None, found: int
) -> None:
    config = dataset(tmp_path, [(48, 64)], CORNER)
    file, engine = fake_file()
    file.sidecar = replace(SIDECAR, overlap_limit=limit, max_detections=most)
    once = engine.run

    def twice(*inputs: np.ndarray) -> tuple[np.ndarray, ...]:
        return tuple(np.concatenate([output, output], axis=1) for output in once(*inputs))

    engine.run = twice  # type: ignore[method-assign]
    evaluator = open_exported_evaluation(config, ExportedPredictor([file]))
    assert len(evaluator.detect(progress=False)[0]) == found


def test_normalised_images_are_those_of_the_sidecar(tmp_path: Path) -> None:
    config = dataset(tmp_path, [(48, 64)], CORNER)
    file, engine = fake_file(images="normalised", boxes="unit")
    assert evaluated(config, file)["AP"] == pytest.approx(1)
    other, reference = fake_file(images="normalised", boxes="unit")
    ExportedPredictor([other]).predict(read_image(tmp_path / "1.png"))
    np.testing.assert_allclose(engine.calls[0][0], reference.calls[0][0], atol=1e-6)


@pytest.mark.parametrize(
    ("taken", "asked", "given"), [(2, None, 2), (None, None, 3), (None, 1, 1), (2, 2, 2)]
)
def test_batches_are_as_the_files_allow(
    tmp_path: Path, taken: int | None, asked: int | None, given: int
) -> None:
    config = dataset(tmp_path, [(48, 64)], CORNER)
    file, engine = fake_file(batch=taken)
    assert evaluated(config, file, asked)["AP"] == pytest.approx(1)
    assert [len(images) for images, *_ in engine.calls] == [given]


@pytest.mark.parametrize(
    ("taken", "asked", "message"),
    [(2, 4, "--batch-size 4 does not fit: .* takes 2 at once"), (None, 0, "must be at least 1")],
)
def test_other_batches_are_refused(
    tmp_path: Path, taken: int | None, asked: int, message: str
) -> None:
    file, _ = fake_file(batch=taken)
    with pytest.raises(FocusDetrError, match=message):
        evaluated(dataset(tmp_path, [(48, 64)], CORNER), file, asked)


def test_classes_are_found_by_name(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    config = dataset(tmp_path, [(48, 64)], CORNER)
    file, _ = fake_file()
    file.sidecar = replace(SIDECAR, class_names=("dog", "bird"))
    assert evaluated(config, file)["AP"] == pytest.approx(0)  # label 1 is a bird
    assert "left out 1 of 1 detection" in caplog.text
    file.sidecar = replace(SIDECAR, class_names=("fox", "bird"))
    with pytest.raises(FocusDetrError, match=r"json has no class of .* knows fox, bird"):
        evaluated(config, file)


@pytest.mark.parametrize("first", [[{"id": 0, "name": "dog", "supercategory": "none"}], []])
def test_a_class_that_is_named_twice(tmp_path: Path, first: list[dict[str, Any]]) -> None:
    """Roboflow writes such files; label 1, which the engine finds, is the second dog."""
    config = dataset(tmp_path, [(48, 64)], CORNER)
    path = Path(str(config.data.val_annotations))
    content = json.loads(path.read_text())
    content["categories"] = [*first, {"id": 7, "name": "dog", "supercategory": "dog"}]
    path.write_text(json.dumps(content))
    file, _ = fake_file()
    file.sidecar = replace(SIDECAR, class_names=("dog", "dog"))
    assert evaluated(config, file)["AP"] == pytest.approx(1)


@pytest.mark.parametrize("engine", ["openvino", "onnxruntime"])
def test_the_command_measures_an_onnx_file(tmp_path: Path, engine: str) -> None:
    config = dataset(tmp_path, [(48, 64)], MIDDLE)
    (tmp_path / "a.yaml").write_text(dump_yaml(config))
    model = write_constant_onnx(tmp_path / "a.onnx", tokens=True)
    words = ["--config", tmp_path / "a.yaml", "--model", model, "--engine", engine]
    words += ["--json", tmp_path / "metrics.json", "--results-out", tmp_path / "found.json"]
    assert load_script(ROOT / "eval.py").main([str(word) for word in words]) == 0
    assert json.loads((tmp_path / "metrics.json").read_text())["metrics"]["AP"] == pytest.approx(1)
    (found,) = json.loads((tmp_path / "found.json").read_text())
    assert (found["category_id"], found["bbox"], found["score"]) == (7, MIDDLE, 0.75)


def test_an_engine_that_answers_nothing_has_no_detections(tmp_path: Path) -> None:
    class Nothing(FakeEngine):
        def run(self, *inputs: np.ndarray) -> tuple[np.ndarray, ...]:
            scores, labels, boxes = super().run(*inputs)
            return scores[:, :0], labels[:, :0], boxes[:, :0]

    file, _ = fake_file()
    file.engine = Nothing(file.sidecar.graph)
    assert evaluated(dataset(tmp_path, [(48, 64)], CORNER), file)["AP"] == 0
