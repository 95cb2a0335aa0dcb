"""What a compiled graph depends on, as names that differ when it might."""

from __future__ import annotations

import copy
import functools
import hashlib
import json
import os
import platform
import re
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import mindspore as ms
import numpy as np
from mindspore import Tensor, nn

import focus_detr
from focus_detr.config.loading import to_dict
from focus_detr.config.schema import Config
from focus_detr.io.files import sha256_of
from focus_detr.ops.msda_library import find_library
from focus_detr.ops.native_library import LibraryError
from focus_detr.ops.products_choice import chosen_library

# Whatever is not named here counts, so that a new setting can do no harm. These reach a graph
# through the shapes of its inputs and the values of its weights, or not at all.
_SECTIONS_WITHOUT_INFLUENCE = ("data", "eval")
_TRAIN_SETTINGS_WITHOUT_INFLUENCE = (
    "output_dir",
    "init_checkpoint",
    "batch_size",
    "seed",
    "log_every",
    "eval_every",
    "pictures",
    "checkpoint_every",
    "keep_checkpoints",
    "spike_factor",
    "compile_cache",
    "schedule",
)
_ADDRESS = re.compile(r" at 0x[0-9a-f]+")  # of objects without a text of their own
_VARIABLES = ("FOCUS_DETR_", "MS_DEV_", "MS_ENABLE_", "MS_JIT")  # beginnings of their names


def run_identity(config: Config, workers: int) -> str:
    """Names what all graphs of a run depend on: settings, sources, versions, device.

    Args:
        config: with the number of classes filled in.
        workers: that train together.
    """
    device = ms.get_context("device_target")
    facts = {
        "settings": influential(config),
        "sources": list(_sources()),
        "libraries": [_hashed(lambda: find_library(device)), _hashed(chosen_library)],
        "variables": sorted(pair for pair in os.environ.items() if pair[0].startswith(_VARIABLES)),
        "versions": (ms.__version__, np.__version__, platform.python_version()),
        "machine": (platform.machine(), device),
        "workers": workers,
    }
    return _digest(json.dumps(facts))


def influential(config: Config) -> dict[str, Any]:
    """The settings that decide what a graph computes."""
    settings = copy.deepcopy(to_dict(config))
    for section in _SECTIONS_WITHOUT_INFLUENCE:
        del settings[section]
    for name in _TRAIN_SETTINGS_WITHOUT_INFLUENCE:
        del settings["train"][name]
    del settings["train"]["optimizer"]["lr"]  # an input of the graph
    return settings


def graph_name(cell: nn.Cell, inputs: tuple[Tensor, ...]) -> str:
    """Names one graph of a run: the cell as it is now and the shapes of its inputs.

    Args:
        cell: the class's name stands in front; its parts with mode and plain attributes, and its
            parameters count.
        inputs: shapes and types count.
    """
    parameters = [(*_signature(p), p.name, p.requires_grad) for p in cell.get_parameters()]
    states = [(place, _state(part)) for place, part in cell.cells_and_names()]
    facts = (repr(cell), states, parameters, [_signature(value) for value in inputs])
    return f"{type(cell).__name__.strip('_')}-{_digest(_ADDRESS.sub('', repr(facts)))}"


def _state(cell: nn.Cell) -> list[tuple[str, Any]]:
    """Mode and plain attributes of one cell: graphs hold them as constants, repr leaves them out.

    Private ones are MindSpore's, with clocks and counters of the process among them.
    """
    own = vars(cell).keys() - _attributes_of_any_cell()
    plain = [(name, getattr(cell, name)) for name in sorted(own) if not name.startswith("_")]
    return [
        ("training", cell.training),
        *((name, value) for name, value in plain if isinstance(value, bool | int | float | str)),
    ]


@functools.cache
def _attributes_of_any_cell() -> frozenset[str]:
    return frozenset(vars(nn.Cell())) | {"current_phase"}  # which a cell gets when it first runs


def _signature(value: Tensor) -> tuple[Any, ...]:
    return tuple(value.shape), str(value.dtype)


def _sources() -> Iterator[tuple[str, str]]:
    """Every file of the package and its hash."""
    folder = Path(focus_detr.__file__).parent
    for path in sorted(folder.rglob("*.py")):
        yield str(path.relative_to(folder)), sha256_of(path)


def _hashed(find: Callable[[], Path | None]) -> tuple[str, str] | None:
    """A native library: a graph names its file."""
    try:
        path = find()
    except LibraryError:
        return None
    return None if path is None else (str(path), sha256_of(path))


def _digest(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()[:32]
