"""Errors that exports have had, planted into an exported ONNX file of the small network."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping

import numpy as np
import onnx
from onnx import numpy_helper

from focus_detr.comparing.proof import DETECTIONS
from focus_detr.models.tokens import FOREGROUND, OBJECTS, PROPOSALS

Weights = Mapping[str, np.ndarray]
Plant = Callable[[onnx.ModelProto, Weights], None]
Change = Callable[[np.ndarray], np.ndarray]

_FIRST = "encoder.layers.0."
_LAST = "decoder.layers.0."
_BOXES = "layers.2.bias"


def _weight(name: str, change: Change) -> Plant:
    def plant(model: onnx.ModelProto, weights: Weights) -> None:
        _replace(model, weights[name], change)

    return plant


def _replace(model: onnx.ModelProto, array: np.ndarray, change: Change) -> None:
    """Change a constant, which may be there the other way round or as a part of another one."""
    for constant in model.graph.initializer:
        values = numpy_helper.to_array(constant).copy()
        for part in _parts(values, array.shape):
            if np.array_equal(part, array):
                part[:] = change(array)
                constant.CopyFrom(numpy_helper.from_array(values, constant.name))
                return
    raise AssertionError("the file has no such weight")


def _parts(values: np.ndarray, shape: tuple[int, ...]) -> Iterator[np.ndarray]:
    """Views of this shape: the whole, or rows of it or of its other side."""
    if values.size == np.prod(shape):
        yield values.reshape(shape)
    for view in (values, values.T):
        if view.ndim and view.shape[1:] == shape[1:]:
            starts = range(view.shape[0] - shape[0] + 1)
            yield from (view[start : start + shape[0]] for start in starts)


def _swap_levels(model: onnx.ModelProto, weights: Weights) -> None:
    first, second = weights["level_embed"][:2]
    swapped = 0
    for constant in model.graph.initializer:
        values = numpy_helper.to_array(constant)
        if values.ndim == 0 or values.shape[-1] != first.size or values.dtype != first.dtype:
            continue
        rows = values.reshape(-1, first.size).copy()  # one for each token
        places = [(rows == embedding).all(axis=1) for embedding in (first, second)]
        rows[places[0]], rows[places[1]] = second, first
        swapped += sum(int(place.sum()) for place in places)
        constant.CopyFrom(numpy_helper.from_array(rows.reshape(values.shape), constant.name))
    assert swapped, "the file has no such embeddings"


def _other_deviation(model: onnx.ModelProto, weights: Weights) -> None:
    del weights
    scale = np.array([1 / 58.395, 1 / 57.12, 1 / 57.375], np.float32).reshape(1, 3, 1, 1)
    _replace(model, scale, lambda values: values[:, ::-1])


def _no_norm(model: onnx.ModelProto, weights: Weights) -> None:
    """Gain and shift of a norm are left out."""
    for name, plain in (("gamma", 1.0), ("beta", 0.0)):
        _replace(model, weights[f"{_FIRST}norm2.{name}"], lambda x, y=plain: np.full_like(x, y))


# what is planted, and the first numbers that tell of it
PLANTED: dict[str, tuple[Plant, str]] = {
    "other deviation of pixels": (_other_deviation, FOREGROUND),
    "swapped levels": (_swap_levels, FOREGROUND),
    "sign of the foreground": (
        _weight("foreground_selector.score_mlp.output.weight", np.negative),
        FOREGROUND,
    ),
    "class heads of the encoder": (
        _weight("class_heads.1.bias", lambda values: values + 0.01),
        OBJECTS.format(1),
    ),
    "sign of an offset in the encoder": (
        _weight(f"{_FIRST}deformable.sampling_offsets.bias", np.negative),
        PROPOSALS,
    ),
    "norm of the encoder": (_no_norm, PROPOSALS),
    "shifted box of a proposal": (
        _weight(f"box_heads.1.{_BOXES}", lambda values: values + np.float32([0.01, 0, 0, 0])),
        DETECTIONS,
    ),
    "queries in another order": (
        _weight("queries.query_embed", lambda values: np.roll(values, 1, axis=0)),
        DETECTIONS,
    ),
    "sign of an offset in the decoder": (
        _weight(f"{_LAST}cross_attention.sampling_offsets.bias", np.negative),
        DETECTIONS,
    ),
    "swapped classes": (_weight("class_heads.0.weight", lambda x: x[::-1]), DETECTIONS),
    "shifted box": (
        _weight(f"box_heads.0.{_BOXES}", lambda values: values + np.float32([0.01, 0, 0, 0])),
        "boxes of the detections",
    ),
}
