"""Stand-ins for the tensors and arrays of a pickle; their values are read only when asked for."""

from __future__ import annotations

import math
import re
from collections.abc import Callable
from typing import Any, NamedTuple

import numpy as np

# a tensor may repeat its storage (stride 0); beyond this many elements that is no weight
_MOST_REPEATED = 2**26
_PLAIN_DTYPE = re.compile(r"[<>|=]?[biuf]\d{1,2}")


class StorageType(NamedTuple):
    """Element type of a torch storage, as a NumPy code; bfloat16 is kept in 16-bit integers."""

    code: str
    is_bfloat16: bool = False

    @property
    def width(self) -> int:
        """Bytes of one element."""
        return np.dtype(self.code).itemsize


class Storage(NamedTuple):
    """A flat run of elements that tensors are views of."""

    type: StorageType
    length: int
    read: Callable[[], bytes]
    is_big_endian: bool = False

    def elements(self) -> np.ndarray:
        """Values [length] in native byte order; bfloat16 becomes float32.

        Raises:
            ValueError: the file holds fewer bytes than it should.
        """
        dtype = np.dtype(self.type.code).newbyteorder(">" if self.is_big_endian else "<")
        raw = np.frombuffer(self.read(), dtype, count=self.length)
        raw = raw.astype(dtype.newbyteorder("="), copy=False)
        if self.type.is_bfloat16:
            return (raw.astype(np.uint32) << 16).view(np.float32)
        return raw


class LazyTensor(NamedTuple):
    """A torch tensor: a strided view of a storage."""

    storage: Storage
    offset: int
    size: tuple[int, ...]
    stride: tuple[int, ...]

    def to_array(self) -> np.ndarray:
        """The values as a contiguous array of their own.

        Raises:
            ValueError: the view leaves its storage.
        """
        self._check()
        elements = self.storage.elements()
        steps = tuple(stride * elements.itemsize for stride in self.stride)
        view = np.lib.stride_tricks.as_strided(
            elements[self.offset :], self.size, steps, writeable=False
        )
        return np.array(view, order="C")

    def _check(self) -> None:
        numbers = (self.offset, self.storage.length, *self.size, *self.stride)
        if not all(type(number) is int and number >= 0 for number in numbers):
            raise ValueError("a tensor has a size that is no natural number")
        if len(self.size) != len(self.stride):
            raise ValueError("a tensor has more sizes than strides")
        elements = math.prod(self.size)
        reach = sum((n - 1) * step for n, step in zip(self.size, self.stride, strict=True))
        if elements and self.offset + reach >= self.storage.length:
            raise ValueError("a tensor reaches beyond its storage")
        if elements > max(self.storage.length, _MOST_REPEATED):
            raise ValueError("a tensor repeats its storage too often")


class PickledDtype:
    """Element type of a pickled NumPy array."""

    __slots__ = ("_code", "_is_big_endian")

    def __init__(self, code: str, *_: object) -> None:
        self._code, self._is_big_endian = code, False

    def __setstate__(self, state: tuple[Any, ...]) -> None:
        """Take the byte order from NumPy's state tuple; only ">" is not ours."""
        self._is_big_endian = state[1] == ">"

    def dtype(self) -> np.dtype:
        """The NumPy type.

        Raises:
            ValueError: it is not a plain number or truth value.
        """
        if not _PLAIN_DTYPE.fullmatch(self._code):
            raise ValueError(f"arrays of type {self._code} are not read")
        return np.dtype(self._code).newbyteorder(">" if self._is_big_endian else "<")


class PickledArray:
    """A pickled NumPy array, before its values are looked at."""

    __slots__ = ("_state",)

    def __init__(self, *state: Any) -> None:
        self._state = state

    def __setstate__(self, state: tuple[Any, ...]) -> None:
        """Take (version, shape, type, is Fortran-ordered, bytes)."""
        self._state = tuple(state)[-4:]

    def to_array(self) -> np.ndarray:
        """The values as a contiguous array of their own.

        Raises:
            ValueError: the state is not that of a plain array.
        """
        if len(self._state) != 4 or not isinstance(self._state[1], PickledDtype):
            raise ValueError("an array is incomplete")
        shape, pickled, is_fortran, data = self._state
        if isinstance(data, str):  # written by Python 2
            data = data.encode("latin1")
        dtype = pickled.dtype()
        values = np.frombuffer(data, dtype).reshape(shape, order="F" if is_fortran else "C")
        return np.array(values, dtype.newbyteorder("="), order="C")
