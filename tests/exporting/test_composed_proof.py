"""A MINDIR file of ordinary operations is proven by itself, not by the ONNX file made from it."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from mindspore import nn
from model_cases import SMALLEST_BACKBONE
from small_checkpoint import NETWORK, write_small_checkpoint
from small_exports import ByOperation, replay_here

from focus_detr.comparing.pictures import draw_picture
from focus_detr.config.schema import ForegroundSelectorConfig
from focus_detr.deploy.mindir_file import read_mindir
from focus_detr.deploy.sidecar import Graph, read_sidecar
from focus_detr.errors import FocusDetrError
from focus_detr.exporting import session
from focus_detr.exporting.options import ExportOptions
from focus_detr.exporting.session import Exporter

SIZE = (64, 96)
SMALLEST = replace(
    NETWORK,
    backbone=SMALLEST_BACKBONE,
    levels=3,
    foreground_selector=ForegroundSelectorConfig(
        label_intervals=((-1, 64), (64, 128), (128, 9999))
    ),
)
NEGATED = "decoder.layers.0.cross_attention.output_proj.bias"


def test_the_composition_as_mindir_is_proven(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    references: list[ByOperation] = []
    told: list[str] = []

    def only_one(*arguments: Any) -> ByOperation:
        """The reference of the first export, which has changed the network for itself."""
        references[:] = references or [ByOperation(*arguments)]
        return references[0]

    def with_an_error(cell: nn.Cell, graph: Graph, path: Path) -> None:
        model = read_mindir(options.out)
        (weight,) = (item for item in model.graph.parameter if item.name.endswith(NEGATED))
        values = -np.frombuffer(weight.raw_data, np.float32)
        weight.raw_data = values.tobytes()
        path.write_bytes(model.SerializeToString())

    monkeypatch.setattr(session, "GuidedDetector", only_one)
    replay_here(monkeypatch)
    options = ExportOptions(tmp_path / "a.mindir", (SIZE,), tolerance=1e-5, device="CPU")
    checkpoint = write_small_checkpoint(tmp_path / "best.safetensors", model=SMALLEST)
    exporter = Exporter(checkpoint, options, report=told.append)
    pictures = [draw_picture(*SIZE, seed=1)]
    assert exporter.run(pictures) == [options.out]
    graph = read_sidecar(options.out).graph
    assert (graph.engine, graph.msda) == ("mindspore", "composition")
    assert "all lists chosen alike" in told[0] and "detections with the same label" in told[0]
    monkeypatch.setattr(session, "write_graph", with_an_error)
    with pytest.raises(FocusDetrError, match=r"a\.mindir was not kept: it differs from the check"):
        exporter.run(pictures)
