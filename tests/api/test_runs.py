"""``focus_detr.train``, ``evaluate`` and ``export`` ask for what the commands ask for."""

from __future__ import annotations

import json
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

import focus_detr
from focus_detr.api.runs import overrides
from focus_detr.config.loading import load_config
from focus_detr.deploy.engine_options import EngineOptions
from focus_detr.evaluation.request import EvaluationRequest
from focus_detr.exporting.options import ExportOptions
from focus_detr.training.state import TrainingState
from focus_detr.training.stop_signal import TrainingStopped


def test_settings_of_python_are_those_of_the_command_line() -> None:
    settings = {
        "train.batch_size": 3,
        "train.optimizer.lr": 1e-5,
        "train.output_dir": Path("runs") / "mäh: 1 # [x]",
        "train.schedule.milestones": (9.5, 11.0),
        "train.init_checkpoint": None,
        "data.filter_empty": True,
        "model.foreground_selector.label_intervals": [[0, 64], [64, 128], [128, 256], [256, 1e9]],
    }
    config = load_config(None, overrides(settings))
    assert config.train.batch_size == 3
    assert config.train.optimizer.lr == 1e-5
    assert config.train.output_dir == "runs/mäh: 1 # [x]"
    assert config.train.schedule.milestones == (9.5, 11.0)
    assert config.train.init_checkpoint is None
    assert config.data.filter_empty is True
    assert config.model.foreground_selector.label_intervals[3] == (256, 1e9)


def test_a_value_that_no_setting_can_be_is_named() -> None:
    with pytest.raises(focus_detr.FocusDetrError, match=r"train\.seed is .*object.* no setting"):
        overrides({"train.seed": object()})


@pytest.fixture
def session(monkeypatch: pytest.MonkeyPatch) -> list[Any]:
    """What was asked of a training that ends at once; a first entry that raises comes first."""
    asked: list[Any] = []

    def open_session(config: Any, *, resume: bool, progress: bool | None) -> SimpleNamespace:
        asked.append((config, resume, progress))
        log = SimpleNamespace(close=lambda: asked.append("closed"))
        state = TrainingState(0, 5, epoch=2, best=0.25)

        def run() -> TrainingState:
            if config.train.seed == 1:
                raise TrainingStopped("stopped; saved")
            return state

        return SimpleNamespace(run=run, parts=SimpleNamespace(log=log))

    monkeypatch.setattr("focus_detr.training.session.open_session", open_session)
    return asked


def test_training_tells_where_its_weights_are(session: list[Any], tmp_path: Path) -> None:
    settings = {"train.output_dir": tmp_path, "train.batch_size": 3}
    trained = focus_detr.train("smoke", resume=True, device="cpu", progress=False, **settings)
    last = tmp_path / "last.safetensors"
    assert (trained.folder, trained.weights, trained.last) == (tmp_path, last, last)
    assert (trained.ap, trained.steps) == (0.25, 10)
    (config, resume, progress), closed = session
    assert (config.train.batch_size, resume, progress, closed) == (3, True, False, "closed")


def test_the_best_weights_are_told_if_there_are_any(session: list[Any], tmp_path: Path) -> None:
    best = tmp_path / "best.safetensors"
    best.touch()
    assert focus_detr.train("smoke", device="cpu", **{"train.output_dir": tmp_path}).weights == best


def test_a_training_that_is_stopped_interrupts(session: list[Any]) -> None:
    with pytest.raises(KeyboardInterrupt, match="stopped; saved"):
        focus_detr.train("smoke", device="cpu", **{"train.seed": 1})
    assert session[-1] == "closed"


def test_bad_settings_are_one_sentence() -> None:
    with pytest.raises(focus_detr.FocusDetrError, match="did you mean smoke"):
        focus_detr.train("smok")
    with pytest.raises(focus_detr.FocusDetrError, match=r"train\.batch_size is 'x', expected a"):
        focus_detr.train("smoke", **{"train.batch_size": "x"})


def test_saved_detections_are_measured(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HOME", str(tmp_path))
    truth, results = tmp_path / "truth.json", tmp_path / "results.json"
    box = {"image_id": 1, "category_id": 5, "bbox": [1, 2, 30, 40]}
    images, categories = [{"id": 1}], [{"id": 5, "name": "cat"}]
    whole = {"images": images, "categories": categories, "annotations": [{**box, "id": 1}]}
    truth.write_text(json.dumps(whole))
    results.write_text(json.dumps([{**box, "score": 0.5}]))
    measured = focus_detr.evaluate(results="~/results.json", annotations=truth)
    assert measured.metrics["AP"] == pytest.approx(1.0)
    assert measured.per_class["cat"].ap50 == pytest.approx(1.0)
    with pytest.raises(focus_detr.FocusDetrError, match="cannot be combined with --results"):
        focus_detr.evaluate("smoke", checkpoint="x", results=results, annotations=truth)


def test_an_exported_detector_is_measured_as_one(monkeypatch: pytest.MonkeyPatch) -> None:
    asked = []
    monkeypatch.setattr(EvaluationRequest, "measure", lambda self, progress: asked.append(self))
    with pytest.raises(focus_detr.FocusDetrError, match="only the first has the numbers"):
        focus_detr.evaluate("smoke", model="a.onnx", precision="bf16")
    options = EngineOptions(precision="bf16")
    assert asked == [EvaluationRequest("smoke", model="a.onnx", overrides=[], options=options)]


def test_an_export_is_asked_for_as_by_the_command(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked = []

    class Exporter:
        def __init__(self, checkpoint: Path, options: ExportOptions, config: Any) -> None:
            asked.append((checkpoint, options, config))

        def run(self, pictures: list[Any]) -> list[Path]:
            asked.append(pictures)
            return [tmp_path]

    monkeypatch.setattr("focus_detr.exporting.session.Exporter", Exporter)
    out = tmp_path / "a.onnx"
    choices = {"sizes": [(64, 96)], "batch": None, "threshold": 0.5, "device": "cpu"}
    monkeypatch.setenv("HOME", str(tmp_path))
    written = focus_detr.export("~/a.safetensors", out, config="smoke", **choices)  # type: ignore[arg-type]
    assert written == [tmp_path]
    (checkpoint, options, config), pictures = asked
    assert checkpoint == tmp_path / "a.safetensors" and len(pictures) == 3
    expected = ExportOptions(out, sizes=((64, 96),), batch=None, threshold=0.5, device="cpu")
    assert options == expected
    assert config.train.output_dir == "runs/smoke"
    with pytest.raises(focus_detr.FocusDetrError, match=r"must end in \.mindir or \.onnx"):
        focus_detr.export("a.safetensors", "a.pt")
