"""Small networks of the family, exported, are proven equal to their checkpoints."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest
from family_cases import small_family_config
from model_cases import scatter_weights
from small_checkpoint import CLASSES, TEST_SIZE

from focus_detr.comparing.pictures import draw_picture
from focus_detr.exporting.options import ExportOptions
from focus_detr.exporting.session import Exporter
from focus_detr.models.factory import build_model
from focus_detr.training.session import describe
from focus_detr.weights.checkpoint import model_tensors, save_checkpoint

pytestmark = pytest.mark.large(together=3)  # small networks


def _checkpoint(name: str, path: Path) -> Path:
    config = replace(small_family_config(name), data=TEST_SIZE)
    network = build_model(config.model, len(CLASSES))
    scatter_weights(network)
    save_checkpoint(path, model_tensors(network), describe(config, CLASSES))
    return path


# an ONNX file is written from a MINDIR file, so that both hold every base's operations
@pytest.mark.parametrize(
    ("name", "suffix"),
    [
        ("deformable_detr_r50_50ep", ".onnx"),
        ("deformable_detr_refine_r50_50ep", ".onnx"),
        ("deformable_detr_refine_r50_50ep", ".mindir"),
        ("deformable_detr_two_stage_r50_50ep", ".onnx"),
        ("deformable_detr_two_stage_r50_50ep", ".mindir"),
        ("dn_deformable_detr_r50_50ep", ".onnx"),
        ("dn_deformable_detr_r50_50ep", ".mindir"),
        ("deformable_detr_focus_r50_50ep", ".onnx"),
        ("deformable_detr_two_stage_focus_r50_50ep", ".mindir"),
        ("dn_deformable_detr_focus_r50_50ep", ".onnx"),
        ("dino_r50_12ep", ".mindir"),
    ],
)
def test_a_file_detects_what_its_checkpoint_does(tmp_path: Path, name: str, suffix: str) -> None:
    said: list[str] = []
    checkpoint = _checkpoint(name, tmp_path / "best.safetensors")
    options = ExportOptions(tmp_path / f"exported{suffix}", ((64, 96),))
    files = Exporter(checkpoint, options, report=said.append).run([draw_picture(64, 90, seed=0)])
    assert files == [tmp_path / f"exported{suffix}"] and files[0].is_file()
    assert "largest difference of numbers" in said[0]
