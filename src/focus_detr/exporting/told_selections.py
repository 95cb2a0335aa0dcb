"""Letting a MINDIR file tell its selections: what they choose among, and what they choose.

Arithmetic order decides between nearly equal scores, and all that follows depends on the choice. So
a comparison has to know it. Only the list of outputs is longer; every operation stays as it is.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

from focus_detr.deploy.mindir_file import read_mindir

_SELECTION, _TUPLE, _ITEM = "TopK", "MakeTuple", "TupleGetItem"
_PLACES = 1  # number of TopK's output


def tell_selections(source: Path, path: Path) -> int:
    """Write a file that gives more: for each selection, in order, its scores and places.

    Args:
        source: a MINDIR file.
        path: to write.

    Returns:
        The number of selections.
    """
    model = read_mindir(source)
    graph = model.graph
    kinds = {f"REF::{primitive.name}": primitive.op_type for primitive in model.primitives}
    made = {node.output[0]: node for node in graph.node}
    selections = [node for node in graph.node if kinds.get(node.op_type) == _SELECTION]
    passes = list(_passes(graph.output[0].name, made, kinds))
    end = list(graph.node).index(passes[-1])
    for index, selection in enumerate(selections):
        scores = made[selection.input[0]]
        item = _item(model, selection, index, kinds)
        passes[-1].input.extend((scores.name, item[-1].name))
        shapes = (_shape(scores).tensors[0], _shape(selection).values[_PLACES].tensors[0])
        for list_ in (*(_shape(node) for node in passes), graph.output[0].attr_info):
            for shape in shapes:
                value = list_.values.add(type=list_.values[0].type)
                value.tensors.add().CopyFrom(shape)
        for node in item:
            graph.node.insert(end, node)
            end += 1
    path.write_bytes(model.SerializeToString())
    return len(selections)


def _passes(name: str, made: dict[str, Any], kinds: dict[str, str]) -> Iterator[Any]:
    """The nodes that hand the outputs on, last first, and at the end the one that joins them."""
    node = made[name]
    yield node
    while kinds[node.op_type] != _TUPLE:
        node = made[node.input[0]]
        yield node


def _shape(node: Any) -> Any:
    return next(attribute for attribute in node.attribute if attribute.name == "shape")


def _item(model: Any, selection: Any, index: int, kinds: dict[str, str]) -> tuple[Any, Any]:
    """A constant, and the node that takes this output of a selection."""
    kind = type(selection)
    number = kind(name=f"told_place{index}", op_type="Constant", output=[f"told_place{index}"])
    value = number.attribute.add(name="value", i=_PLACES)
    value.type = value.AttributeType.Value("INT64")
    operation = next(name for name, found in kinds.items() if found == _ITEM)
    name = f"told_places{index}"
    item = kind(name=name, op_type=operation, output=[name])
    item.input.extend((selection.name, number.name))
    shape = item.attribute.add(name="shape")
    shape.type = shape.AttributeType.Value("TENSORS")
    shape.tensors.add().CopyFrom(_shape(selection).values[_PLACES].tensors[0])
    return number, item
