"""Graphs are written with the shapes that were asked for, and what writes them is there."""

from __future__ import annotations

from pathlib import Path

import mindspore as ms
import numpy as np
import pytest
from mindspore import Parameter, Tensor, nn

from focus_detr.deploy.engine import open_engine
from focus_detr.deploy.sidecar import Graph
from focus_detr.errors import FocusDetrError
from focus_detr.exporting import writing
from focus_detr.exporting.writing import require_packages, write_graph


class Sums(nn.Cell):
    """Something with the inputs and outputs of a detector."""

    def construct(
        self, images: Tensor, sizes: Tensor, pictures: Tensor
    ) -> tuple[Tensor, Tensor, Tensor]:
        rows = images.astype(ms.float32).sum((2, 3))  # [B, H]
        return rows, sizes * pictures, images.astype(ms.float32) / 2


@pytest.mark.parametrize("number", [1, 4])
def test_an_onnx_file_for_any_number_takes_any(tmp_path: Path, number: int) -> None:
    path = tmp_path / "a.onnx"
    graph = Graph(32, 64, None, "pixels", "pixels", "composition", "onnx")
    write_graph(Sums(), graph, path)
    rng = np.random.default_rng(number)
    images = rng.integers(0, 256, (number, 32, 64, 3), np.uint8)
    sizes, pictures = rng.integers(1, 99, (2, number, 2)).astype(np.int32)
    rows, products, halves = open_engine(path, graph).run(images, sizes, pictures)
    np.testing.assert_array_equal(rows, images.sum((2, 3)))
    np.testing.assert_array_equal(products, sizes * pictures)
    np.testing.assert_array_equal(halves, images / 2)


NAMES = ["a b", "caf\u00e9", "\u6a39", "[x](y)", "a+b,c;d&e%20#'\"", "-x", "x" * 200]


@pytest.mark.parametrize("suffix", [".mindir", ".onnx"])
@pytest.mark.parametrize("name", NAMES)
def test_files_and_folders_may_have_any_name(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, name: str, suffix: str
) -> None:
    monkeypatch.chdir(tmp_path)
    folder = Path(name)
    folder.mkdir()
    path = folder / f"{name}{suffix}"
    engine = "onnx" if suffix == ".onnx" else "mindspore"
    graph = Graph(32, 64, 1, "pixels", "pixels", "composition", engine)
    write_graph(Sums(), graph, path)
    expected = {f"{name}.mindir", path.name}
    assert {file.name for file in folder.iterdir()} == expected
    sizes = np.array([[2, 3]], np.int32)
    images = np.ones((1, 32, 64, 3), np.uint8)
    rows, products, _ = open_engine(path, graph).run(images, sizes, sizes)
    np.testing.assert_array_equal(products, sizes * sizes)
    np.testing.assert_array_equal(rows, images.sum((2, 3)))


class Weighted(Sums):
    def __init__(self) -> None:
        super().__init__()
        self.weight = Parameter(Tensor(np.ones(2, np.float32)), name="weight")

    def construct(
        self, images: Tensor, sizes: Tensor, pictures: Tensor
    ) -> tuple[Tensor, Tensor, Tensor]:
        return images, sizes * self.weight, pictures


def test_weights_that_do_not_fit_into_one_file_are_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("mindspore.train.serialization.TOTAL_SAVE", 0)
    graph = Graph(32, 64, 1, "pixels", "pixels", "composition", "mindspore")
    with pytest.raises(FocusDetrError, match=r"a\.mindir: MindSpore keeps weights of more than 1"):
        write_graph(Weighted(), graph, tmp_path / "a.mindir")


def test_packages_for_onnx_are_named(monkeypatch: pytest.MonkeyPatch) -> None:
    require_packages(Path("a.onnx"))
    monkeypatch.setattr(writing, "missing_modules", list)
    require_packages(Path("a.mindir"))
    with pytest.raises(FocusDetrError, match=r"a\.onnx needs onnx: `pip install -e '\.\[onnx"):
        require_packages(Path("a.onnx"))
    monkeypatch.setattr(writing, "installed_engines", tuple)
    with pytest.raises(FocusDetrError, match=r"a\.onnx needs onnx and onnxruntime: `pip"):
        require_packages(Path("a.onnx"))
