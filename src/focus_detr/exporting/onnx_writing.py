"""Writing the graph of a MINDIR file as ONNX.

MindSpore 2.10's own ONNX exporter lacks operations that the network needs; the MINDIR file has the
whole graph with the shapes of all its arrays, so it is translated from there.
"""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import onnx

from focus_detr.deploy.marked_samplings import PROPERTY, samplings_in_words
from focus_detr.deploy.sidecar import INPUTS, OUTPUTS, SELECTION_OUTPUTS, TOKEN_OUTPUTS
from focus_detr.errors import FocusDetrError
from focus_detr.exporting.mindir_graph import MindirGraph, read_graph
from focus_detr.exporting.onnx_builder import OnnxBuilder
from focus_detr.exporting.onnx_open_batch import with_open_batch
from focus_detr.exporting.onnx_operators import TRANSLATIONS
from focus_detr.exporting.sampling_marks import marked_samplings
from focus_detr.wording import first_line

_LARGEST = 2**31 - 1  # bytes of a protocol buffer


def write_onnx(mindir: Path, path: Path, *, open_batch: bool = False, selections: int = 0) -> None:
    """Translate a file that ``export.writing.write_graph`` wrote.

    Args:
        mindir: the file.
        path: to write.
        open_batch: whether the model takes any number of pictures; ``mindir`` is then for one.
        selections: how many ``mindir`` tells too, after its other outputs.

    Raises:
        FocusDetrError: the graph has an operation that is not translated, or is too large.
    """
    model = translate(read_graph(mindir), selections)
    model = with_open_batch(model) if open_batch else model
    if model.ByteSize() > _LARGEST:
        raise FocusDetrError(f"{path}: ONNX files end at 2 GB, the network is larger")
    try:
        onnx.checker.check_model(model, full_check=True)
    except (onnx.checker.ValidationError, onnx.shape_inference.InferenceError) as error:
        reason = first_line(error)
        raise FocusDetrError(f"{path}: the translation to ONNX is not valid: {reason}") from error
    path.write_bytes(model.SerializeToString())


def translate(graph: MindirGraph, selections: int = 0) -> onnx.ModelProto:
    """The same graph in ONNX.

    Raises:
        FocusDetrError: naming the operations that are not translated.
    """
    unknown = sorted({item.kind for item in graph.operations} - set(TRANSLATIONS))
    if unknown:
        raise FocusDetrError(f"ONNX: there is no translation of {', '.join(unknown)}")
    builder = OnnxBuilder()
    inputs = list(zip(INPUTS, graph.inputs, strict=False))
    for name, wire in inputs:
        builder.bind(wire, name)
    for operation in graph.operations:
        known = replace(operation, inputs=builder.known(operation.inputs))
        results = TRANSLATIONS[operation.kind](builder, known)
        for wire, result in zip(operation.outputs, results, strict=True):
            if result is not None:
                builder.bind(wire, result)
    told = [name.format(i) for i in range(selections) for name in SELECTION_OUTPUTS]
    names = [*(*OUTPUTS, *TOKEN_OUTPUTS)[: len(graph.outputs) - len(told)], *told]
    model = builder.model(inputs, list(zip(names, graph.outputs, strict=True)))
    if builder.marks:
        samplings = marked_samplings(builder.marks, _image_size(graph))
        onnx.helper.set_model_props(model, {PROPERTY: samplings_in_words(samplings)})
    return model


def _image_size(graph: MindirGraph) -> tuple[int, int]:
    """(H, W) of images, [B, H, W, 3] uint8 or [B, 3, H, W] float32."""
    images = graph.inputs[0]
    height, width = images.shape[1:3] if images.dtype == np.uint8 else images.shape[2:]
    return height, width
