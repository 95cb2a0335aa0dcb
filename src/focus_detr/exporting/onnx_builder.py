"""Collecting the nodes and constants of an ONNX graph."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import onnx
from onnx import helper, numpy_helper

from focus_detr.exporting.mindir_graph import Value, Wire

OPSET = 17  # first with LayerNormalization
_IR_VERSION = 8  # of the ONNX release that brought this opset


class OnnxBuilder:
    """A graph in the making. Values are wires of the MINDIR graph, names of ours, or constants."""

    def __init__(self) -> None:
        self._nodes: list[onnx.NodeProto] = []
        self._constants: dict[str, onnx.TensorProto] = {}
        self._names: dict[str, str] = {}  # of wires
        self._names_of_arrays: dict[int, str] = {}
        self._arrays: list[np.ndarray] = []  # keeps their ids their own

    def bind(self, wire: Wire, name: str) -> None:
        """Say which of our tensors is a wire of the MINDIR graph."""
        self._names[wire.name] = name

    def feed(self, value: Value) -> str:
        """The name of a value as an input of a node; "" for None."""
        if value is None or isinstance(value, str):
            return value or ""
        if isinstance(value, Wire):
            return self._names[value.name]
        return self._constant(np.asarray(value))

    def indices(self, *numbers: int) -> str:
        """A constant list of whole numbers, as axes and shapes are given."""
        return self._constant(np.array(numbers, np.int64))

    def cast(self, value: Value, dtype: np.dtype) -> Value:
        """A value as ``dtype``; numbers and constants are changed here."""
        if isinstance(value, Wire):
            if value.dtype == dtype:
                return value
            return self.add_cast(value, dtype)
        return np.asarray(value, dtype)

    def add_cast(self, value: Value, dtype: np.dtype) -> str:
        """Append a Cast."""
        return self.add("Cast", value, to=helper.np_dtype_to_tensor_dtype(dtype))

    def add(self, kind: str, *inputs: Value, **attributes: object) -> str:
        """Append a node and return the name of its output."""
        return self.add_several(kind, *inputs, outputs=1, **attributes)[0]

    def add_several(
        self, kind: str, *inputs: Value, outputs: int, **attributes: object
    ) -> tuple[str, ...]:
        """Append a node and return the names of its outputs."""
        names = tuple(f"{kind}_{len(self._nodes)}_{index}" for index in range(outputs))
        fed = [self.feed(value) for value in inputs]
        self._nodes.append(helper.make_node(kind, fed, names, **attributes))
        return names

    def model(
        self, inputs: Sequence[tuple[str, Wire]], outputs: Sequence[tuple[str, Wire]]
    ) -> onnx.ModelProto:
        """The finished model.

        Args:
            inputs: names and what they are.
            outputs: the same; the wires have been bound.
        """
        for name, wire in outputs:
            self._nodes.append(helper.make_node("Identity", [self.feed(wire)], [name]))
        graph = helper.make_graph(
            self._nodes,
            "focus_detr",
            [_described(name, wire) for name, wire in inputs],
            [_described(name, wire) for name, wire in outputs],
            list(self._constants.values()),
        )
        opset = helper.make_opsetid("", OPSET)
        return helper.make_model(
            graph, opset_imports=[opset], ir_version=_IR_VERSION, producer_name="focus_detr"
        )

    def _constant(self, array: np.ndarray) -> str:
        """A weight is stored once, however often it is used."""
        known = self._names_of_arrays.get(id(array))
        if known is not None:
            return known
        name = f"constant_{len(self._arrays)}"
        self._arrays.append(array)
        self._names_of_arrays[id(array)] = name
        self._constants[name] = numpy_helper.from_array(np.ascontiguousarray(array), name)
        return name


def _described(name: str, wire: Wire) -> onnx.ValueInfoProto:
    return helper.make_tensor_value_info(
        name, helper.np_dtype_to_tensor_dtype(wire.dtype), wire.shape
    )
