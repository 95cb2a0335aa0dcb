"""An ONNX model of one picture as a model of any number of pictures."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import onnx
from onnx import compose, helper

OPEN_AXIS = "batch"  # what the open dimension is called
_INSIDE = "each/"  # before names of the body, which may not be those outside
_ROW = "/row"  # after the name of a picture's part without its batch axis
_FIRST = f"{_INSIDE}first_axis"


def with_open_batch(model: onnx.ModelProto) -> onnx.ModelProto:
    """Run a model once for each picture of a batch.

    The model becomes the body of a Scan. So a picture's numbers do not depend on the others, and
    memory is that of one picture; nor is anything gained over as many calls.

    Args:
        model: the first dimension of all inputs and outputs is 1; it is not changed.

    Returns:
        A model with the same names, whose first dimensions are open.
    """
    graph = model.graph
    inputs = [value.name for value in graph.input]
    outputs = [value.name for value in graph.output]
    scan = helper.make_node("Scan", inputs, outputs, body=_body(graph), num_scan_inputs=len(inputs))
    described = ([_open(value) for value in values] for values in (graph.input, graph.output))
    result = onnx.ModelProto()
    result.CopyFrom(model)
    del result.metadata_props[:]  # they name tensors that are now inside of the body
    result.graph.CopyFrom(helper.make_graph([scan], graph.name, *described))
    return result


def _body(graph: onnx.GraphProto) -> onnx.GraphProto:
    """The graph for one row of each input: the batch axis is put before and taken off behind."""
    body = compose.add_prefix_graph(graph, _INSIDE)
    before = [
        helper.make_node("Unsqueeze", [value.name + _ROW, _FIRST], [value.name])
        for value in body.input
    ]
    behind = [
        helper.make_node("Squeeze", [value.name, _FIRST], [value.name + _ROW])
        for value in body.output
    ]
    first = helper.make_tensor(_FIRST, onnx.TensorProto.INT64, [1], [0])
    return helper.make_graph(
        [*before, *body.node, *behind],
        body.name,
        [_row(value) for value in body.input],
        [_row(value) for value in body.output],
        [*body.initializer, first],
    )


def _row(value: onnx.ValueInfoProto) -> onnx.ValueInfoProto:
    return _described(value, value.name + _ROW, list(_shape(value))[1:])


def _open(value: onnx.ValueInfoProto) -> onnx.ValueInfoProto:
    return _described(value, value.name, [OPEN_AXIS, *list(_shape(value))[1:]])


def _shape(value: onnx.ValueInfoProto) -> Iterator[int]:
    return (dimension.dim_value for dimension in value.type.tensor_type.shape.dim)


def _described(
    value: onnx.ValueInfoProto, name: str, shape: Sequence[int | str]
) -> onnx.ValueInfoProto:
    return helper.make_tensor_value_info(name, value.type.tensor_type.elem_type, shape)
