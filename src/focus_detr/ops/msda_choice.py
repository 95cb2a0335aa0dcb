"""The one door to deformable sampling: picks an implementation when a network is built.

| device | ``auto`` and ``custom`` |
|---|---|
| CPU, GPU | the native library of ``custom_ops``, fused |
| Ascend | MindSpore's built-in primitive; our operator for sizes that it refuses |

Where that is not available, ``auto`` falls back to the composition and says so once per process;
``custom`` is an error. ``composition`` is always available.
"""

from __future__ import annotations

import logging
import os

import mindspore as ms
from mindspore import nn

from focus_detr.errors import FocusDetrError
from focus_detr.ops.msda_ascend import AscendSampling, ascend_problem
from focus_detr.ops.msda_builtin import BuiltinSampling, builtin_problem
from focus_detr.ops.msda_composition import ComposedSampling, PlacedSampling
from focus_detr.ops.msda_custom import FusedSampling
from focus_detr.ops.msda_library import BUILD_COMMANDS, LibraryError, find_library

CHOICE_VARIABLE = "FOCUS_DETR_MSDA"
AUTO, CUSTOM, COMPOSITION = CHOICES = ("auto", "custom", "composition")
BUILTIN_DEVICE = "Ascend"

_log = logging.getLogger(__name__)
_told: set[str] = set()  # reasons of this process that were given already


def build_sampling(setting: str, *, depth: int, heads: int, levels: int, points: int) -> nn.Cell:
    """The cell that samples values for deformable attention on the device in use.

    Its arguments are those of ``PlacedSampling``.

    Args:
        setting: auto, custom or composition; the environment variable ``FOCUS_DETR_MSDA`` wins.
        depth: channels of a head.
        heads: M.
        levels: L.
        points: P.

    Raises:
        FocusDetrError: no such choice, or ``custom`` is not available; says why.
    """
    choice, source = _chosen(setting)
    if choice == COMPOSITION:
        return PlacedSampling(ComposedSampling())
    device = ms.get_context("device_target")
    try:
        return _native(device, depth, heads, levels, points)
    except LibraryError as error:
        if choice == CUSTOM:
            raise FocusDetrError(f"{source} is custom, but {error}; {_advice(device)}") from error
        _tell(f"deformable attention is composed, which is slower: {error}; {_advice(device)}")
        return PlacedSampling(ComposedSampling())


def _chosen(setting: str) -> tuple[str, str]:
    """The choice and where it comes from."""
    value = os.environ.get(CHOICE_VARIABLE)
    choice, source = (value, CHOICE_VARIABLE) if value else (setting, "model.msda")
    if choice not in CHOICES:
        raise FocusDetrError(f"{source} is {choice}, expected one of {', '.join(CHOICES)}")
    return choice, source


def _native(device: str, depth: int, heads: int, levels: int, points: int) -> nn.Cell:
    """The best implementation for a device; ``LibraryError`` if there is none."""
    if device != BUILTIN_DEVICE:
        return FusedSampling(find_library(device), device)
    return PlacedSampling(_on_ascend(depth, heads, levels, points))


def _on_ascend(depth: int, heads: int, levels: int, points: int) -> nn.Cell:
    refusal = builtin_problem(depth, heads, levels, points)
    if refusal is None:
        return BuiltinSampling()
    problem = ascend_problem(depth, levels, points)
    if problem is not None:
        raise LibraryError(f"{refusal}, and {problem}")
    return AscendSampling()


def _advice(device: str) -> str:
    command = f"`{BUILD_COMMANDS[device]}` in the repository"
    if device == BUILTIN_DEVICE:
        return f"choose other sizes, or build our operator with {command}"
    return f"build the native library with {command}"


def _tell(reason: str) -> None:
    if reason not in _told:
        _told.add(reason)
        _log.warning(reason)
