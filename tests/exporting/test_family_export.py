"""Small networks of the family, exported, are proven equal to their checkpoints."""

from __future__ import annotations

from pathlib import Path

import pytest
from family_cases import small_family_config
from small_exports import assert_exported_and_proven

pytestmark = pytest.mark.large(together=5)  # small networks

# lists that get shorter by the layer, and blocks of three convolutions, are in `test_golden_export`
SMALLEST = (
    "model.encoder.layers=1",
    "model.encoder.cascade=[1.0]",
    "model.backbone={name: resnet18, width_factor: 0.125, depths: [1, 1, 1, 1]}",
)


# an ONNX file is written from a MINDIR file, so that both hold every base's operations
@pytest.mark.parametrize(
    ("name", "suffix"),
    [
        ("deformable_detr_r50_50ep", ".onnx"),
        ("deformable_detr_refine_r50_50ep", ".onnx"),
        ("deformable_detr_refine_r50_50ep", ".mindir"),
        ("deformable_detr_two_stage_r50_50ep", ".onnx"),
        ("dn_deformable_detr_r50_50ep", ".onnx"),
        ("dn_deformable_detr_r50_50ep", ".mindir"),
        ("deformable_detr_focus_r50_50ep", ".onnx"),
        ("deformable_detr_two_stage_focus_r50_50ep", ".mindir"),
        ("dn_deformable_detr_focus_r50_50ep", ".onnx"),
        ("dino_r50_12ep", ".mindir"),
    ],
)
def test_a_file_detects_what_its_checkpoint_does(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, name: str, suffix: str
) -> None:
    config = small_family_config(name, *SMALLEST)
    assert_exported_and_proven(config, tmp_path / f"exported{suffix}", monkeypatch)
