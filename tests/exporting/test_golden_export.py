"""Networks with the golden weights, exported, detect what the reference detects."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest
from golden_data import load
from golden_detections import check_detections
from model_cases import golden_images, golden_model, normalised_batch

from focus_detr.deploy.engine import open_engine
from focus_detr.deploy.sidecar import MINDIR, Graph
from focus_detr.exporting.cells import ExportedDetector
from focus_detr.exporting.sampling import replace_sampling
from focus_detr.exporting.writing import write_graph
from focus_detr.models.detector import Detector
from focus_detr.ops.products_choice import plain_products

pytestmark = pytest.mark.large


@pytest.mark.parametrize("case", ["infer_r50_q100", "infer_swin_tiny_q100"])
def test_the_exported_files_give_the_golden_detections(tmp_path: Path, case: str) -> None:
    golden = load(case)
    meta = golden["meta"]
    images, sizes = normalised_batch(golden_images(meta))
    batch, _, height, width = images.shape
    graph = Graph(height, width, batch, "normalised", "unit", "composition", "mindspore")
    with plain_products():  # as in every export
        detector = Detector(golden_model(case, meta)).set_train(False)
    replace_sampling(detector, graph.msda)
    path = tmp_path / "exported.onnx"
    write_graph(ExportedDetector(detector, None).set_train(False), graph, path)
    for file, engine in ((path.with_suffix(MINDIR), "mindspore"), (path, "onnx")):
        engine_graph = replace(graph, engine=engine)
        outputs = open_engine(file, engine_graph).run(images.asnumpy(), sizes.asnumpy())
        check_detections(golden, outputs)
