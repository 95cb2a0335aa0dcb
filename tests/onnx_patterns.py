"""What runtimes have stumbled over in ONNX graphs, and where a graph has it."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Set

import onnx
from onnx import GraphProto, NodeProto, TensorProto, ValueInfoProto

# refused, or computed wrongly, by MindSpore Lite 2.0
AVOIDED = {"ArgMin", "GreaterOrEqual", "Cos", "LayerNormalization"}
LONG_ROW = 2000  # numbers


def stumbling_blocks(model: onnx.ModelProto) -> list[str]:
    """What each node, and each array that nobody takes, is to be avoided for."""
    inferred = onnx.shape_inference.infer_shapes(model, strict_mode=True)
    return list(_of_graph(inferred.graph))


def _of_graph(graph: GraphProto) -> Iterator[str]:
    infos = {info.name: info for info in (*graph.input, *graph.value_info, *graph.output)}
    infos |= {array.name: _described(array) for array in graph.initializer}
    constants = {array.name for array in graph.initializer}
    widened = {node.output[0] for node in graph.node if _widens(node, infos)}
    fed = {name for node in graph.node for name in node.input}
    taken = fed | {info.name for info in graph.output}
    yield from (f"{name} is not used" for name in sorted(constants - taken))
    for node in graph.node:
        inputs = [name for name in node.input if name]
        if constants.issuperset(inputs):
            yield f"{node.op_type} of constants only"
        if not taken.intersection(node.output):
            yield f"{node.op_type} for nobody"
        if node.op_type in AVOIDED:
            yield node.op_type
        yield from _of_use(node, [infos.get(name) for name in inputs], infos, widened)
        for attribute in node.attribute:
            if attribute.type == onnx.AttributeProto.GRAPH:
                yield from _of_graph(attribute.g)


def _of_use(
    node: NodeProto,
    inputs: list[ValueInfoProto | None],
    infos: Mapping[str, ValueInfoProto],
    widened: Set[str],
) -> Iterator[str]:
    """Operations that are avoided in some uses only."""
    kind, result = node.op_type, infos.get(node.output[0])
    if kind == "MaxPool":
        if any(attribute.name == "dilations" for attribute in node.attribute):
            yield "MaxPool with dilations"
        if len(_shape(inputs[0])) != 4:
            yield "MaxPool of volumes"
    if kind == "Slice" and _type(inputs[0]) == TensorProto.BOOL:
        yield "Slice of truth values"
    if kind == "Cast" and _type(result) == TensorProto.BOOL:
        yield "Cast to truth values"
    if kind == "Where" and len({_shape(info) for info in inputs}) > 1:
        yield "Where that broadcasts"
    if kind == "MatMul" and _shape(inputs[0])[-2] == 1 and _shape(inputs[0])[-1] > LONG_ROW:
        yield "MatMul of a long row"
    if kind == "GatherElements" and node.input[1] in widened:
        yield "GatherElements fed by Cast of int32"


def _widens(node: NodeProto, infos: Mapping[str, ValueInfoProto]) -> bool:
    return node.op_type == "Cast" and _type(infos.get(node.input[0])) == TensorProto.INT32


def _described(array: TensorProto) -> ValueInfoProto:
    return onnx.helper.make_tensor_value_info(array.name, array.data_type, array.dims)


def _type(info: ValueInfoProto | None) -> int:
    assert info is not None, "the type of every tensor can be inferred"
    return info.type.tensor_type.elem_type


def _shape(info: ValueInfoProto | None) -> tuple[int, ...]:
    assert info is not None, "the shape of every tensor can be inferred"
    return tuple(dimension.dim_value for dimension in info.type.tensor_type.shape.dim)
