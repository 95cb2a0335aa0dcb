"""Torch checkpoints without torch: zip files, the format before torch 1.6, and plain pickles.

Nothing that a file names is run (see ``restricted_pickle``), and only the tensors of its state dict
are read, not those of an optimiser saved with it.
"""

from __future__ import annotations

import functools
import io
import pickle
import struct
import zipfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any, BinaryIO

import numpy as np

from focus_detr.errors import FocusDetrError
from focus_detr.weights.lazy_tensors import LazyTensor, PickledArray, Storage, StorageType
from focus_detr.weights.restricted_pickle import ForbiddenGlobalError, RestrictedUnpickler

_ZIP_START = b"PK\x03\x04"
_LEGACY_MAGIC = 0x1950A86A20F9469CFC6C
_LEGACY_PROTOCOL = 1001
_STATE_KEYS = ("model", "state_dict")  # where training programs put the state dict
_WRAPPER = "module."  # added to every name by data-parallel training
_CACHED_STORAGES = 4


def read_state_dict(path: str | Path) -> dict[str, np.ndarray]:
    """Read the tensors of a ``.pth``, ``.pt`` or ``.pkl`` checkpoint.

    A state dict below ``model`` or ``state_dict`` is taken from there, and a ``module.`` before
    all names is dropped. bfloat16 becomes float32; other types stay.

    Args:
        path: file that ``torch.save`` wrote, or a pickle of arrays by name as detectron2's.

    Returns:
        Arrays by torch name, contiguous and independent of each other.

    Raises:
        FocusDetrError: the file is missing or damaged, holds no tensors, or names code to run.
    """
    path = Path(path)
    if not path.is_file():
        raise FocusDetrError(f"there is no checkpoint {path}")
    with _errors_named(path), path.open("rb") as file:
        content = _read_any(file)
        tensors = _state_dict(content, path)
        return {name: tensor.to_array() for name, tensor in tensors.items()}


@contextmanager
def _errors_named(path: Path) -> Iterator[None]:
    try:
        yield
    except FocusDetrError:
        raise
    except ForbiddenGlobalError as error:
        raise FocusDetrError(
            f"{path} names {error.args[0]}, which could run code, and is not read; if you trust "
            "it, install torch, read it with torch.load(..., weights_only=True) and "
            "save its state dict alone"
        ) from error
    except Exception as error:  # a broken pickle can fail in any way
        raise FocusDetrError(
            f"{path} is damaged or not a torch checkpoint ({type(error).__name__}: {error})"
        ) from error


def _read_any(file: BinaryIO) -> Any:
    start = file.read(len(_ZIP_START))
    file.seek(0)
    if start == _ZIP_START:
        return _ZipReader(zipfile.ZipFile(file)).read()
    return _read_stream(file)


def _state_dict(content: Any, path: Path) -> dict[str, LazyTensor | PickledArray]:
    for key in _STATE_KEYS:
        if isinstance(content, Mapping) and isinstance(content.get(key), Mapping):
            content = content[key]
    tensors = {
        name: value
        for name, value in (content.items() if isinstance(content, Mapping) else ())
        if isinstance(name, str) and isinstance(value, LazyTensor | PickledArray)
    }
    if not tensors:
        raise FocusDetrError(f"{path} holds no tensors by name")
    if all(name.startswith(_WRAPPER) for name in tensors):
        return {name.removeprefix(_WRAPPER): value for name, value in tensors.items()}
    return tensors


class _ZipReader:
    """The format of torch 1.6 and later: a zip with one pickle and one entry per storage."""

    def __init__(self, archive: zipfile.ZipFile) -> None:
        pickles = [name for name in archive.namelist() if name.endswith("/data.pkl")]
        if len(pickles) != 1:
            raise ValueError("a zip file without exactly one data.pkl")
        self._archive = archive
        self._pickle = pickles[0]
        self._folder = self._pickle.removesuffix("data.pkl")
        order = f"{self._folder}byteorder"
        self._is_big_endian = order in archive.namelist() and archive.read(order) == b"big"
        self._cached_entry = functools.lru_cache(_CACHED_STORAGES)(self._entry)

    def read(self) -> Any:
        """The pickled object, with lazy tensors."""
        data = self._entry(self._pickle)
        return RestrictedUnpickler(io.BytesIO(data), self._storage).load()

    def _storage(self, identity: tuple[Any, ...]) -> Storage:
        storage_type, key, length = _described(identity)
        read = functools.partial(self._cached_entry, f"{self._folder}data/{key}")
        return Storage(storage_type, length, read, self._is_big_endian)

    def _entry(self, name: str) -> bytes:
        if self._archive.getinfo(name).compress_type != zipfile.ZIP_STORED:
            raise ValueError("compressed entries, which torch never writes")
        return self._archive.read(name)


def _described(identity: tuple[Any, ...]) -> tuple[StorageType, str, int]:
    storage_type, key, _, length = identity[1:5]  # the third is the device
    if not isinstance(storage_type, StorageType) or type(length) is not int or length < 0:
        raise ValueError("a storage without type or size")
    if len(identity) > 5 and identity[5] is not None:
        raise ValueError("a storage that is part of another")
    return storage_type, str(key), length


def _read_stream(file: BinaryIO) -> Any:
    """A plain pickle, or the format before torch 1.6, which begins with a magic number."""
    first = RestrictedUnpickler(file, load_nested=_read_nested).load()
    return _LegacyReader(file).read() if first == _LEGACY_MAGIC else first


def _read_nested(data: bytes) -> Any:
    return _read_stream(io.BytesIO(data))


class _LegacyReader:
    """After the magic number: version, machine, object, keys of the storages, their bytes."""

    def __init__(self, file: BinaryIO) -> None:
        self._file = file
        self._storages: dict[str, Storage] = {}
        self._places: dict[str, tuple[int, int]] = {}  # key -> position and size in bytes
        self._is_big_endian = False

    def read(self) -> Any:
        """The pickled object, with lazy tensors."""
        version = RestrictedUnpickler(self._file).load()
        machine = RestrictedUnpickler(self._file).load()
        if version != _LEGACY_PROTOCOL or not isinstance(machine, dict):
            raise ValueError(f"protocol {version}")
        self._is_big_endian = not machine.get("little_endian", True)
        content = RestrictedUnpickler(self._file, self._storage).load()
        self._locate(RestrictedUnpickler(self._file).load())
        return content

    def _storage(self, identity: tuple[Any, ...]) -> Storage:
        storage_type, key, length = _described(identity)
        read = functools.partial(self._bytes_of, key)
        storage = Storage(storage_type, length, read, self._is_big_endian)
        return self._storages.setdefault(key, storage)

    def _locate(self, keys: list[str]) -> None:
        for key in keys:
            order = ">" if self._is_big_endian else "<"
            (length,) = struct.unpack(f"{order}q", self._file.read(8))
            storage = self._storages[key]
            if length != storage.length:
                raise ValueError(f"storage {key} has {length} elements, not {storage.length}")
            size = length * storage.type.width
            self._places[key] = (self._file.tell(), size)
            self._file.seek(size, io.SEEK_CUR)

    def _bytes_of(self, key: str) -> bytes:
        position, size = self._places[key]
        self._file.seek(position)
        data = self._file.read(size)
        if len(data) < size:
            raise pickle.UnpicklingError("the file ends early")
        return data
