"""Deformable attention of an export: composed, by the native library, or a node for Ascend."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import mindspore as ms
import pytest
from mindspore import Tensor, nn, ops
from mindspore.train.mind_ir_pb2 import ModelProto
from model_cases import SMALL_CLASSES, small_config

from focus_detr.errors import FocusDetrError
from focus_detr.exporting.sampling import (
    ASCEND_INPUTS,
    ASCEND_OPERATOR,
    ASCEND_OUTPUTS,
    check_ascend_nodes,
    replace_sampling,
)
from focus_detr.models.factory import build_detector
from focus_detr.ops.msda import MSDeformableAttention
from focus_detr.ops.msda_builtin import BuiltinSampling
from focus_detr.ops.msda_composition import ComposedSampling, PlacedSampling
from focus_detr.ops.products_choice import plain_products


def test_every_deformable_attention_is_replaced() -> None:
    network = build_detector(small_config(msda="composition", heads=2), SMALL_CLASSES)
    for choice, expected in (("ascend", BuiltinSampling), ("composition", ComposedSampling)):
        assert replace_sampling(network, choice) == 4
        encoder, decoder = network.model.encoder, network.model.decoder
        attentions = [layer.deformable for layer in encoder.layers]
        attentions += [layer.cross_attention for layer in decoder.layers]
        for attention in attentions:
            assert isinstance(attention.sampling, PlacedSampling)
            assert isinstance(attention.sampling.sample, expected)


def test_ascend_refuses_sizes_of_another_layout() -> None:
    network = build_detector(small_config(msda="composition"), SMALL_CLASSES)
    with pytest.raises(FocusDetrError, match=r"--msda ascend needs .* has 8 channels, 2 points"):
        replace_sampling(network, "ascend")


def test_without_the_native_library_the_message_says_what_to_do(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("FOCUS_DETR_MSDA_LIBRARY", str(tmp_path / "none.so"))
    network = build_detector(small_config(msda="composition"), SMALL_CLASSES)
    with pytest.raises(FocusDetrError, match=r"--msda custom: .*none\.so.*custom_ops/build\.py"):
        replace_sampling(network, "custom")


class OneAttention(nn.Cell):
    def __init__(self) -> None:
        super().__init__()
        with plain_products():  # as in every file
            self.attention = MSDeformableAttention(32, 2, 2, 2, sampling=nn.Cell())
        replace_sampling(self, "ascend")

    def construct(self, tokens: Tensor, references: Tensor) -> Tensor:
        value = self.attention.project_value(tokens, ops.ones(tokens.shape[:2], ms.float32))
        return self.attention(tokens, value, ((4, 4), (2, 2)), references, tokens)


def test_an_exported_attention_has_the_node_that_the_converter_knows(tmp_path: Path) -> None:
    inputs = ops.zeros((1, 20, 32), ms.float32), ops.zeros((1, 20, 2, 2), ms.float32)
    path = tmp_path / "a.mindir"
    ms.export(OneAttention(), *inputs, file_name=str(path), file_format="MINDIR")
    check_ascend_nodes(path, 1)
    with pytest.raises(FocusDetrError, match="1 node of MultiScaleDeformableAttnFunction, 1 with"):
        check_ascend_nodes(path, 2)


def write_node(path: Path, inputs: Sequence[str], operator: str = ASCEND_OPERATOR) -> Path:
    """A model of one custom node."""
    model = ModelProto()
    primitive = model.primitives.add()
    primitive.op_type = "Custom"
    name = primitive.attribute.add()
    name.name, name.s = "reg_op_name", operator.encode()
    for key, values in (("input_names", inputs), ("output_names", ASCEND_OUTPUTS)):
        attribute = primitive.attribute.add()
        attribute.name = key
        for value in values:
            attribute.values.add().strings.append(value.encode())
    path.write_bytes(model.SerializeToString())
    return path


def test_the_names_in_the_file_are_checked(tmp_path: Path) -> None:
    right = write_node(tmp_path / "a.mindir", ASCEND_INPUTS)
    check_ascend_nodes(right, 1)
    wrong = write_node(tmp_path / "b.mindir", ASCEND_INPUTS[::-1])
    other = write_node(tmp_path / "c.mindir", ASCEND_INPUTS, "FocusDetrMsda")
    for path, expected, counts in (
        (right, 2, "1 node "),
        (wrong, 1, "0 with"),
        (other, 1, "0 nodes"),
    ):
        with pytest.raises(FocusDetrError, match=counts):
            check_ascend_nodes(path, expected)
