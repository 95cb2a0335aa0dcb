"""Reads the pickles of torch and NumPy without running anything that they name.

A pickle may call whatever it names. Here it can name only the builders of tensors, arrays and
plain containers, and the settings of a training, and gets our own stand-ins for them; any other
name ends the reading.
"""

from __future__ import annotations

import pickle
from collections import Counter, OrderedDict
from collections.abc import Callable
from typing import Any, BinaryIO

from focus_detr.weights.lazy_tensors import (
    LazyTensor,
    PickledArray,
    PickledDtype,
    Storage,
    StorageType,
)

STORAGE_TYPES: dict[str, StorageType] = {
    "DoubleStorage": StorageType("f8"),
    "FloatStorage": StorageType("f4"),
    "HalfStorage": StorageType("f2"),
    "BFloat16Storage": StorageType("u2", is_bfloat16=True),
    "LongStorage": StorageType("i8"),
    "IntStorage": StorageType("i4"),
    "ShortStorage": StorageType("i2"),
    "CharStorage": StorageType("i1"),
    "ByteStorage": StorageType("u1"),
    "BoolStorage": StorageType("?"),
}

FindStorage = Callable[[tuple[Any, ...]], Storage]


class ForbiddenGlobalError(Exception):
    """The pickle names something that could run code; ``args[0]`` is the name."""


class _Builder:
    """A function that a pickle may call but not change."""

    __slots__ = ("_call",)
    _call: Callable[..., Any]

    def __init__(self, call: Callable[..., Any]) -> None:
        object.__setattr__(self, "_call", call)

    def __call__(self, *arguments: Any) -> Any:
        """Call the function."""
        return self._call(*arguments)

    def __setattr__(self, name: str, value: object) -> None:
        raise pickle.UnpicklingError("a pickle may not change what it calls")


class _PassedOver:
    """Stand-in for what training programs save beside the tensors; it keeps nothing."""

    __slots__ = ()

    def __setstate__(self, state: object) -> None:
        pass


def _rebuild_tensor(
    storage: Storage, offset: int, size: tuple[int, ...], stride: tuple[int, ...], *_: object
) -> LazyTensor:
    if not isinstance(storage, Storage):
        raise pickle.UnpicklingError("a tensor has no storage")
    return LazyTensor(storage, offset, tuple(size), tuple(stride))


def _rebuild_parameter(tensor: LazyTensor, *_: object) -> LazyTensor:
    return tensor


def _array_from_buffer(
    data: bytes | bytearray, dtype: PickledDtype, shape: tuple[int, ...], order: str
) -> PickledArray:
    return PickledArray(shape, dtype, order == "F", data)


def _array_scalar(dtype: PickledDtype, data: bytes = b"") -> PickledArray:
    return PickledArray((), dtype, False, data)


def _encode(text: str, encoding: str) -> bytes:
    if encoding != "latin1":
        raise pickle.UnpicklingError(f"bytes in the encoding {encoding}")
    return text.encode("latin1")


def _builders() -> dict[tuple[str, str], _Builder]:
    functions: dict[tuple[str, str], Callable[..., Any]] = {
        ("collections", "OrderedDict"): OrderedDict,
        ("collections", "Counter"): Counter,
        ("builtins", "set"): set,
        ("__builtin__", "set"): set,
        ("_codecs", "encode"): _encode,
        ("torch", "Size"): tuple,
        ("torch._utils", "_rebuild_tensor"): _rebuild_tensor,
        ("torch._utils", "_rebuild_tensor_v2"): _rebuild_tensor,
        ("torch._utils", "_rebuild_parameter"): _rebuild_parameter,
        ("numpy", "dtype"): PickledDtype,
        ("numpy", "ndarray"): lambda *_: None,  # only named, as _reconstruct's first argument
    }
    for package in ("numpy.core", "numpy._core"):
        functions[f"{package}.multiarray", "_reconstruct"] = lambda *_: PickledArray()
        functions[f"{package}.multiarray", "scalar"] = _array_scalar
        functions[f"{package}.numeric", "_frombuffer"] = _array_from_buffer
    return {name: _Builder(function) for name, function in functions.items()}


_BUILDERS = _builders()
# the command line of a training, which Deformable DETR's code and all that follow it save
_NAMESPACE = ("argparse", "Namespace")


class RestrictedUnpickler(pickle.Unpickler):
    """Unpickler for one pickle.

    Args:
        file: where the pickle begins.
        find_storage: turns the description of a torch storage into one.
        load_nested: reads the torch file that a plainly pickled tensor carries as bytes.
    """

    def __init__(
        self,
        file: BinaryIO,
        find_storage: FindStorage | None = None,
        load_nested: Callable[[bytes], Any] | None = None,
    ) -> None:
        super().__init__(file, encoding="latin1")  # Python 2 wrote array bytes as text
        self._find_storage = find_storage
        self._load_nested = load_nested

    def find_class(self, module: str, name: str) -> Any:
        """The stand-in for a global.

        Raises:
            ForbiddenGlobalError: it is none of those that tensors are made of.
        """
        if module == "torch" and name in STORAGE_TYPES:
            return STORAGE_TYPES[name]
        if (module, name) == ("torch.storage", "_load_from_bytes") and self._load_nested:
            return _Builder(self._load_nested)
        if (module, name) == _NAMESPACE:
            return _PassedOver
        if (module, name) not in _BUILDERS:
            raise ForbiddenGlobalError(f"{module}.{name}")
        return _BUILDERS[module, name]

    def persistent_load(self, identity: Any) -> Storage:
        """The storage that torch wrote outside the pickle."""
        is_storage = isinstance(identity, tuple) and len(identity) >= 5 and identity[0] == "storage"
        if self._find_storage is None or not is_storage:
            raise pickle.UnpicklingError("the pickle refers to something outside it")
        return self._find_storage(identity)
