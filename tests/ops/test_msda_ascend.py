"""Our Ascend operator as MindSpore sees it; there is no device here to call it on."""

from __future__ import annotations

import re
from pathlib import Path

import mindspore as ms
import numpy as np
import pytest
from ascend_emulation import OPERATORS, EmulatedKernels, compile_kernels, compiler
from golden_data import check, load
from mindspore import Tensor, nn, ops
from mindspore.train.mind_ir_pb2 import ModelProto, TensorProto

from focus_detr.ops.msda_ascend import (
    BACKWARD,
    FORWARD,
    GRADIENTS,
    INPUTS,
    OUTPUTS,
    AscendSampling,
    gradient_shapes,
    output_shape,
    registration,
)
from focus_detr.ops.msda_gradient import backpropagation

Shapes = tuple[tuple[int, int], ...]


class Sampling(nn.Cell):
    """The cell with its shapes fixed."""

    def __init__(self, shapes: Shapes, operator: ops.Custom | None = None) -> None:
        super().__init__()
        self.sample, self.shapes = AscendSampling(operator), shapes

    def construct(self, value: Tensor, locations: Tensor, weights: Tensor) -> Tensor:
        return self.sample(value, self.shapes, locations, weights)


class Gradients(nn.Cell):
    """Derivatives of the output's sum, weighted."""

    def __init__(self, net: nn.Cell, output_weights: Tensor) -> None:
        super().__init__()
        self.net, self.output_weights = net, output_weights
        self.derive = ops.GradOperation(get_all=True, sens_param=True)

    def construct(self, value: Tensor, locations: Tensor, weights: Tensor) -> tuple[Tensor, ...]:
        return self.derive(self.net)(value, locations, weights, self.output_weights)


def _declared(source: str, kind: str) -> tuple[str, ...]:
    text = (OPERATORS / "op_host" / source).read_text()
    return tuple(re.findall(rf'Describe\({kind}\("(\w+)"\)', text))


def test_names_are_those_of_the_definitions() -> None:
    assert _declared("focus_detr_msda_definition.h", "Input") == INPUTS
    assert _declared("focus_detr_msda.cpp", "Output") == OUTPUTS
    assert _declared("focus_detr_msda_grad.cpp", "Output") == GRADIENTS
    for name, source in ((FORWARD, "focus_detr_msda.cpp"), (BACKWARD, "focus_detr_msda_grad.cpp")):
        assert (
            f"OP_ADD({name.removeprefix('aclnn')});" in (OPERATORS / "op_host" / source).read_text()
        )


def test_registration_lists_tensors_and_types() -> None:
    record = registration(BACKWARD, (*INPUTS, "grad_output"), GRADIENTS)
    assert record["op_name"] == "aclnnFocusDetrMsdaGrad"
    assert record["target"] == "Ascend"
    assert [tensor["name"] for tensor in record["inputs"]] == [*INPUTS, "grad_output"]
    assert [tensor["name"] for tensor in record["outputs"]] == list(GRADIENTS)
    types = [[name for name, _ in combination] for combination in record["dtype_format"]]
    assert types == [
        [kind, "int32", "int32", "float32", "float32", kind, "float32", "float32", "float32"]
        for kind in ("float32", "float16", "bfloat16")
    ]


@pytest.mark.parametrize(
    ("kind", "name"), [(ms.float32, "FLOAT"), (ms.float16, "FLOAT16"), (ms.bfloat16, "BFLOAT16")]
)
def test_exported_graph_names_the_operator(kind: ms.Type, name: str, tmp_path: Path) -> None:
    inputs = (
        Tensor(np.zeros((2, 7, 2, 8)), kind),
        Tensor(np.zeros((2, 5, 2, 2, 3, 2)), ms.float32),
        Tensor(np.zeros((2, 5, 2, 2, 3)), ms.float32),
    )
    target = tmp_path / "net.mindir"
    ms.export(Sampling(((2, 3), (1, 1))), *inputs, file_name=str(target), file_format="MINDIR")
    model = ModelProto()
    model.ParseFromString(target.read_bytes())
    (custom,) = (p for p in model.primitives if p.op_type == "Custom")
    attributes = {attribute.name: attribute for attribute in custom.attribute}
    assert attributes["reg_op_name"].s == b"aclnnFocusDetrMsda"
    for key, expected in (("input_names", INPUTS), ("output_names", OUTPUTS)):
        found = (value.strings[0].decode() for value in attributes[key].values)
        assert tuple(found) == expected
    (output,) = model.graph.output
    assert list(output.tensor[0].dims) == [2, 5, 16]
    assert output.tensor[0].data_type == TensorProto.DataType.Value(name)


@pytest.fixture(scope="module")
def kernels(tmp_path_factory: pytest.TempPathFactory) -> EmulatedKernels:
    if compiler() is None:
        pytest.skip("no g++ to compile the emulated Ascend kernels with")
    folder = tmp_path_factory.mktemp("ascend")
    return EmulatedKernels(compile_kernels(folder, flags=("-DONLY_FLOAT32",)))


def test_cell_and_gradients_with_the_emulated_kernels(kernels: EmulatedKernels) -> None:
    golden = load("msda_op_a")
    shapes = tuple((int(h), int(w)) for h, w in golden["spatial_shapes"])

    def forward(
        value: np.ndarray,
        sizes: np.ndarray,
        starts: np.ndarray,
        locations: np.ndarray,
        weights: np.ndarray,
    ) -> np.ndarray:
        return kernels.forward(value, tuple(map(tuple, sizes)), locations, weights)

    def backward(
        value: np.ndarray,
        sizes: np.ndarray,
        starts: np.ndarray,
        locations: np.ndarray,
        weights: np.ndarray,
        grad_output: np.ndarray,
    ) -> tuple[np.ndarray, ...]:
        levels = tuple(map(tuple, sizes))
        return kernels.backward(value, levels, locations, weights, grad_output)

    derivative = ops.Custom(backward, gradient_shapes, (ms.float32,) * 3, "pyfunc")
    operator = ops.Custom(
        forward, output_shape, ms.float32, "pyfunc", bprop=backpropagation(derivative)
    )
    net = Sampling(shapes, operator)
    inputs = [Tensor(golden[k]) for k in ("value", "sampling_locations", "attention_weights")]
    check(golden, "output", net(*inputs).asnumpy())
    found = Gradients(net, Tensor(golden["grad_output"]))(*inputs)
    for key, gradient in zip(GRADIENTS, found, strict=True):
        exact = golden[f"{key}_f64"]
        np.testing.assert_allclose(
            gradient.asnumpy(), exact, atol=1e-6 * np.abs(exact).max(), err_msg=key
        )
