"""Looking into MINDIR files, which are protocol buffers of ``mindspore.train.mind_ir_pb2``."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

from google.protobuf.message import DecodeError
from mindspore.train.mind_ir_pb2 import ModelProto

from focus_detr.deploy.sidecar import INPUTS, Inputs
from focus_detr.errors import FocusDetrError

_TYPES = {1: "float32", 2: "uint8", 6: "int32"}  # of mind_ir_pb2.TensorProto.DataType


def read_mindir(path: str | Path) -> Any:
    """Parse a file.

    Raises:
        FocusDetrError: it is no MINDIR or cut off.
    """
    model = ModelProto()
    try:
        model.ParseFromString(Path(path).read_bytes())
    except DecodeError as error:
        raise FocusDetrError(f"{path} is no MINDIR file or is cut off") from error
    return model


def inputs_of(model: Any) -> Inputs:
    """Shapes and types of what a detector takes, in the order of ``sidecar.INPUTS``."""
    protos = (item.tensor[0] for item in model.graph.input)
    described = [(tuple(proto.dims), _TYPES.get(proto.data_type, "other")) for proto in protos]
    return dict(zip(INPUTS, described, strict=False))


def nodes(model: Any) -> Iterator[Any]:
    """All operations of a model, those of its sub-graphs included; and its primitives."""
    yield from model.graph.node
    for function in model.functions:
        yield from function.node
    yield from model.primitives
