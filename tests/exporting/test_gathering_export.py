"""An exported file of a network that gathers in training holds nothing of that."""

from __future__ import annotations

from collections import Counter
from dataclasses import replace
from pathlib import Path

from model_cases import scatter_weights, small_config
from small_checkpoint import CLASSES, TEST_SIZE

from focus_detr.config.schema import BackboneConfig, Config, ForegroundSelectorConfig
from focus_detr.deploy.sidecar import Graph
from focus_detr.exporting.cells import ExportedDetector
from focus_detr.exporting.mindir_graph import read_graph
from focus_detr.exporting.writing import write_graph
from focus_detr.inference.loading import load_detector
from focus_detr.models.factory import build_model
from focus_detr.training.session import describe
from focus_detr.weights.checkpoint import model_tensors, save_checkpoint

GRAPH = Graph(64, 96, 1, "normalised", "unit", "composition", "mindspore")
SMALL = small_config(
    backbone=BackboneConfig("resnet18", width_factor=0.125, depths=(1, 1, 1, 1)),
    foreground_selector=ForegroundSelectorConfig(enabled=False),
)
NETWORK = replace(
    SMALL, encoder=replace(SMALL.encoder, layers=1, cascade=(1.0,), dual_attention=False)
)


def _operations(folder: Path, gathering: str) -> Counter[str]:
    """What the file of a trained network computes with, and how often."""
    model = replace(NETWORK, decoder=replace(NETWORK.decoder, gathering=gathering))
    network = build_model(model, len(CLASSES), gathers="all")
    scatter_weights(network)
    told = describe(Config(model=model, data=TEST_SIZE), CLASSES)
    assert told["model"]["decoder"]["gathering"] == gathering
    save_checkpoint(folder / f"{gathering}.safetensors", model_tensors(network), told)
    detector = load_detector(folder / f"{gathering}.safetensors").cell
    file = folder / f"{gathering}.mindir"
    write_graph(ExportedDetector(detector, None).set_train(False), GRAPH, file)
    return Counter(operation.kind for operation in read_graph(file).operations)


def test_it_computes_what_a_file_without_the_setting_does(tmp_path: Path) -> None:
    without = _operations(tmp_path, "none")
    assert sum(without.values()) > 100
    assert _operations(tmp_path, "released") == without
