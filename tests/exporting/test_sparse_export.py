"""Small networks with Sparse DETR's encoder, exported, are proven equal to their checkpoints."""

from __future__ import annotations

from pathlib import Path

import pytest
from model_cases import scatter_weights
from small_checkpoint import CLASSES, TEST_SIZE
from sparse_cases import sparse_config, with_source

from focus_detr.comparing.pictures import draw_picture
from focus_detr.config.schema import Config, DenoisingConfig, QuerySource
from focus_detr.exporting.options import ExportOptions
from focus_detr.exporting.session import Exporter
from focus_detr.models.factory import build_model
from focus_detr.training.session import describe
from focus_detr.weights.checkpoint import model_tensors, save_checkpoint

pytestmark = pytest.mark.large(together=3)  # small networks


@pytest.mark.parametrize(
    ("source", "dual_attention", "suffix"),
    [
        ("efficient", False, ".mindir"),
        ("efficient", False, ".onnx"),
        ("efficient", True, ".onnx"),
        ("mixed", False, ".mindir"),
        ("mixed", True, ".onnx"),
        ("learned_anchors", False, ".mindir"),
        ("learned_anchors", True, ".onnx"),
        ("learned_points", True, ".mindir"),
        ("learned_points", True, ".onnx"),
    ],
)
def test_a_file_detects_what_its_checkpoint_does(
    tmp_path: Path, source: QuerySource, dual_attention: bool, suffix: str
) -> None:
    model = with_source(sparse_config(dual_attention=dual_attention), source)
    config = Config(model=model, data=TEST_SIZE, denoising=DenoisingConfig(number=0))
    network = build_model(model, len(CLASSES))
    scatter_weights(network)
    checkpoint, said = tmp_path / "best.safetensors", []
    save_checkpoint(checkpoint, model_tensors(network), describe(config, CLASSES))
    options = ExportOptions(tmp_path / f"exported{suffix}", ((64, 96),))
    files = Exporter(checkpoint, options, report=said.append).run([draw_picture(64, 90, seed=0)])
    assert files == [tmp_path / f"exported{suffix}"] and files[0].is_file()
    assert "largest difference of numbers" in said[0]
