"""The native library of deformable attention."""

from __future__ import annotations

import ctypes
from pathlib import Path

from focus_detr.ops.native_library import LibraryError, NativeLibrary

CHOICE_VARIABLE = "FOCUS_DETR_MSDA"
COMPOSITION = "composition"  # its value where the library is not wanted
LIBRARY_VARIABLE = "FOCUS_DETR_MSDA_LIBRARY"
BUILD_COMMANDS = {  # per device
    "CPU": "python custom_ops/build.py",
    "GPU": "python custom_ops/build.py --target cuda",
    "Ascend": "python custom_ops/ascend/build.py --out FOLDER --install DIRECTORY",
}
INTERFACE = 1  # MSDA_INTERFACE in custom_ops/msda/msda.h
FILES = {"CPU": "libmsda_cpu.so", "GPU": "libmsda_gpu.so"}  # per device
OPERATORS = ("MsdaForward", "MsdaBackward", "MsdaFusedForward", "MsdaFusedBackward")

_LIBRARY = NativeLibrary(LIBRARY_VARIABLE, OPERATORS, "msda_interface", INTERFACE)


def find_library(device: str) -> Path:
    """The library for a device, loaded once to see that it works.

    Args:
        device: as MindSpore spells it.

    Raises:
        LibraryError: none is there, or the one that is there cannot be used.
    """
    if device not in FILES:
        raise LibraryError(f"there is no native kernel for {device}")
    return _LIBRARY.find(FILES[device])


def check_library(path: Path) -> ctypes.CDLL:
    """Load a library to see that it works.

    Raises:
        LibraryError: it is not there or cannot be used.
    """
    return _LIBRARY.check(path)
