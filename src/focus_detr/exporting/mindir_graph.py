"""A MINDIR file as a list of operations on arrays, from which other formats can be written."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from focus_detr.deploy.mindir_file import read_mindir
from focus_detr.errors import FocusDetrError

# the numbers of mind_ir_pb2.TensorProto.DataType
DTYPES = {
    1: np.float32,
    2: np.uint8,
    3: np.int8,
    6: np.int32,
    7: np.int64,
    9: np.bool_,
    10: np.float16,
    11: np.float64,
}
# they order what happens, or join and split tuples; no arithmetic
_PASSES = frozenset({"Load", "Depend"})
_ORDERS = "UpdateState"


@dataclass(frozen=True)
class Wire:
    """An array that the graph takes or computes."""

    name: str  # one of its kind in the graph
    shape: tuple[int, ...]
    dtype: np.dtype


# a wire; a weight or constant; a number, text or nothing as an argument; or a tuple of these
Value = Any


@dataclass(frozen=True)
class Operation:
    """One operation; ``inputs`` and ``attributes`` are as MindSpore's primitive defines them."""

    kind: str  # name of the primitive
    inputs: tuple[Value, ...]
    outputs: tuple[Wire, ...]
    attributes: Mapping[str, Value]


@dataclass(frozen=True)
class MindirGraph:
    """Operations in the order in which they can be computed."""

    inputs: tuple[Wire, ...]
    operations: tuple[Operation, ...]
    outputs: tuple[Wire, ...]


def read_graph(path: str | Path) -> MindirGraph:
    """Read a file with its weights.

    Raises:
        FocusDetrError: it is no MINDIR, or its weights are in files of their own.
    """
    model = read_mindir(path)
    primitives = {f"REF::{primitive.name}": primitive for primitive in model.primitives}
    inputs = tuple(_wire(item.name, item.tensor[0]) for item in model.graph.input)
    values: dict[str, Value] = {wire.name: wire for wire in inputs}
    for parameter in model.graph.parameter:
        values[parameter.name] = _array(parameter, path)
    operations = []
    for node in model.graph.node:
        primitive = primitives.get(node.op_type, node)
        kind = primitive.op_type
        arguments = tuple(values[name] for name in node.input)
        if kind == "Constant":
            values[node.output[0]] = _value(node.attribute[0], path)
        elif kind in _PASSES:
            values[node.output[0]] = arguments[0]
        elif kind == "MakeTuple":
            values[node.output[0]] = arguments
        elif kind == "TupleGetItem":
            several, place = arguments
            # a tuple of one is its item here
            values[node.output[0]] = several if isinstance(several, Wire) else several[place]
        elif kind == _ORDERS:
            values[node.output[0]] = None
        else:
            outputs = tuple(_outputs(node))
            attributes = {item.name: _value(item, path) for item in primitive.attribute}
            operations.append(Operation(kind, arguments, outputs, attributes))
            values[node.output[0]] = outputs if len(outputs) > 1 else outputs[0]
    (result,) = (values[item.name] for item in model.graph.output)
    return MindirGraph(inputs, tuple(operations), result)


def _outputs(node: Any) -> Iterator[Wire]:
    """What a node computes; its attribute "shape" holds the shapes of all outputs."""
    shapes = next(attribute for attribute in node.attribute if attribute.name == "shape")
    for index, proto in enumerate(shapes.tensors or [item.tensors[0] for item in shapes.values]):
        yield _wire(f"{node.output[0]}#{index}", proto)


def _wire(name: str, proto: Any) -> Wire:
    return Wire(name, tuple(proto.dims), np.dtype(DTYPES[proto.data_type]))


def _array(proto: Any, path: str | Path) -> np.ndarray:
    if proto.external_data.length:
        raise FocusDetrError(f"{path} keeps its weights in files of their own, as of 1 GB on")
    return np.frombuffer(proto.raw_data, DTYPES[proto.data_type]).reshape(proto.dims)


def _value(attribute: Any, path: str | Path) -> Value:
    """A number, text, array, tuple or None."""
    kind = attribute.AttributeType.Name(attribute.type)
    if kind in ("TUPLE", "LIST"):
        return tuple(_value(item, path) for item in attribute.values)
    if kind == "TENSORS":
        return _array(attribute.tensors[0], path)
    if kind == "STRING":
        return attribute.s.decode()
    return _number(kind, attribute)


def _number(kind: str, attribute: Any) -> Value:
    """One inside a tuple stands in the plural field."""
    if kind == "BOOL":
        return bool(attribute.ints[0] if attribute.ints else attribute.i)
    if kind.startswith(("INT", "UINT")):
        return int(attribute.ints[0] if attribute.ints else attribute.i)
    if kind == "FLOAT":
        return float(attribute.floats[0] if attribute.floats else attribute.f)
    return None
