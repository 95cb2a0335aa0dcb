"""Deformable sampling in OpenVINO by our native library, in place of the file's composition.

The file consists of standard operators, which gather four rows for each sample and so write and
read sixty times the memory of the result. Where its marks and the library are there, an operator of
our own takes their place in the model that OpenVINO compiles; the file stays as it is.
"""

from __future__ import annotations

import logging
import os
from collections.abc import Sequence
from functools import cache
from math import prod
from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np

from focus_detr.deploy.marked_samplings import PROPERTY, Sampling, read_samplings
from focus_detr.ops.msda_arrays import ArraySampling
from focus_detr.ops.msda_library import CHOICE_VARIABLE, COMPOSITION, find_library
from focus_detr.ops.native_library import LibraryError

_PROPERTIES = "framework"  # where OpenVINO keeps what an ONNX file says beside its graph

_log = logging.getLogger(__name__)


def sampling_library() -> Path | None:
    """The native library, if it can be used here and nobody forbids it."""
    if os.environ.get(CHOICE_VARIABLE) == COMPOSITION:
        return None
    try:
        return find_library("CPU")
    except LibraryError as error:
        _log.info("OpenVINO samples by standard operators: %s", error)
        return None


def replace_samplings(module: ModuleType, model: Any, library: Path) -> int:
    """Give a model our operator wherever its file marks a sampling.

    Args:
        module: OpenVINO.
        model: from ``read_model``; it is changed.
        library: from ``sampling_library``.

    Returns:
        The number of samplings that were replaced.
    """
    samplings = _marked(model)
    every = (output for node in model.get_ops() for output in node.outputs()) if samplings else ()
    outputs = {name: output for output in every for name in output.names}
    for sampling in samplings:
        _replace(module, sampling, outputs, library)
    return len(samplings)


def _marked(model: Any) -> tuple[Sampling, ...]:
    if not model.has_rt_info([_PROPERTIES, PROPERTY]):
        return ()
    return read_samplings(str(model.get_rt_info([_PROPERTIES, PROPERTY]).value))


def _replace(
    module: ModuleType, sampling: Sampling, outputs: dict[str, Any], library: Path
) -> None:
    shapes = {
        sampling.value: sampling.value_shape,  # [B, N, M, C/M]
        sampling.references: sampling.references_shape,  # [B, Q, L, 2 or 4]
        sampling.projected: (*sampling.references_shape[:2], -1),  # [B, Q, 3*M*L*P]
    }
    inputs = [_reshaped(module, outputs[name], shape) for name, shape in shapes.items()]
    sampled = operator(module)(inputs, sampling.grids, str(library)).output(0)  # [B, Q, C]
    result = outputs[sampling.result]
    shape = [size.get_length() for size in result.get_partial_shape()]
    result.replace(_reshaped(module, sampled, shape))


def _reshaped(module: ModuleType, output: Any, shape: Sequence[int]) -> Any:
    target = module.opset8.constant(np.array(shape, np.int64))
    return module.opset8.reshape(output, target, False).output(0)


@cache
def operator(module: ModuleType) -> Any:
    """The class of our operator, which an import of compiled models has to know."""

    class FocusDetrSampling(module.Op):  # type: ignore[name-defined]
        """``ArraySampling`` of value, references and projected as a node of a graph.

        Where it imports a model, OpenVINO makes it without arguments and sets the attributes then.
        """

        def __init__(
            self,
            inputs: Sequence[Any] | None = None,
            grids: Sequence[tuple[int, int]] = ((0, 0),),
            library: str = "",
        ) -> None:
            super().__init__(self)
            sides = [side for grid in grids for side in grid]  # OpenVINO stores no pairs
            self.attributes: dict[str, Any] = {"sides": sides, "library": library}
            self.sample: ArraySampling | None = None
            if inputs is not None:
                self.set_arguments(inputs)
                self.constructor_validate_and_infer_types()

        def validate_and_infer_types(self) -> None:
            """Say what the result is."""
            value, references = (self.get_input_partial_shape(index) for index in range(2))
            width = prod(size.get_length() for size in list(value)[2:])
            shape = module.PartialShape([*list(references)[:2], width])
            self.set_output_type(0, module.Type.f32, shape)

        def clone_with_new_inputs(self, inputs: Sequence[Any]) -> Any:
            """The same for other tensors."""
            return FocusDetrSampling(inputs, *self._arguments())

        def visit_attributes(self, visitor: Any) -> bool:
            """Let the attributes be written, or read into the same mapping."""
            visitor.on_attributes(self.attributes)
            return True

        def has_evaluate(self) -> bool:
            """It computes on the host."""
            return True

        def evaluate(self, outputs: Sequence[Any], inputs: Sequence[Any]) -> bool:
            """Compute into the memory of the output."""
            if self.sample is None:
                grids, library = self._arguments()
                self.sample = ArraySampling(Path(library), grids)
            value, references, projected = (np.asarray(tensor.data) for tensor in inputs)
            outputs[0].shape = (*references.shape[:2], prod(value.shape[2:]))
            self.sample(value, references, projected, outputs[0].data)
            return True

        def _arguments(self) -> tuple[list[tuple[int, int]], str]:
            sides = self.attributes["sides"]
            return list(zip(sides[::2], sides[1::2], strict=True)), self.attributes["library"]

    return FocusDetrSampling
