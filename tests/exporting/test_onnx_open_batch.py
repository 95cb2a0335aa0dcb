"""A model of one picture becomes one of any number, with the same numbers."""

from __future__ import annotations

import numpy as np
import onnx
import onnxruntime
import pytest

from focus_detr.exporting.mindir_graph import MindirGraph, Operation, Wire
from focus_detr.exporting.onnx_open_batch import with_open_batch
from focus_detr.exporting.onnx_writing import translate


def one_picture() -> MindirGraph:
    """Attention of 5 tokens to each other, their sum, and the best two of them."""
    tokens = Wire("tokens", (1, 5, 4), np.dtype(np.float32))
    sizes = Wire("sizes", (1, 2), np.dtype(np.int32))
    products, weights, mixed = (
        Wire(name, shape, tokens.dtype)
        for name, shape in (("p", (1, 5, 5)), ("w", (1, 5, 5)), ("m", (1, 5, 4)))
    )
    total, best = (Wire(name, (1, size), tokens.dtype) for name, size in (("t", 5), ("b", 2)))
    places = Wire("places", (1, 2), np.dtype(np.int32))
    steps = (
        Operation("BatchMatMul", (tokens, tokens, False, True), (products,), {}),
        Operation("Softmax", (products, -1), (weights,), {}),
        Operation("BatchMatMul", (weights, tokens, False, False), (mixed,), {}),
        Operation("SumExt", (mixed, (2,), False, None), (total,), {}),
        Operation("TopK", (total, 2), (best, places), {}),
    )
    return MindirGraph((tokens, sizes), steps, (best, places, mixed))


def session(model: onnx.ModelProto) -> onnxruntime.InferenceSession:
    return onnxruntime.InferenceSession(
        model.SerializeToString(), providers=["CPUExecutionProvider"]
    )


@pytest.fixture(scope="module")
def models() -> tuple[onnx.ModelProto, onnx.ModelProto]:
    alone = translate(one_picture())
    return alone, with_open_batch(alone)


def test_only_the_first_dimension_opens(models: tuple[onnx.ModelProto, onnx.ModelProto]) -> None:
    alone, together = models
    onnx.checker.check_model(together, full_check=True)
    assert together.opset_import == alone.opset_import and alone.graph.node[0].op_type != "Scan"
    for kind in ("inputs", "outputs"):
        pairs = zip(*(getattr(session(model), f"get_{kind}")() for model in models), strict=True)
        for one, several in pairs:
            assert (several.name, several.type) == (one.name, one.type)
            assert several.shape == ["batch", *one.shape[1:]]


@pytest.mark.parametrize("number", [1, 2, 7])
def test_pictures_are_computed_as_if_alone(
    models: tuple[onnx.ModelProto, onnx.ModelProto], number: int
) -> None:
    alone, together = map(session, models)
    images = np.random.default_rng(number).normal(size=(number, 5, 4)).astype(np.float32)
    feeds = {"images": images, "image_sizes": np.ones((number, 2), np.int32)}
    rows = [
        alone.run(None, {name: array[row : row + 1] for name, array in feeds.items()})
        for row in range(number)
    ]
    for index, found in enumerate(together.run(None, feeds)):
        np.testing.assert_array_equal(found, np.concatenate([row[index] for row in rows]))
