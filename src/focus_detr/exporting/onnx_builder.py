"""Collecting the nodes and constants of an ONNX graph.

What can be computed here is: no node of constants only is written, none whose result nobody takes,
and none that changes nothing. Runtimes differ in how well they stand these.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from hashlib import sha256

import numpy as np
import onnx
from onnx import helper, numpy_helper
from onnx.reference import ReferenceEvaluator

from focus_detr.exporting.mindir_graph import Value, Wire

OPSET = 17  # of 2022: old enough for every runtime that is still kept
_IR_VERSION = 8  # of the ONNX release that brought this opset

Result = str | np.ndarray  # the name of what a node computes, or an array that was computed here


class OnnxBuilder:
    """A graph in the making. Values are wires of the MINDIR graph, names of ours, or constants."""

    def __init__(self) -> None:
        self._nodes: list[onnx.NodeProto] = []
        self._constants: dict[str, onnx.TensorProto] = {}
        self._names_of_constants: dict[tuple[object, ...], str] = {}
        self._results: dict[str, Result] = {}  # of wires
        self._shapes: dict[str, tuple[int, ...]] = {}  # of our names, where they are known
        self._reshaped: dict[str, str] = {}  # results of Reshape, and of what
        self._widened: dict[str, str] = {}  # casts of int32 to int64, and of what
        self.marks: dict[str, Wire] = {}  # what was marked, by its name here

    def bind(self, wire: Wire, value: Value) -> None:
        """Say which of our values is a wire of the MINDIR graph."""
        if isinstance(value, np.ndarray):
            self._results[wire.name] = value
        else:
            name = self._results[wire.name] = self.feed(value)
            self._shapes[name] = wire.shape

    def known(self, value: Value) -> Value:
        """The same value, but arrays for wires that were computed here; also within tuples."""
        if isinstance(value, tuple):
            return tuple(self.known(item) for item in value)
        if isinstance(value, Wire):
            result = self._results[value.name]
            return result if isinstance(result, np.ndarray) else value
        return value

    def feed(self, value: Value) -> str:
        """The name of a value as an input of a node; "" for None."""
        if value is None or isinstance(value, str):
            return value or ""
        if isinstance(value, Wire):
            return self.feed(self._results[value.name])
        return self._constant(np.asarray(value))

    def mark(self, mark: str, value: Value) -> None:
        """Remember where a wire's numbers are in the file, whatever shape they have there."""
        if isinstance(value, Wire):
            self.marks[mark] = replace(value, name=self._before(self._reshaped, value))

    def indices(self, *numbers: int) -> np.ndarray:
        """A list of whole numbers, as axes and shapes are given."""
        return np.array(numbers, np.int64)

    def cast(self, value: Value, dtype: np.dtype) -> Value:
        """A value as ``dtype``; numbers and constants are changed here."""
        value = self.known(value)
        if not isinstance(value, Wire):
            return np.asarray(value, dtype)
        if value.dtype == dtype:
            return value
        result = self.add_cast(value, dtype)
        if (value.dtype, dtype) == (np.int32, np.int64) and isinstance(result, str):
            self._widened[result] = self.feed(value)
        return result

    def add_cast(self, value: Value, dtype: np.dtype) -> Result:
        """Append a Cast."""
        return self.add("Cast", value, to=helper.np_dtype_to_tensor_dtype(np.dtype(dtype)))

    def places(self, value: Value) -> Value:
        """Whole numbers as they were before they were made int64, for what takes int32 too."""
        return value if isinstance(value, np.ndarray) else self._before(self._widened, value)

    def reshape(self, value: Value, shape: tuple[int, ...]) -> Result:
        """Append a Reshape, of what an earlier one was of; none where the shape is as before."""
        value = self.known(value)
        if isinstance(value, Wire | str):
            value = self._before(self._reshaped, value)
            if self._shapes.get(value) == shape:
                return value
        result = self.add("Reshape", value, self.indices(*shape))
        if isinstance(result, str):
            self._reshaped[result] = value
            self._shapes[result] = shape
        return result

    def add(self, kind: str, *inputs: Value, **attributes: object) -> Result:
        """Append a node and return the name of its output; of constants, compute it."""
        return self.add_several(kind, *inputs, outputs=1, **attributes)[0]

    def add_several(
        self, kind: str, *inputs: Value, outputs: int, **attributes: object
    ) -> tuple[Result, ...]:
        """Append a node and return the names of its outputs; of constants, compute them."""
        names = tuple(f"{kind}_{len(self._nodes)}_{index}" for index in range(outputs))
        known = [self.known(value) for value in inputs]
        if not any(isinstance(value, Wire | str) for value in known):
            return _computed(kind, known, names, attributes)
        fed = [self.feed(value) for value in known]
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
        ends = [helper.make_node("Identity", [self.feed(wire)], [name]) for name, wire in outputs]
        nodes = _needed([*self._nodes, *ends], {name for name, _ in outputs})
        fed = {name for node in nodes for name in node.input}
        graph = helper.make_graph(
            nodes,
            "focus_detr",
            [_described(name, wire) for name, wire in inputs],
            [_described(name, wire) for name, wire in outputs],
            [proto for name, proto in self._constants.items() if name in fed],
        )
        opset = helper.make_opsetid("", OPSET)
        return helper.make_model(
            graph, opset_imports=[opset], ir_version=_IR_VERSION, producer_name="focus_detr"
        )

    def _before(self, earlier: dict[str, str], value: Value) -> str:
        name = self.feed(value)
        return earlier.get(name, name)

    def _constant(self, array: np.ndarray) -> str:
        """Equal arrays are stored once, however often they are used."""
        array = np.ascontiguousarray(array).reshape(array.shape)  # it makes a list of a number
        content = array.dtype.str, array.shape, sha256(array.tobytes()).digest()
        name = self._names_of_constants.setdefault(content, f"constant_{len(self._constants)}")
        if name not in self._constants:
            self._constants[name] = numpy_helper.from_array(array, name)
        return name


def _computed(
    kind: str, inputs: Sequence[Value], outputs: Sequence[str], attributes: dict[str, object]
) -> tuple[np.ndarray, ...]:
    """What a node gives for constants."""
    fed = {f"in_{i}": np.asarray(value) for i, value in enumerate(inputs) if value is not None}
    names = [f"in_{i}" if f"in_{i}" in fed else "" for i in range(len(inputs))]
    node = helper.make_node(kind, names, outputs, **attributes)
    results = ReferenceEvaluator(node, opsets={"": OPSET}).run(None, fed)
    return tuple(np.asarray(result) for result in results)


def _needed(nodes: Sequence[onnx.NodeProto], outputs: set[str]) -> list[onnx.NodeProto]:
    """The nodes on which the outputs depend."""
    needed, kept = set(outputs), []
    for node in reversed(nodes):
        if needed.intersection(node.output):
            kept.append(node)
            needed.update(node.input)
    return kept[::-1]


def _described(name: str, wire: Wire) -> onnx.ValueInfoProto:
    return helper.make_tensor_value_info(
        name, helper.np_dtype_to_tensor_dtype(wire.dtype), wire.shape
    )
