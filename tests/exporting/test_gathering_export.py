"""Exported files of a network that gathers in training hold nothing of that."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

from model_cases import scatter_weights, small_config
from small_checkpoint import CLASSES, TEST_SIZE

from focus_detr.config.schema import BackboneConfig, Config, ForegroundSelectorConfig
from focus_detr.deploy.sidecar import Graph
from focus_detr.exporting.cells import ExportedDetector
from focus_detr.exporting.mindir_graph import Operation, read_graph
from focus_detr.exporting.sampling import replace_sampling
from focus_detr.exporting.writing import write_graph
from focus_detr.inference.loading import load_detector
from focus_detr.models.factory import build_model
from focus_detr.ops.products_choice import plain_products
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


def _written(folder: Path, gathering: str) -> tuple[bytes, Sequence[Operation]]:
    """The ONNX file of a network so trained, and what the MINDIR file computes."""
    model = replace(NETWORK, decoder=replace(NETWORK.decoder, gathering=gathering))
    network = build_model(model, len(CLASSES), gathers="all")
    scatter_weights(network)
    told = describe(Config(model=model, data=TEST_SIZE), CLASSES)
    assert told["model"]["decoder"]["gathering"] == gathering
    save_checkpoint(folder / f"{gathering}.safetensors", model_tensors(network), told)
    with plain_products():  # as an export builds it
        detector = load_detector(folder / f"{gathering}.safetensors").cell
    replace_sampling(detector, "composition")
    file = folder / f"{gathering}.onnx"
    write_graph(ExportedDetector(detector, None).set_train(False), GRAPH, file)
    mindir = file.with_suffix(".mindir")
    assert b"DecoderLayer" in mindir.read_bytes() and b"Gathering" not in mindir.read_bytes()
    return file.read_bytes(), read_graph(mindir).operations


def _computed(operations: Sequence[Operation]) -> list[tuple[str, tuple[tuple[int, ...], ...]]]:
    """Kind and shapes of each."""
    return [(one.kind, tuple(wire.shape for wire in one.outputs)) for one in operations]


def test_its_files_are_those_of_a_network_without_the_setting(tmp_path: Path) -> None:
    onnx, operations = _written(tmp_path, "released")
    expected, without = _written(tmp_path, "none")
    assert len(without) > 100
    assert _computed(operations) == _computed(without)
    assert onnx == expected
