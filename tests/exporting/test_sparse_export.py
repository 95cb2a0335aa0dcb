"""Small networks with Sparse DETR's encoder, exported, are proven equal to their checkpoints."""

from __future__ import annotations

from pathlib import Path

import pytest
from model_cases import SMALLEST_BACKBONE
from small_exports import assert_exported_and_proven
from sparse_cases import sparse_config, with_source

from focus_detr.config.schema import Config, DenoisingConfig, QuerySource

pytestmark = pytest.mark.large(together=4)  # small networks


# an ONNX file is written from a MINDIR file, so that both hold every source's operations
@pytest.mark.parametrize(
    ("source", "dual_attention", "suffix"),
    [
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
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    source: QuerySource,
    dual_attention: bool,
    suffix: str,
) -> None:
    network = sparse_config(dual_attention=dual_attention, backbone=SMALLEST_BACKBONE)
    config = Config(model=with_source(network, source), denoising=DenoisingConfig(number=0))
    assert_exported_and_proven(config, tmp_path / f"exported{suffix}", monkeypatch)
