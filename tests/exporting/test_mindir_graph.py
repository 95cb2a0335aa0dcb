"""MINDIR files are read with their weights, constants and tuples."""

from __future__ import annotations

from pathlib import Path

import mindspore as ms
import numpy as np
import pytest
from mindspore import Parameter, Tensor, nn, ops
from mindspore.train.mind_ir_pb2 import ModelProto

from focus_detr.errors import FocusDetrError
from focus_detr.exporting.mindir_graph import Wire, read_graph


class Small(nn.Cell):
    def __init__(self) -> None:
        super().__init__()
        self.weight = Parameter(Tensor(np.float32([1, 2, 3])), name="weight")

    def construct(self, x: Tensor) -> tuple[Tensor, Tensor]:
        values, places = ops.topk(x + self.weight, 2)
        return values, ops.concat((places, places), axis=-1)


def test_a_graph_is_read(tmp_path: Path) -> None:
    path = tmp_path / "a.mindir"
    ms.export(Small(), ops.zeros((2, 3), ms.float32), file_name=str(path), file_format="MINDIR")
    graph = read_graph(path)
    assert [(wire.shape, wire.dtype) for wire in graph.inputs] == [((2, 3), np.float32)]
    assert [operation.kind for operation in graph.operations] == ["Add", "TopK", "Concat"]
    add, top, joined = graph.operations
    assert add.inputs[0] == graph.inputs[0]
    np.testing.assert_array_equal(add.inputs[1], np.float32([1, 2, 3]))
    assert top.inputs == (add.outputs[0], 2)
    assert [(wire.shape, wire.dtype) for wire in top.outputs] == [
        ((2, 2), np.float32),
        ((2, 2), np.int32),
    ]
    assert joined.inputs == ((top.outputs[1], top.outputs[1]), -1)
    assert graph.outputs == (top.outputs[0], joined.outputs[0])
    assert all(isinstance(wire, Wire) for wire in graph.outputs)


def test_weights_outside_the_file_are_refused(tmp_path: Path) -> None:
    model = ModelProto()
    parameter = model.graph.parameter.add()
    parameter.name, parameter.data_type = "weight", 1
    parameter.external_data.length = 12
    path = tmp_path / "a.mindir"
    path.write_bytes(model.SerializeToString())
    with pytest.raises(FocusDetrError, match="keeps its weights in files of their own"):
        read_graph(path)
