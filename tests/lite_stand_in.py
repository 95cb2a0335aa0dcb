"""A module in place of ``mindspore_lite``, as strict and as careless as the real interface.

``tests/deploy/test_lite_interface.py`` holds it against the real library where that can be had.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from enum import Enum
from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np

Arrays = Mapping[str, np.ndarray]
FAILED_BUILD = (
    "[WARNING] ME(7,7f,python):2026-01-31-10:00:00.000.000 [numa.cc:35] NUMAAdapter] no libnuma.so",
    "[ERROR] CORE(7,7f,python):2026-01-31-10:00:00.000.000 [log_adapter.cc:392] operator^] "
    "Runtime error for null exception handler.",
    "[ERROR] ME(7,7f,python):2026-01-31-10:00:00.000.000 [model.cc:100] Build] "
    "Catch exception: mind ir version 3 is too new",
    "[ERROR] ME(7,7f,python):2026-01-31-10:00:00.000.000 [model.cc:120] Build] build failed",
)


class ModelType(Enum):
    MINDIR = 0
    MINDIR_LITE = 4


class DataType(Enum):
    INT32 = 34
    UINT8 = 37
    FLOAT32 = 43


class Ascend:
    def __init__(self) -> None:
        self._device_id = 0

    @property
    def device_id(self) -> int:
        return self._device_id

    @device_id.setter
    def device_id(self, number: int) -> None:
        _require("ascend_device_id", number, int)
        self._device_id = number


class Context:
    __slots__ = ("_target", "ascend")

    def __init__(self) -> None:
        self._target, self.ascend = ["cpu"], Ascend()

    @property
    def target(self) -> list[str]:
        return self._target

    @target.setter
    def target(self, names: list[str]) -> None:
        _require("target", names, list)
        if unknown := [name for name in names if name not in ("cpu", "gpu", "ascend")]:
            raise ValueError(f"target elements must be in ['cpu', ...], but got {unknown[0]}.")
        self._target = names


@dataclass
class Buffer:
    """A tensor of the library itself, behind however many objects of Python."""

    name: str
    array: np.ndarray


class Tensor:
    """Compares type and size in bytes only, keeps the caller's array, and gives views."""

    __slots__ = ("_buffer",)

    def __init__(self, buffer: Buffer) -> None:
        self._buffer = buffer

    @property
    def name(self) -> str:
        return self._buffer.name

    @property
    def shape(self) -> list[int]:
        return list(self._buffer.array.shape)

    @property
    def dtype(self) -> DataType:
        return DataType[self._buffer.array.dtype.name.upper()]

    @property
    def data_size(self) -> int:
        return self._buffer.array.nbytes

    def set_data_from_numpy(self, array: np.ndarray) -> None:
        _require("numpy_obj", array, np.ndarray)
        if array.dtype != self._buffer.array.dtype:
            raise RuntimeError(
                f"data type not equal! Numpy type: {array.dtype.type}, Tensor type: {self.dtype}"
            )
        if array.nbytes != self.data_size:
            raise RuntimeError(
                f"data size not equal! Numpy size: {array.nbytes}, Tensor size: {self.data_size}"
            )
        self._buffer.array = np.ascontiguousarray(array).reshape(self._buffer.array.shape)

    def get_data_to_numpy(self) -> np.ndarray:
        return self._buffer.array.view()


@dataclass
class StandIn:
    """A model: what it takes and gives, what fails, and what it was asked."""

    takes: Arrays
    computes: Callable[[Arrays], Sequence[np.ndarray]]
    fails_to_build: bool = False
    fails_to_predict: bool = False
    built: list[str] = field(default_factory=list)
    targets: list[list[str]] = field(default_factory=list)
    fed: list[dict[str, np.ndarray]] = field(default_factory=list)
    inputs: list[Buffer] = field(default_factory=list)  # of the model that was built last

    def module(self) -> Any:
        """To stand in ``sys.modules``."""
        module, stand_in = ModuleType("mindspore_lite"), self
        classes = (Context, Tensor, ModelType, DataType)
        module.__dict__.update({each.__name__: each for each in classes})
        module.__dict__["Model"] = lambda: Model(stand_in)
        return module


class Model:
    __slots__ = ("_outputs", "_stand_in")

    def __init__(self, stand_in: StandIn) -> None:
        self._stand_in = stand_in
        self._outputs: list[Buffer] = []

    def build_from_file(self, path: str, kind: ModelType, context: Context) -> None:
        for name, value, right in (
            ("model_path", path, str),
            ("model_type", kind, ModelType),
            ("context", context, Context),
        ):
            _require(name, value, right)
        if not Path(path).exists():
            raise RuntimeError("build_from_file failed, model_path does not exist!")
        if self._stand_in.fails_to_build:
            os.write(2, "\n".join(FAILED_BUILD).encode())
            raise RuntimeError("build_from_file failed! Error is Common error code.")
        self._stand_in.built.append(path)
        self._stand_in.targets.append(context.target)
        self._stand_in.inputs = [
            Buffer(name, array.copy()) for name, array in self._stand_in.takes.items()
        ]

    def get_inputs(self) -> list[Tensor]:
        return [Tensor(buffer) for buffer in self._stand_in.inputs]

    def predict(self, inputs: list[Tensor]) -> list[Tensor]:
        _require("inputs", inputs, list)
        for tensor in inputs:
            _require("inputs element", tensor, Tensor)
        if self._stand_in.fails_to_predict or len(inputs) != len(self._stand_in.inputs):
            raise RuntimeError("predict failed!")
        # by place, whatever they are called
        given = [tensor.get_data_to_numpy() for tensor in inputs]
        named = {own.name: array for own, array in zip(self._stand_in.inputs, given, strict=True)}
        self._stand_in.fed.append({name: array.copy() for name, array in named.items()})
        self._give(self._stand_in.computes(named))
        return [Tensor(buffer) for buffer in self._outputs]

    def _give(self, arrays: Sequence[np.ndarray]) -> None:
        """Overwrite what the last run gave."""
        if not self._outputs:
            self._outputs = [Buffer(f"out{i}", array.copy()) for i, array in enumerate(arrays)]
        for buffer, array in zip(self._outputs, arrays, strict=True):
            buffer.array[...] = array


def _require(name: str, value: object, kind: type) -> None:
    if not isinstance(value, kind):
        raise TypeError(f"{name} must be {kind.__name__}, but got {type(value)}.")
