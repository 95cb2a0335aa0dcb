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

from focus_detr.deploy.mindspore_engine import MindSporeEngine
from focus_detr.errors import FocusDetrError
from focus_detr.ops.msda import MSDeformableAttention
from focus_detr.ops.msda_custom import FusedSampling


class OneAttention(nn.Cell):
    def __init__(self, library: Path) -> None:
        super().__init__()
        sampling = FusedSampling(library, "CPU")
        self.attention = MSDeformableAttention(32, 2, 2, 2, sampling=sampling)

    def construct(self, tokens: Tensor, references: Tensor) -> tuple[Tensor, Tensor]:
        value = self.attention.project_value(tokens, ops.ones(tokens.shape[:2], ms.float32))
        return self.attention(tokens, value, ((4, 4), (2, 2)), references), references


def test_a_moved_library_is_used_from_its_new_place(
    tmp_path: Path, msda_library: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    first = Path(shutil.copy(msda_library, tmp_path / "libmsda_cpu.so"))
    cell, rng = OneAttention(first), np.random.default_rng(0)
    inputs = [rng.random(shape, np.float32) for shape in ((1, 20, 32), (1, 20, 2, 2))]
    expected = cell(*map(Tensor, inputs))[0].asnumpy()
    path = tmp_path / "a.mindir"
    ms.export(cell, *map(Tensor, inputs), file_name=str(path), file_format="MINDIR")

    graph = replace(GRAPH, msda="custom")
    np.testing.assert_array_equal(MindSporeEngine(path, graph, "CPU").run(*inputs)[0], expected)
    first.rename(tmp_path / "elsewhere.so")
    monkeypatch.setenv("FOCUS_DETR_MSDA_LIBRARY", str(tmp_path / "elsewhere.so"))
    np.testing.assert_array_equal(MindSporeEngine(path, graph, "CPU").run(*inputs)[0], expected)
    monkeypatch.setenv("FOCUS_DETR_MSDA_LIBRARY", str(tmp_path / "none.so"))
    with pytest.raises(FocusDetrError, match=r"libmsda_cpu\.so, which is not there"):
        MindSporeEngine(path, graph, "CPU")


def test_what_is_no_model_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "a.mindir"
    path.write_bytes(b"no model")
    with pytest.raises(FocusDetrError, match=r"MindSpore cannot load .*a\.mindir"):
        MindSporeEngine(path, GRAPH, "CPU")


def test_a_file_for_ascend_needs_that_device(tmp_path: Path) -> None:
    with pytest.raises(FocusDetrError, match="was exported for Ascend, and the device here is CPU"):
        MindSporeEngine(tmp_path / "a.mindir", replace(GRAPH, msda="ascend"), "CPU")
