"""OpenVINO samples by our native library what a file marks, and as the file says without it."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import mindspore as ms
import numpy as np
import onnx
import pytest
from mindspore import Parameter, Tensor, nn

from focus_detr.deploy.marked_samplings import PROPERTY, read_samplings
from focus_detr.deploy.openvino_cache import ModelCompiler
from focus_detr.deploy.openvino_package import load_openvino
from focus_detr.deploy.openvino_sampling import replace_samplings, sampling_library
from focus_detr.exporting.onnx_writing import write_onnx
from focus_detr.exporting.sampling_marks import mark_samplings
from focus_detr.models.geometry import level_shapes
from focus_detr.ops.msda import MSDeformableAttention
from focus_detr.ops.msda_composition import ComposedSampling, PlacedSampling
from focus_detr.ops.products_choice import plain_products

SIZE = (64, 96)  # of images
GRIDS = level_shapes(*SIZE)
TOKENS, QUERIES, WIDTH, HEADS, POINTS = 128, 7, 16, 2, 3
SETTINGS = {"INFERENCE_PRECISION_HINT": "f32"}


class TwoAttentions(nn.Cell):
    """Attends at points, and then at boxes, to tokens that images make brighter."""

    def __init__(self, batch: int) -> None:
        super().__init__()
        draw = np.random.default_rng(0)

        def drawn(*shape: int) -> Tensor:
            return Tensor(draw.normal(size=shape).astype(np.float32))

        with plain_products():
            self.attentions = nn.CellList([_attention(), _attention()])
        for parameter in self.attentions.get_parameters():
            parameter.set_data(drawn(*parameter.shape) * 0.3)
        self.tokens = Parameter(drawn(batch, TOKENS, WIDTH), name="tokens")
        self.query = Parameter(drawn(batch, QUERIES, WIDTH), name="query")
        self.points = Parameter(drawn(batch, QUERIES, 4, 2).sigmoid(), name="points")
        self.boxes = Parameter(drawn(batch, QUERIES, 4, 4).sigmoid(), name="boxes")
        self.valid = Tensor(np.ones((batch, TOKENS), np.float32))

    def construct(self, images: Tensor, image_sizes: Tensor) -> tuple[Tensor, ...]:
        """Attend."""
        light = images.astype(ms.float32).reshape(self.tokens.shape[0], -1)[
            :, :1, None
        ]  # [B, 1, 1]
        query, tokens = self.query + 0.1 * light, self.tokens * light
        for index, attention in enumerate(self.attentions):
            references = self.boxes if index else self.points  # [B, Q, 4, 2 or 4]
            value = attention.project_value(tokens, self.valid)
            moved = references + 0.001 * light[:, :, :, None]
            query = attention(query, value, GRIDS, moved, query)
        return (query,)


def _attention() -> MSDeformableAttention:
    sampling = PlacedSampling(ComposedSampling())
    return MSDeformableAttention(WIDTH, HEADS, 4, POINTS, sampling=sampling)


@pytest.fixture(scope="module", params=[1, 2])
def batch(request: pytest.FixtureRequest) -> int:
    """Pictures at once."""
    return request.param


@pytest.fixture(scope="module")
def marked(batch: int, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """An ONNX file of two marked samplings."""
    path = tmp_path_factory.mktemp("marked") / "a.mindir"
    cell = TwoAttentions(batch)
    mark_samplings(cell)
    images = Tensor(np.zeros((batch, *SIZE, 3), np.uint8))
    sizes = Tensor(np.ones((batch, 2), np.int32))
    ms.export(cell.set_train(False), images, sizes, file_name=str(path), file_format="MINDIR")
    write_onnx(path, path.with_suffix(".onnx"))
    return path.with_suffix(".onnx")


@pytest.fixture(scope="module")
def library(msda_library: Path) -> Path:
    """The native library, where OpenVINO is installed too."""
    pytest.importorskip("openvino")
    return msda_library


def compiler(library: Path | None) -> ModelCompiler:
    """What compiles with a core of its own."""
    module = load_openvino()
    return ModelCompiler(module, module.Core(), SETTINGS, library)


def found(model: Any, batch: int) -> np.ndarray:
    """The result for images of different light."""
    images = np.zeros((batch, *SIZE, 3), np.uint8)
    images += np.arange(1, batch + 1, dtype=np.uint8).reshape(-1, 1, 1, 1)
    request = model.create_infer_request()
    # what nothing depends on has no input
    request.infer({model.inputs[0].any_name: images})
    return np.array(request.get_tensor(model.outputs[0]).data)


def test_the_native_library_gives_what_the_file_says(
    marked: Path, library: Path, batch: int
) -> None:
    plain = found(compiler(None).compiled(marked, None), batch)
    native = found(compiler(library).compiled(marked, None), batch)
    assert np.abs(plain).max() > 0.5
    np.testing.assert_allclose(native, plain, rtol=0, atol=5e-5)


def test_every_marked_sampling_is_replaced_and_the_file_has_standard_operators_only(
    marked: Path, library: Path
) -> None:
    module = load_openvino()
    model = module.Core().read_model(marked)
    assert replace_samplings(module, model, library) == 2
    kinds = [node.get_type_name() for node in model.get_ops()]
    assert kinds.count("FocusDetrSampling") == 2
    assert "Gather" not in kinds
    file = onnx.load(marked)
    assert {item.domain for item in file.opset_import} == {""}
    (text,) = (item.value for item in file.metadata_props if item.key == PROPERTY)
    samplings = read_samplings(text)
    assert [item.references_shape[3] for item in samplings] == [2, 4]
    assert {item.grids for item in samplings} == {GRIDS}


def test_a_kept_model_samples_alike_and_another_library_is_compiled_anew(
    marked: Path, library: Path, batch: int, tmp_path: Path
) -> None:
    first = found(compiler(library).compiled(marked, str(tmp_path)), batch)
    (kept,) = tmp_path.rglob("*.graph")
    written = kept.stat().st_mtime_ns
    again = found(compiler(library).compiled(marked, str(tmp_path)), batch)
    np.testing.assert_array_equal(again, first)
    assert kept.stat().st_mtime_ns == written
    compiler(None).compiled(marked, str(tmp_path))
    assert len(list(tmp_path.rglob("*.graph"))) == 2


def test_the_library_is_not_used_where_the_composition_is_asked_for_or_it_is_missing(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, msda_library: Path
) -> None:
    monkeypatch.delenv("FOCUS_DETR_MSDA", raising=False)
    monkeypatch.setenv("FOCUS_DETR_MSDA_LIBRARY", str(msda_library))
    assert sampling_library() == msda_library
    monkeypatch.setenv("FOCUS_DETR_MSDA", "composition")
    assert sampling_library() is None
    monkeypatch.delenv("FOCUS_DETR_MSDA")
    monkeypatch.setenv("FOCUS_DETR_MSDA_LIBRARY", str(tmp_path / "none.so"))
    assert sampling_library() is None


@pytest.mark.parametrize("text", ["", "{}", "[1]", '[{"value": "a"}]'])
def test_marks_that_are_not_understood_are_left_alone(text: str) -> None:
    assert read_samplings(text) == ()
