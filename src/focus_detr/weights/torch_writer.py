"""Writes torch checkpoints without torch, for ``torch.load(..., weights_only=True)``.

The pickle is put together from opcodes (protocol 2): a pickler would have to import torch to name
its functions.
"""

from __future__ import annotations

import pickle
import struct
import zipfile
from collections.abc import Iterable, Mapping
from pathlib import Path

import numpy as np

from focus_detr.errors import FocusDetrError
from focus_detr.io.files import whole_file
from focus_detr.weights.restricted_pickle import STORAGE_TYPES

_FOLDER = "archive"
_FORMAT_VERSION = b"3\n"
_ZIP_EPOCH = (1980, 1, 1, 0, 0, 0)  # no clock in the file: equal tensors give equal bytes
_STORAGE_NAMES = {
    np.dtype(kind.code): name for name, kind in STORAGE_TYPES.items() if not kind.is_bfloat16
}
_ORDERED_DICT = b"ccollections\nOrderedDict\n" + pickle.EMPTY_TUPLE + pickle.REDUCE


def write_state_dict(
    path: str | Path, tensors: Mapping[str, np.ndarray], *, below: str | None = "model"
) -> None:
    """Write ``{below: tensors}`` as ``torch.save`` would, whole or not at all.

    Names that hold the same array object share one storage in the file.

    Args:
        path: file to write or replace.
        tensors: arrays by torch name.
        below: key of the state dict; None: the file is the state dict itself.

    Raises:
        FocusDetrError: the file cannot be written, or torch has no such element type.
    """
    storages = _storages(tensors)
    program = _program(tensors, storages, below)
    with whole_file(Path(path)) as part, zipfile.ZipFile(part, "w") as archive:
        _add(archive, "data.pkl", program)
        _add(archive, "byteorder", b"little")
        for tensor, key in storages.values():
            little = tensor.astype(tensor.dtype.newbyteorder("<"), order="C", copy=False)
            _add(archive, f"data/{key}", little.tobytes())
        _add(archive, "version", _FORMAT_VERSION)


def _storages(tensors: Mapping[str, np.ndarray]) -> dict[int, tuple[np.ndarray, str]]:
    """Array and storage key of each distinct array object."""
    storages: dict[int, tuple[np.ndarray, str]] = {}
    for name, tensor in tensors.items():
        if tensor.dtype.newbyteorder("=") not in _STORAGE_NAMES:
            raise FocusDetrError(f"{name} has type {tensor.dtype}, which torch files do not hold")
        storages.setdefault(id(tensor), (tensor, str(len(storages))))
    return storages


def _add(archive: zipfile.ZipFile, name: str, data: bytes) -> None:
    archive.writestr(zipfile.ZipInfo(f"{_FOLDER}/{name}", _ZIP_EPOCH), data)


def _program(
    tensors: Mapping[str, np.ndarray],
    storages: Mapping[int, tuple[np.ndarray, str]],
    below: str | None,
) -> bytes:
    items = b"".join(
        _text(name) + _tensor(tensor, storages[id(tensor)][1]) for name, tensor in tensors.items()
    )
    content = _ORDERED_DICT + pickle.MARK + items + pickle.SETITEMS
    if below is not None:
        content = pickle.EMPTY_DICT + _text(below) + content + pickle.SETITEM
    return pickle.PROTO + b"\x02" + content + pickle.STOP


def _tensor(tensor: np.ndarray, key: str) -> bytes:
    """A call of ``_rebuild_tensor_v2`` for a contiguous tensor without gradient or hooks."""
    arguments = (
        _storage(tensor, key),
        _integer(0),
        _integers(tensor.shape),
        _integers(_contiguous_strides(tensor.shape)),
        pickle.NEWFALSE,
        _ORDERED_DICT,
    )
    return b"ctorch._utils\n_rebuild_tensor_v2\n" + _tuple(arguments) + pickle.REDUCE


def _storage(tensor: np.ndarray, key: str) -> bytes:
    name = _STORAGE_NAMES[tensor.dtype.newbyteorder("=")]
    kind = f"ctorch\n{name}\n".encode()
    parts = (_text("storage"), kind, _text(key), _text("cpu"), _integer(tensor.size))
    return _tuple(parts) + pickle.BINPERSID


def _contiguous_strides(shape: tuple[int, ...]) -> tuple[int, ...]:
    strides, step = [], 1
    for size in reversed(shape):
        strides.append(step)
        step *= max(size, 1)
    return tuple(reversed(strides))


def _text(text: str) -> bytes:
    data = text.encode()
    return pickle.BINUNICODE + struct.pack("<I", len(data)) + data


def _integer(number: int) -> bytes:
    if number < 2**31:
        return pickle.BININT + struct.pack("<i", number)
    return pickle.LONG1 + b"\x08" + struct.pack("<q", number)


def _integers(numbers: Iterable[int]) -> bytes:
    return _tuple(_integer(number) for number in numbers)


def _tuple(parts: Iterable[bytes]) -> bytes:
    return pickle.MARK + b"".join(parts) + pickle.TUPLE
