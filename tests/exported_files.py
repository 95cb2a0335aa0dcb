"""Sidecars and engines for tests of exported models that need no network."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np

from focus_detr.deploy.runner import ModelFile
from focus_detr.deploy.sidecar import FORMAT_VERSION, Graph, Sidecar, Versions, write_sidecar
from focus_detr.io.files import sha256_of

GRAPH = Graph(64, 96, 1, "pixels", "pixels", "composition", "mindspore")
SIDECAR = Sidecar(
    format_version=FORMAT_VERSION,
    file_sha256="",
    checkpoint_sha256="c",
    class_names=("cat", "dog"),
    pixel_mean=(10.0, 20.0, 30.0),
    pixel_std=(2.0, 4.0, 8.0),
    short_side=64,
    max_side=96,
    score_threshold=0.3,
    overlap_limit=None,
    versions=Versions("0.1.0", "2.10.0"),
    graph=GRAPH,
    max_detections=300,
)


class FakeEngine:
    """Remembers its inputs; finds the left upper quarter of every image.

    If it tells tokens: the first layer kept all, the second as many as the image's place is.
    """

    def __init__(self, graph: Graph) -> None:
        self.graph = graph
        self.calls: list[tuple[np.ndarray, ...]] = []

    def run(self, *inputs: np.ndarray) -> tuple[np.ndarray, ...]:
        self.calls.append(inputs)
        batch = len(inputs[0])
        boxes = np.tile(np.float32([[0, 0, 0.5, 0.5], [0, 0, 1, 1]]), (batch, 1, 1))
        if self.graph.boxes == "pixels":
            boxes = boxes * inputs[2][:, None, [1, 0, 1, 0]].astype(np.float32)
        scores = np.tile(np.float32([0.75, -1]), (batch, 1))
        outputs = (scores, np.tile(np.int32([1, 0]), (batch, 1)), boxes)
        if self.graph.token_grids is None:
            return outputs
        cells = sum(rows * columns for rows, columns in self.graph.token_grids)
        ranked = np.tile(np.arange(cells, dtype=np.int32), (batch, 1))
        return *outputs, ranked, np.int32([[cells, row] for row in range(batch)])


def fake_file(**changes: Any) -> tuple[ModelFile, FakeEngine]:
    """A model file that is not there, with an engine; ``changes`` are of the graph."""
    graph = replace(GRAPH, **changes)
    engine = FakeEngine(graph)
    return ModelFile(Path("fake.mindir"), replace(SIDECAR, graph=graph), engine=engine), engine


def write_model(path: Path, content: bytes = b"a model") -> Path:
    """Any bytes with a sidecar that fits them."""
    path.write_bytes(content)
    write_sidecar(path, replace(SIDECAR, file_sha256=sha256_of(path)))
    return path
