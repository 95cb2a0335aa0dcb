"""The one door to deformable sampling: picks an implementation when a network is built.

| choice | what |
|---|---|
| ``composition`` | MindSpore's own operations, on any device |
| ``custom`` | our operator of ``custom_ops``: the native library, fused, on CPU and GPU; AscendC |
| ``builtin`` | MindSpore's primitive, on Ascend |
| ``auto`` | on Ascend ``builtin`` and, for sizes that it refuses, ``custom``; else ``custom`` |

Where that is not available, ``auto`` falls back to the composition and says so once per process;
any other choice is an error.
"""

from __future__ import annotations

import logging
import os
from dataclasses import dataclass

import mindspore as ms
from mindspore import nn

from focus_detr.errors import FocusDetrError
from focus_detr.ops.msda_ascend import AscendSampling, ascend_problem
from focus_detr.ops.msda_builtin import BuiltinSampling, builtin_problem
from focus_detr.ops.msda_composition import ComposedSampling, PlacedSampling
from focus_detr.ops.msda_custom import FusedSampling
from focus_detr.ops.msda_library import (
    BUILD_COMMANDS,
    CHOICE_VARIABLE,
    COMPOSITION,
    find_library,
)
from focus_detr.ops.native_library import LibraryError

AUTO, BUILTIN, CUSTOM = "auto", "builtin", "custom"
CHOICES = (AUTO, BUILTIN, CUSTOM, COMPOSITION)
ASCEND = "Ascend"

_log = logging.getLogger(__name__)
_told: set[str] = set()  # reasons of this process that were given already


@dataclass(frozen=True)
class Sizes:
    """What the operators for Ascend limit."""

    depth: int  # channels of a head
    heads: int
    levels: int
    points: int


def build_sampling(setting: str, *, depth: int, heads: int, levels: int, points: int) -> nn.Cell:
    """The cell that samples values for deformable attention on the device in use.

    Its arguments are those of ``PlacedSampling``.

    Args:
        setting: one of ``CHOICES``; the environment variable ``FOCUS_DETR_MSDA`` wins.
        depth: channels of a head.
        heads: M.
        levels: L.
        points: P.

    Raises:
        FocusDetrError: no such choice, or the one that is forced is not available; says why.
    """
    choice, source = _chosen(setting)
    if choice == COMPOSITION:
        return PlacedSampling(ComposedSampling())
    device = ms.get_context("device_target")
    try:
        return _native(choice, device, Sizes(depth, heads, levels, points))
    except LibraryError as error:
        reason = f"{error}; {_advice(choice, device)}"
        if choice != AUTO:
            raise FocusDetrError(f"{source} is {choice}, but {reason}") from error
        _tell(f"deformable attention is composed, which is slower: {reason}")
        return PlacedSampling(ComposedSampling())


def _chosen(setting: str) -> tuple[str, str]:
    """The choice and where it comes from."""
    value = os.environ.get(CHOICE_VARIABLE)
    choice, source = (value, CHOICE_VARIABLE) if value else (setting, "model.msda")
    if choice not in CHOICES:
        raise FocusDetrError(f"{source} is {choice}, expected one of {', '.join(CHOICES)}")
    return choice, source


def _native(choice: str, device: str, sizes: Sizes) -> nn.Cell:
    """What a choice other than the composition means; ``LibraryError`` if it is not available."""
    if choice == BUILTIN:
        return _builtin(device, sizes)
    if choice == CUSTOM or device != ASCEND:
        return _custom(device, sizes)
    try:
        return _builtin(device, sizes)
    except LibraryError as refusal:
        try:
            return _custom(device, sizes)
        except LibraryError as problem:
            raise LibraryError(f"{refusal}, and {problem}") from problem


def _builtin(device: str, sizes: Sizes) -> nn.Cell:
    if device != ASCEND:
        raise LibraryError(f"MindSpore's built-in operator runs on {ASCEND} only, not on {device}")
    problem = builtin_problem(sizes.depth, sizes.heads, sizes.levels, sizes.points)
    if problem is not None:
        raise LibraryError(problem)
    return PlacedSampling(BuiltinSampling())


def _custom(device: str, sizes: Sizes) -> nn.Cell:
    if device != ASCEND:
        return FusedSampling(find_library(device), device)
    problem = ascend_problem(sizes.depth, sizes.levels, sizes.points)
    if problem is not None:
        raise LibraryError(problem)
    return PlacedSampling(AscendSampling())


def _advice(choice: str, device: str) -> str:
    if choice == BUILTIN:
        return f"choose {AUTO}, {CUSTOM} or {COMPOSITION}"
    command = f"`{BUILD_COMMANDS[device]}` in the repository"
    if device == ASCEND:
        return f"choose other sizes, or build our operator with {command}"
    return f"build the native library with {command}"


def _tell(reason: str) -> None:
    if reason not in _told:
        _told.add(reason)
        _log.warning(reason)
