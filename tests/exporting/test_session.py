"""An exported file stays only if it detects what its checkpoint detects."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from mindspore import nn
from small_checkpoint import CLASSES, NETWORK, TEST_SIZE, write_small_checkpoint

from focus_detr.comparing.proof import Computed, Selection
from focus_detr.config.schema import Config, PositionConfig
from focus_detr.deploy.replay import Replayed
from focus_detr.deploy.sidecar import Graph, read_sidecar
from focus_detr.errors import FocusDetrError
from focus_detr.exporting import session
from focus_detr.exporting.options import ExportOptions
from focus_detr.exporting.session import Exporter
from focus_detr.inference import loading
from focus_detr.inference.kept_tokens import KeptTokens
from focus_detr.inference.loading import LoadedDetector
from focus_detr.inference.postprocess import Detections
from focus_detr.inference.prediction import Prediction
from focus_detr.io.files import sha256_of
from focus_detr.weights.checkpoint import load_checkpoint, model_tensors

PICTURES = [np.zeros((64, 96, 3), np.uint8)]
FOUND = Detections(
    np.float32([[0, 0, 10, 10], [5, 5, 50, 40], [1, 2, 3, 4]]),
    np.float32([0.9, 0.5, 0.1]),
    np.array([0, 1, 1]),
)


TOKENS = KeptTokens(
    np.arange(125)[::-1], np.array([40]), ((8, 12), (4, 6), (2, 3), (1, 2)), (64, 96)
)


class FakeReference:
    """Finds the same in every picture, and has nothing to choose."""

    names: tuple[str, ...] = ()

    def __init__(self, *arguments: object) -> None:
        pass

    def predict(self, picture: np.ndarray) -> Prediction:
        return Prediction(FOUND, ("cat", "dog", "dog"), TOKENS)

    def fits(self, choices: Sequence[Selection]) -> bool:
        return not choices

    def compute(self, picture: np.ndarray, choices: Sequence[Selection]) -> Computed:
        return Computed((), FOUND.scores, FOUND.labels, FOUND.boxes / max(picture.shape))


def replayed(found: Detections, tokens: KeptTokens | None = None) -> Callable[..., Replayed]:
    """What takes the place of a process with the file."""
    outputs = tuple(array[None] for array in (found.scores, found.labels, found.boxes))
    return lambda *arguments: Replayed([Prediction(found, (), tokens)], outputs)


def write_bytes(cell: nn.Cell, graph: Graph, path: Path) -> None:
    path.write_bytes(repr(graph).encode())


def write_more_bytes(source: Path, graph: Graph, path: Path) -> int:
    path.write_bytes(b"the same, and its selections")
    return 0


@pytest.fixture(scope="module")
def checkpoint(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_small_checkpoint(tmp_path_factory.mktemp("export") / "best.safetensors")


@pytest.fixture
def fakes(monkeypatch: pytest.MonkeyPatch) -> pytest.MonkeyPatch:
    """Nothing is compiled, and the file detects what the checkpoint does."""
    monkeypatch.setenv("FOCUS_DETR_MSDA", "composition")
    monkeypatch.setattr(session, "write_graph", write_bytes)
    monkeypatch.setattr(session, "write_telling", write_more_bytes)
    monkeypatch.setattr(session, "GuidedDetector", FakeReference)
    monkeypatch.setattr(session, "replay", replayed(FOUND))
    return monkeypatch


def test_one_file_for_each_shape_with_all_that_a_runner_needs(
    checkpoint: Path, tmp_path: Path, fakes: pytest.MonkeyPatch
) -> None:
    told: list[str] = []
    options = ExportOptions(tmp_path / "served" / "a.mindir", threshold=0.4)
    files = Exporter(checkpoint, options, report=told.append).run(PICTURES)
    assert [file.name for file in files] == [
        "a_64x96.mindir",
        "a_96x64.mindir",
    ]
    assert sorted(p.name for p in (tmp_path / "served").iterdir()) == sorted(
        [*(file.name for file in files), *(f"{file.name}.json" for file in files)]
    )
    sidecar = read_sidecar(files[0])
    assert (sidecar.graph.height, sidecar.graph.width, sidecar.graph.batch) == (64, 96, 1)
    assert sidecar.class_names == CLASSES.names
    assert sidecar.pixel_mean == NETWORK.backbone.pixel_mean
    assert (sidecar.short_side, sidecar.max_side) == (64, 96)
    assert sidecar.checkpoint_sha256 == sha256_of(checkpoint)
    assert sidecar.score_threshold == 0.4
    assert (sidecar.overlap_limit, sidecar.max_detections) == (None, NETWORK.max_detections)
    assert "2 of 2 detections with the same label" in told[0]


@pytest.mark.parametrize("changed", ["score", "box", "label"])
def test_a_file_that_differs_does_not_stay(
    checkpoint: Path, tmp_path: Path, fakes: pytest.MonkeyPatch, changed: str
) -> None:
    other = {
        "score": replace(FOUND, scores=FOUND.scores + np.float32(2e-4)),
        "box": replace(FOUND, boxes=FOUND.boxes + np.float32(0.01)),
        "label": replace(FOUND, labels=1 - FOUND.labels),
    }[changed]
    fakes.setattr(session, "replay", replayed(other))
    options = ExportOptions(tmp_path / "a.mindir", sizes=((64, 96),), tolerance=1e-4)
    with pytest.raises(FocusDetrError, match=r"a\.mindir was not kept: it differs"):
        Exporter(checkpoint, options, report=str).run(PICTURES)
    assert not list(tmp_path.iterdir())


def test_a_tolerance_that_leaves_nothing_to_compare_is_told(
    checkpoint: Path, tmp_path: Path, fakes: pytest.MonkeyPatch
) -> None:
    options = ExportOptions(tmp_path / "a.mindir", sizes=((64, 96),), tolerance=0.9)
    with pytest.raises(FocusDetrError, match=r"no score is more than 0\.9 above the last one"):
        Exporter(checkpoint, options, report=str).run(PICTURES)
    assert not list(tmp_path.iterdir())


def test_a_file_that_does_not_run_does_not_stay(
    checkpoint: Path, tmp_path: Path, fakes: pytest.MonkeyPatch
) -> None:
    def fail(*arguments: object) -> Replayed:
        raise FocusDetrError("the exported file does not run")

    fakes.setattr(session, "replay", fail)
    options = ExportOptions(tmp_path / "a.mindir", sizes=((64, 96),))
    with pytest.raises(FocusDetrError, match="does not run"):
        Exporter(checkpoint, options, report=str).run(PICTURES)
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize("changed", [False, True])
def test_kept_tokens_are_compared_where_they_are_told(
    checkpoint: Path, tmp_path: Path, fakes: pytest.MonkeyPatch, changed: bool
) -> None:
    told: list[str] = []
    tokens = replace(TOKENS, ranked=np.arange(125)) if changed else TOKENS
    fakes.setattr(session, "replay", replayed(FOUND, tokens))
    options = ExportOptions(tmp_path / "a.onnx", ((64, 96),), None, tokens=True)
    exporter = Exporter(checkpoint, options, report=told.append)
    if changed:
        with pytest.raises(FocusDetrError, match=r"differs .* 0 of 40 kept tokens"):
            exporter.run(PICTURES)
        return
    (file,) = exporter.run(PICTURES)
    assert told[0].endswith("40 of 40 kept tokens")
    graph = read_sidecar(file).graph
    assert (graph.token_grids, graph.batch) == (TOKENS.level_shapes, None)


def test_a_wrong_fold_would_be_compared_with_the_norms_of_the_checkpoint(
    checkpoint: Path, tmp_path: Path, fakes: pytest.MonkeyPatch
) -> None:
    def read(cell: nn.Cell) -> dict[str, np.ndarray]:
        return {name: array for name, array in model_tensors(cell).items() if ".norm." in name}

    used: list[nn.Cell] = []

    class Noting(FakeReference):
        def __init__(self, loaded: LoadedDetector, *others: object) -> None:
            used.append(loaded.cell.model)

    fakes.setattr(session, "GuidedDetector", Noting)
    exporter = Exporter(checkpoint, ExportOptions(tmp_path / "a.mindir", ((64, 96),)), report=str)
    exporter.run(PICTURES)
    stored, found = load_checkpoint(checkpoint).tensors, read(used[0])
    assert len(found) > 10 and all(np.array_equal(stored[name], found[name]) for name in found)
    folded = read(exporter.exported.cell.model)
    assert any(not np.array_equal(stored[name], folded[name]) for name in folded)


def test_other_settings_are_warned_about_once_and_the_weights_read_once(
    checkpoint: Path,
    tmp_path: Path,
    fakes: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
) -> None:
    read: list[Path] = []
    fakes.setattr(
        loading, "load_checkpoint", lambda path: read.append(path) or load_checkpoint(path)
    )
    other = Config(model=replace(NETWORK, position=PositionConfig(20.0, 0.0)), data=TEST_SIZE)
    exporter = Exporter(checkpoint, ExportOptions(tmp_path / "a.mindir"), other)
    assert read == [checkpoint] and exporter.reference is not None
    assert exporter.exported.cell is not exporter.reference.cell
    told = [record.getMessage() for record in caplog.records]
    assert len(told) == len(set(told)) == 2 and all("was trained with" in text for text in told)


def test_settings_must_fit_the_checkpoint(checkpoint: Path, tmp_path: Path) -> None:
    options = ExportOptions(tmp_path / "a.mindir")
    five = Config(model=replace(NETWORK, num_classes=5), data=TEST_SIZE)
    with pytest.raises(FocusDetrError, match=r"best\.safetensors has 2 classes, the model 5"):
        Exporter(checkpoint, options, five)
    with pytest.raises(FocusDetrError, match="there is no checkpoint"):
        Exporter(tmp_path / "none.safetensors", options)


def test_shapes_of_the_settings_must_fit_the_strides(
    checkpoint: Path, tmp_path: Path, fakes: pytest.MonkeyPatch
) -> None:
    odd = Config(model=NETWORK, data=replace(TEST_SIZE, shape_buckets=((70, 96),)))
    with pytest.raises(FocusDetrError, match="size 70x96 does not fit the network's strides"):
        Exporter(checkpoint, ExportOptions(tmp_path / "a.mindir"), odd).run(PICTURES)
