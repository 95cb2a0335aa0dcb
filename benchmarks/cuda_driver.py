"""Memory, stream and clock of a GPU through its driver; nothing else has to be installed."""

from __future__ import annotations

import ctypes
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

DRIVER = "libcuda.so.1"
NAME_BYTES = 256
MULTIPROCESSORS, MAJOR, MINOR = 16, 75, 76  # CUdevice_attribute
NON_BLOCKING = 1  # CUstream_flags


class CudaError(Exception):
    """There is no usable GPU, or the driver refused a call; the text says which and why."""


@dataclass(frozen=True)
class Buffer:
    """Device memory that holds an array."""

    address: int
    shape: tuple[int, ...]
    dtype: np.dtype

    @property
    def bytes(self) -> int:
        """Size in bytes."""
        return int(np.prod(self.shape)) * self.dtype.itemsize


class Gpu:
    """The first GPU of this machine, with a stream of its own.

    Args:
        driver: file name of the driver's library.

    Raises:
        CudaError: there is no driver or no GPU.
    """

    def __init__(self, driver: str = DRIVER) -> None:
        try:
            self._driver = ctypes.CDLL(driver)
        except OSError as error:
            raise CudaError(f"there is no driver of a GPU here ({error})") from error
        self._call("cuInit", 0)
        device, context, stream = ctypes.c_int(), ctypes.c_void_p(), ctypes.c_void_p()
        self._call("cuDeviceGet", ctypes.byref(device), 0)
        # the context that the CUDA runtime inside the library uses too
        self._call("cuDevicePrimaryCtxRetain", ctypes.byref(context), device)
        self._call("cuCtxSetCurrent", context)
        self._call("cuStreamCreate", ctypes.byref(stream), NON_BLOCKING)
        self._device, self.stream = device, stream
        self._events = (self._event(), self._event())
        self._buffers: list[Buffer] = []

    def describe(self) -> str:
        """Name, compute capability and multiprocessors."""
        name = ctypes.create_string_buffer(NAME_BYTES)
        self._call("cuDeviceGetName", name, NAME_BYTES, self._device)
        major, minor, count = (self._attribute(key) for key in (MAJOR, MINOR, MULTIPROCESSORS))
        return f"{name.value.decode()} (sm_{major}{minor}, {count} multiprocessors)"

    def empty(self, shape: tuple[int, ...], dtype: np.dtype | type) -> Buffer:
        """Device memory for an array, filled with bytes 0xFF: NaN, so that gaps show."""
        buffer = Buffer(0, shape, np.dtype(dtype))
        address = ctypes.c_uint64()
        self._call("cuMemAlloc_v2", ctypes.byref(address), ctypes.c_size_t(max(buffer.bytes, 1)))
        buffer = Buffer(address.value, shape, np.dtype(dtype))
        self.fill(buffer)
        self.wait()
        self._buffers.append(buffer)
        return buffer

    def upload(self, array: np.ndarray) -> Buffer:
        """A copy of an array on the device."""
        array = np.ascontiguousarray(array)
        buffer = self.empty(array.shape, array.dtype)
        source = array.ctypes.data_as(ctypes.c_void_p)
        size = ctypes.c_size_t(array.nbytes)
        self._call("cuMemcpyHtoD_v2", ctypes.c_uint64(buffer.address), source, size)
        return buffer

    def download(self, buffer: Buffer) -> np.ndarray:
        """A copy of device memory, once the stream is done."""
        self.wait()
        array = np.empty(buffer.shape, buffer.dtype)
        target, size = array.ctypes.data_as(ctypes.c_void_p), ctypes.c_size_t(array.nbytes)
        self._call("cuMemcpyDtoH_v2", target, ctypes.c_uint64(buffer.address), size)
        return array

    def free_all(self) -> None:
        """Give back all memory."""
        self.wait()
        for buffer in self._buffers:
            self._call("cuMemFree_v2", ctypes.c_uint64(buffer.address))
        self._buffers.clear()

    def fill(self, buffer: Buffer) -> None:
        """Put bytes 0xFF into a buffer, in the stream."""
        address, size = ctypes.c_uint64(buffer.address), ctypes.c_size_t(buffer.bytes)
        self._call("cuMemsetD8Async", address, ctypes.c_ubyte(0xFF), size, self.stream)

    def copy(self, source: Buffer, target: Buffer) -> None:
        """Copy a buffer to another of its size, in the stream."""
        addresses = (ctypes.c_uint64(target.address), ctypes.c_uint64(source.address))
        self._call("cuMemcpyDtoDAsync_v2", *addresses, ctypes.c_size_t(source.bytes), self.stream)

    def wait(self) -> None:
        """Until the stream is done."""
        self._call("cuStreamSynchronize", self.stream)

    def time(
        self, call: Callable[[], object], repeat: int, before: Callable[[], object] | None = None
    ) -> list[float]:
        """Milliseconds on the device of each call, which puts its work into the stream.

        ``before`` is called before each and not timed.
        """
        begin, end = self._events
        milliseconds, times = ctypes.c_float(), []
        for _ in range(repeat):
            if before is not None:
                before()
            self._call("cuEventRecord", begin, self.stream)
            call()
            self._call("cuEventRecord", end, self.stream)
            self._call("cuEventSynchronize", end)
            self._call("cuEventElapsedTime", ctypes.byref(milliseconds), begin, end)
            times.append(milliseconds.value)
        return times

    def _event(self) -> ctypes.c_void_p:
        event = ctypes.c_void_p()
        self._call("cuEventCreate", ctypes.byref(event), 0)
        return event

    def _attribute(self, key: int) -> int:
        value = ctypes.c_int()
        self._call("cuDeviceGetAttribute", ctypes.byref(value), key, self._device)
        return value.value

    def _call(self, name: str, *arguments: object) -> None:
        status = getattr(self._driver, name)(*arguments)
        if status:
            raise CudaError(f"{name} of the GPU's driver failed with status {status}")
