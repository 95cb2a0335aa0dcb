"""The real MindSpore Lite 2.0, whose own Python code runs here over its C++ interface.

The wheel's extension module is for Python 3.7; ``install`` puts another in its place, made with g++
and ctypes. Where the unzipped wheel lies is told by the environment variable ``WHEEL``.
"""

from __future__ import annotations

import ctypes
import os
import shutil
import subprocess
import sys
from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np

WHEEL = "FOCUS_DETR_LITE_WHEEL"
SOURCE = Path(__file__).with_name("lite_library.cc")
# the numbers of mindspore::DataType
TYPES = {30: "Bool", 34: "Int32", 35: "Int64", 37: "UInt8", 42: "Float16", 43: "Float32"}


def problem() -> str | None:
    """Why the library cannot be used here; None if it can."""
    folder = os.environ.get(WHEEL)
    if not folder:
        return f"{WHEEL} does not name the unzipped wheel of MindSpore Lite 2.0"
    if not (Path(folder) / "mindspore_lite" / "lib").is_dir():
        return f"{WHEEL}={folder} has no mindspore_lite/lib"
    return None if shutil.which("g++") else "no g++ to build tests/lite_library.cc with"


def build(folder: Path) -> Path:
    """Compile the C functions."""
    wheel = Path(os.environ[WHEEL]).absolute() / "mindspore_lite"
    library, found = folder / "lite_library.so", wheel / "lib"
    options = ["-std=c++17", "-O1", "-shared", "-fPIC", "-D_GLIBCXX_USE_CXX11_ABI=0"]
    options += [f"-I{wheel}", f"-I{wheel / 'include'}", f"-L{found}", f"-Wl,-rpath,{found}"]
    options += [f"-Wl,-rpath-link,{found}", "-Wl,--disable-new-dtags"]
    libraries = ["-l:libmindspore-extendrt_python.so", "-l:libmindspore_converter.so"]
    command = ["g++", *options, str(SOURCE), "-o", str(library), *libraries]
    subprocess.run(command, check=True)
    return library


def install(library: Path) -> Any:
    """The module ``mindspore_lite`` of the wheel; not beside MindSpore, whose libraries clash."""
    assert "mindspore" not in sys.modules
    sys.path.append(os.environ[WHEEL])
    name = "mindspore_lite.lib._c_lite_wrapper"
    sys.modules[name] = _extension(name, _functions(library))
    import mindspore_lite

    return mindspore_lite


def _functions(library: Path) -> ctypes.CDLL:
    functions = ctypes.CDLL(str(library))
    pointer = ctypes.c_void_p
    for name in ("build", "input", "output", "data"):
        getattr(functions, f"lite_{name}").restype = pointer
    for name in ("dimension", "bytes"):
        getattr(functions, f"lite_{name}").restype = ctypes.c_int64
    for name in ("count_inputs", "predict", "type", "rank", "bytes", "data"):
        getattr(functions, f"lite_{name}").argtypes = [pointer]
    for name in ("input", "output", "dimension"):
        getattr(functions, f"lite_{name}").argtypes = [pointer, ctypes.c_int]
    for name in ("give", "set_data"):
        getattr(functions, f"lite_{name}").argtypes = [pointer, pointer]
    functions.lite_name.argtypes = [pointer, ctypes.c_char_p, ctypes.c_int]
    return functions


class Labels:
    """An enumeration: every name stands for itself."""

    def __getattr__(self, name: str) -> str:
        return name


class Settings:
    """Takes every call; the model is built for the CPU whatever device was asked for."""

    def __getattr__(self, name: str) -> Any:
        return lambda *arguments: None


class Status:
    def __init__(self, succeeded: bool) -> None:
        self._succeeded = succeeded

    def IsOk(self) -> bool:
        return self._succeeded

    def ToString(self) -> str:
        return "Common error code."


def _extension(name: str, functions: ctypes.CDLL) -> ModuleType:
    """What the wheel's Python code asks of its extension module."""

    class TensorBind:
        def __init__(self, pointer: int) -> None:
            self.pointer = pointer
            self._kept: np.ndarray | None = None

        def get_tensor_name(self) -> str:
            text = ctypes.create_string_buffer(1000)
            functions.lite_name(self.pointer, text, len(text))
            return text.value.decode()

        def get_data_type(self) -> str:
            return f"kNumberType{TYPES[functions.lite_type(self.pointer)]}"

        def get_shape(self) -> list[int]:
            rank = functions.lite_rank(self.pointer)
            return [functions.lite_dimension(self.pointer, axis) for axis in range(rank)]

        def get_data_size(self) -> int:
            return functions.lite_bytes(self.pointer)

        def set_data_from_numpy(self, array: np.ndarray) -> None:
            self._kept = array
            functions.lite_set_data(self.pointer, array.ctypes.data)

        def get_data_to_numpy(self) -> np.ndarray:
            memory = (ctypes.c_uint8 * self.get_data_size()).from_address(
                functions.lite_data(self.pointer)
            )
            kind = TYPES[functions.lite_type(self.pointer)].lower()
            return np.frombuffer(memory, kind).reshape(self.get_shape())

    class ModelBind:
        _session: int | None = None

        def build_from_file(self, path: str, kind: str, context: object) -> Status:
            self._session = functions.lite_build(path.encode())
            return Status(self._session is not None)

        def get_inputs(self) -> list[TensorBind]:
            count = functions.lite_count_inputs(self._session)
            return [TensorBind(functions.lite_input(self._session, i)) for i in range(count)]

        def predict(self, inputs: list[TensorBind]) -> list[TensorBind]:
            for tensor in inputs:
                functions.lite_give(self._session, tensor.pointer)
            count = functions.lite_predict(self._session)
            return [TensorBind(functions.lite_output(self._session, i)) for i in range(count)]

    module = ModuleType(name)
    enumerations = dict.fromkeys(("DataType", "Format", "ModelType", "FmkType"), Labels())
    devices = ("ContextBind", "CPUDeviceInfoBind", "GPUDeviceInfoBind", "AscendDeviceInfoBind")
    module.__dict__.update(enumerations | dict.fromkeys(devices, Settings))
    module.__dict__.update({"TensorBind": TensorBind, "ModelBind": ModelBind})
    return module
