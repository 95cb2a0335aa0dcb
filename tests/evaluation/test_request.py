"""What can be asked of ``eval.py``, and what is refused before anything is read."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from focus_detr.deploy.engine_options import EngineOptions
from focus_detr.errors import FocusDetrError
from focus_detr.evaluation.request import EvaluationRequest

SAVED = {"results": "found.json", "annotations": "val.json"}
NETWORK = {"config": "a.yaml", "checkpoint": "a.safetensors"}


@pytest.mark.parametrize(
    ("options", "named"),
    [
        ({"checkpoint": "a.safetensors"}, "--checkpoint"),
        (NETWORK, "--config, --checkpoint"),
        ({"batch_size": 0, "results_out": "out.json"}, "--batch-size, --results-out"),
        ({"overrides": ["eval.batch_size=2"]}, "key=value"),
        ({"model": "a.onnx"}, "--model"),
        ({"options": EngineOptions("openvino")}, "--engine, --precision or --graphs"),
    ],
)
def test_saved_detections_and_a_network_exclude_each_other(
    options: dict[str, Any], named: str
) -> None:
    for saved in (SAVED, {"annotations": "val.json"}):  # which would silently stay unused
        with pytest.raises(FocusDetrError, match=f"^{named} cannot be combined with --results"):
            EvaluationRequest(**saved, **options)


@pytest.mark.parametrize("where", ["key=value", "config"])
def test_saved_detections_are_compared_up_to_the_limit_of_the_settings(
    tmp_path: Path, where: str
) -> None:
    boxes = [[5 * i, 0, 4, 4] for i in range(12)]
    common = {"image_id": 1, "category_id": 1}
    truth = {
        "images": [{"id": 1, "file_name": "a.png", "width": 100, "height": 100}],
        "categories": [{"id": 1, "name": "a"}],
        "annotations": [{**common, "bbox": box} for box in boxes],
    }
    (tmp_path / "val.json").write_text(json.dumps(truth))
    (tmp_path / "found.json").write_text(
        json.dumps([{**common, "bbox": box, "score": 0.5} for box in boxes])
    )
    (tmp_path / "a.yaml").write_text("eval: {max_detections: 11}")
    given = {"overrides": ["eval.max_detections=11"], "config": str(tmp_path / "a.yaml")}
    option = "overrides" if where == "key=value" else "config"
    saved = {key: str(tmp_path / name) for key, name in SAVED.items()}
    result = EvaluationRequest(**saved, **{option: given[option]}).measure()
    assert result is not None
    assert result.metrics["AR11"] == pytest.approx(11 / 12)
    assert "AR100" not in result.metrics


@pytest.mark.parametrize("key", [*SAVED, *NETWORK])
def test_half_a_request_is_refused(key: str) -> None:
    with pytest.raises(
        FocusDetrError, match=r"^give --config and either --checkpoint or --model, or "
    ):
        EvaluationRequest(**{key: "file"})


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"model": "a.onnx"}, "^give --config and either --checkpoint or --model, or "),
        ({"options": EngineOptions("openvino")}, "--engine openvino is for exported files"),
        ({"checkpoint": "a.onnx"}, "a.onnx is an exported model, no checkpoint: use --model"),
        ({"checkpoint": None, "model": "a.safetensors"}, "is a checkpoint, no exported model"),
    ],
)
def test_checkpoints_and_exported_files_are_told_apart(
    options: dict[str, Any], message: str
) -> None:
    with pytest.raises(FocusDetrError, match=message):
        EvaluationRequest(**{**NETWORK, **options})


def test_nothing_is_refused_too() -> None:
    with pytest.raises(FocusDetrError, match=r"^give --config"):
        EvaluationRequest(overrides=[])


def test_bad_overrides_are_told_before_the_checkpoint_is_looked_for(tmp_path: Path) -> None:
    config = tmp_path / "a.yaml"
    config.write_text("{}")
    request = EvaluationRequest(config=str(config), checkpoint="none", overrides=["eval.speed=2"])
    with pytest.raises(FocusDetrError, match=r"eval\.speed"):
        request.measure()
