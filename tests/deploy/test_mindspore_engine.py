"""MINDIR files run with MindSpore, also after the native library has moved."""

from __future__ import annotations

import shutil
from dataclasses import replace
from pathlib import Path

import mindspore as ms
import numpy as np
import pytest
from exported_files import GRAPH
from mindspore import Tensor, nn, ops
from mindspore.train.mind_ir_pb2 import ModelProto

from focus_detr.deploy import mindspore_engine
from focus_detr.deploy.mindspore_engine import MindSporeEngine
from focus_detr.errors import FocusDetrError
from focus_detr.ops.msda import MSDeformableAttention
from focus_detr.ops.msda_custom import FusedSampling
from focus_detr.ops.products_choice import plain_products


class OneAttention(nn.Cell):
    def __init__(self, library: Path) -> None:
        super().__init__()
        sampling = FusedSampling(library, "CPU")
        with plain_products():  # as in every file
            self.attention = MSDeformableAttention(32, 2, 2, 2, sampling=sampling)

    def construct(self, tokens: Tensor, references: Tensor) -> tuple[Tensor, Tensor]:
        value = self.attention.project_value(tokens, ops.ones(tokens.shape[:2], ms.float32))
        return self.attention(tokens, value, ((4, 4), (2, 2)), references, tokens), references


def test_a_moved_library_is_used_from_its_new_place(
    tmp_path: Path, msda_library: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    first = Path(shutil.copy(msda_library, tmp_path / "libmsda_cpu.so"))
    cell, rng = OneAttention(first), np.random.default_rng(0)
    inputs = [rng.random(shape, np.float32) for shape in ((1, 20, 32), (1, 20, 2, 2))]
    expected = cell(*map(Tensor, inputs))[0].asnumpy()
    path = tmp_path / "a.mindir"
    ms.export(cell, *map(Tensor, inputs), file_name=str(path), file_format="MINDIR")

    # one attention does not take what a detector takes
    monkeypatch.setattr(mindspore_engine, "refuse_other_inputs", lambda *arguments: None)
    graph = replace(GRAPH, msda="custom")
    np.testing.assert_array_equal(MindSporeEngine(path, graph, "CPU").run(*inputs)[0], expected)
    first.rename(tmp_path / "elsewhere.so")
    monkeypatch.setenv("FOCUS_DETR_MSDA_LIBRARY", str(tmp_path / "elsewhere.so"))
    np.testing.assert_array_equal(MindSporeEngine(path, graph, "CPU").run(*inputs)[0], expected)
    monkeypatch.setenv("FOCUS_DETR_MSDA_LIBRARY", str(tmp_path / "none.so"))
    with pytest.raises(FocusDetrError, match=r"libmsda_cpu\.so, which is not there"):
        MindSporeEngine(path, graph, "CPU")


def write_empty_model(path: Path) -> Path:
    """A model that takes what ``GRAPH`` says and computes nothing."""
    model = ModelProto()
    for name, (shape, kind) in GRAPH.inputs.items():
        described = model.graph.input.add()
        described.name = name
        tensor = described.tensor.add()
        tensor.dims.extend(shape)
        tensor.data_type = {"uint8": 2, "int32": 6}[kind]
    path.write_bytes(model.SerializeToString())
    return path


def test_what_is_no_model_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "a.mindir"
    path.write_bytes(b"no model")
    with pytest.raises(FocusDetrError, match=r"a\.mindir is no MINDIR file or is cut off"):
        MindSporeEngine(path, GRAPH, "CPU")
    with pytest.raises(FocusDetrError, match=r"MindSpore cannot load .*a\.mindir"):
        MindSporeEngine(write_empty_model(path), GRAPH, "CPU")


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"height": 32}, r"takes images \[1, 64, 96, 3\] uint8, .* says images \[1, 32, 96, 3\]"),
        ({"batch": 4}, r"takes images \[1, .* says images \[4, .*, image_sizes \[4, 2\] int32"),
        ({"images": "normalised"}, r"takes .* says images \[1, 3, 64, 96\] float32"),
        ({"boxes": "unit"}, r"takes .*picture_sizes \[1, 2\] int32, its sidecar says .*int32$"),
    ],
)
def test_another_files_sidecar_is_refused(
    tmp_path: Path, changes: dict[str, object], message: str
) -> None:
    path = write_empty_model(tmp_path / "a.mindir")
    with pytest.raises(FocusDetrError, match=message):
        MindSporeEngine(path, replace(GRAPH, **changes), "CPU")


@pytest.mark.parametrize(
    ("msda", "here", "message"),
    [
        ("ascend", "CPU", "was exported for Ascend, and the device here is CPU"),
        ("custom", "GPU", "was exported for CPU, and the device here is GPU"),
    ],
)
def test_some_files_need_their_device(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, msda: str, here: str, message: str
) -> None:
    monkeypatch.setattr(mindspore_engine, "prepare_runtime", lambda device: here)
    with pytest.raises(FocusDetrError, match=message):
        MindSporeEngine(tmp_path / "a.mindir", replace(GRAPH, msda=msda))


def test_a_name_that_mindspore_cannot_take_is_refused(tmp_path: Path) -> None:
    folder = tmp_path / "f\udcff"  # a byte outside UTF-8
    folder.mkdir()
    with pytest.raises(FocusDetrError, match=r"^MindSpore cannot use .*a\.mindir: .* UTF-8$"):
        MindSporeEngine(write_empty_model(folder / "a.mindir"), GRAPH, "CPU")


@pytest.mark.parametrize("slow", [False, True])
def test_slow_convolutions_are_told(
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
    slow: bool,
) -> None:
    path = write_empty_model(tmp_path / "a.mindir")
    monkeypatch.setattr(mindspore_engine, "_load", lambda path: None)
    monkeypatch.setattr(mindspore_engine, "slows_convolutions", lambda: slow)
    MindSporeEngine(path, GRAPH, "CPU")
    told = [record.getMessage() for record in caplog.records]
    assert [f"{path} may run slowly" in text for text in told] == ([True] if slow else [])
