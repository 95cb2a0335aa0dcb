"""Our checkpoints: one safetensors file with JSON values in its metadata.

Metadata of a model: ``format_version``, ``class_names``, ``category_ids``, ``model`` (its
settings) and ``source``. Training adds its own keys, and tensors below ``optimizer.``.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import mindspore as ms
import numpy as np
from mindspore import Parameter, Tensor, nn
from safetensors import SafetensorError, safe_open
from safetensors.numpy import save_file

from focus_detr.errors import FocusDetrError
from focus_detr.io.files import whole_file
from focus_detr.process.program import called
from focus_detr.weights.difference import Difference, Patterns, compare, matches
from focus_detr.wording import counted

FORMAT_VERSION = 1
OPTIMIZER_PREFIX = "optimizer."
# their shape follows the number of classes
CLASS_TENSORS = r"^((encoder_heads\.)?class_heads\.|label_embed$)"
_CLASS_HEADS = "class_heads."  # their first axis is the number of classes
_VERSION_KEY = "format_version"
# names in checkpoints of earlier versions, and what stands there today
_RENAMED = ((r"(^|\.)proposals\.query_embed$", r"\1queries.query_embed"),)


@dataclass(frozen=True)
class Checkpoint:
    """Tensors by name, and what is known about them."""

    tensors: Mapping[str, np.ndarray]
    metadata: Mapping[str, Any]
    path: Path | None = None

    @property
    def label(self) -> str:
        """How messages call it."""
        return "the checkpoint" if self.path is None else str(self.path)


def _in_c_order(tensor: np.ndarray) -> np.ndarray:
    return np.asarray(tensor, order="C")


def save_checkpoint(
    path: str | Path, tensors: Mapping[str, np.ndarray], metadata: Mapping[str, object]
) -> None:
    """Write a checkpoint whole or not at all.

    Args:
        path: file to write or replace; its folder is made if need be.
        tensors: arrays by name.
        metadata: values that JSON can hold; ``format_version`` is added.

    Raises:
        FocusDetrError: it cannot be written, for instance on a full disk; the old file stays.
    """
    described = {**metadata, _VERSION_KEY: FORMAT_VERSION}
    texts = {key: json.dumps(value, ensure_ascii=False) for key, value in described.items()}
    arrays = {name: _in_c_order(tensor) for name, tensor in tensors.items()}
    with whole_file(Path(path)) as part:
        save_file(arrays, part, metadata=texts)


def load_checkpoint(path: str | Path) -> Checkpoint:
    """Read a checkpoint.

    Raises:
        FocusDetrError: the file is missing, damaged or of another format.
    """
    path = Path(path)
    with _opened(path) as file:
        metadata = _parse_metadata(path, file.metadata() or {})
        stored = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118  (no mapping)
    tensors = {_present_name(name): tensor for name, tensor in stored.items()}
    return Checkpoint(tensors, metadata, path)


def read_metadata(path: str | Path) -> dict[str, Any]:
    """What is known about a checkpoint's tensors, without reading them; errors as for them."""
    path = Path(path)
    with _opened(path) as file:
        return _parse_metadata(path, file.metadata() or {})


@contextmanager
def _opened(path: Path) -> Iterator[Any]:
    if not path.is_file():
        raise FocusDetrError(f"there is no checkpoint {path}")
    try:
        with safe_open(path, framework="numpy") as file:
            yield file
    except (SafetensorError, OSError, TypeError) as error:
        raise FocusDetrError(_unreadable(path, error)) from error


def _present_name(name: str) -> str:
    """The name that a tensor has today, also below ``optimizer.``."""
    for pattern, replacement in _RENAMED:
        name = re.sub(pattern, replacement, name)
    return name


def _unreadable(path: Path, error: Exception) -> str:
    if path.suffix in (".pth", ".pt", ".pkl"):
        return f"{path} is a torch checkpoint; convert it with {called('convert')} first"
    return f"{path} is damaged or not a safetensors checkpoint ({error})"


def _parse_metadata(path: Path, texts: Mapping[str, str]) -> dict[str, Any]:
    foreign = (
        f"{path} was not written by this program; convert its torch original with "
        f"{called('convert')}"
    )
    if _VERSION_KEY not in texts:
        raise FocusDetrError(foreign)
    try:
        metadata = {key: json.loads(text) for key, text in texts.items()}
    except json.JSONDecodeError as error:
        raise FocusDetrError(foreign) from error
    version = metadata[_VERSION_KEY]
    if version != FORMAT_VERSION:
        raise FocusDetrError(
            f"{path} has format version {version}, this program reads {FORMAT_VERSION}"
        )
    return metadata


def model_tensors(model: nn.Cell) -> dict[str, np.ndarray]:
    """Copies of all parameters of a model by name, frozen ones included."""
    return {name: parameter.asnumpy().copy() for name, parameter in model.parameters_and_names()}


def load_into(
    model: nn.Cell, checkpoint: Checkpoint, *, skip: Patterns = (), prefix: str = ""
) -> Difference:
    """Set a model's parameters from a checkpoint; optimiser tensors are left aside.

    Args:
        model: to fill; unchanged if anything does not fit.
        checkpoint: to take from.
        skip: regular expressions of tensors that may differ; what they match keeps its value.
        prefix: fill only parameters whose name starts so, from tensors whose name does
            (``backbone.`` for ImageNet weights).

    Returns:
        What ``skip`` has excused.

    Raises:
        FocusDetrError: tensors are missing, unexpected or misshapen, with a list of them.
    """
    wanted = {
        name: parameter
        for name, parameter in model.parameters_and_names()
        if name.startswith(prefix)
    }
    offered = {
        name: tensor
        for name, tensor in checkpoint.tensors.items()
        if name.startswith(prefix) and not name.startswith(OPTIMIZER_PREFIX)
    }
    difference = compare(
        {name: parameter.shape for name, parameter in wanted.items()},
        {name: tensor.shape for name, tensor in offered.items()},
    )
    refuse_difference(difference.without(skip), checkpoint.label)
    for name, parameter in wanted.items():
        if name in offered and not matches(name, skip):
            _set(parameter, offered[name])
    return difference


def _set(parameter: Parameter, values: np.ndarray) -> None:
    dtype = ms.dtype_to_nptype(parameter.dtype)
    parameter.set_data(Tensor(values.astype(dtype, copy=False)))


def refuse_difference(difference: Difference, label: str) -> None:
    """Raise if tensors do not fit.

    Raises:
        FocusDetrError: with the list; another number of classes is named first.
    """
    if not difference:
        return
    classes = [entry for entry in difference.misshapen if entry.name.startswith(_CLASS_HEADS)]
    if classes and not difference.without([CLASS_TENSORS]):
        _, expected, found = classes[0]
        raise FocusDetrError(
            f"{label} has {counted(found[0], 'class')}, the model {expected[0]}; to fine-tune it "
            "with new class heads set train.init_checkpoint"
        )
    raise FocusDetrError(f"{label} does not fit the model: {difference}")
