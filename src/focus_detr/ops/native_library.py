"""Finds a native library of ``custom_ops`` and checks that it can be used.

The first of these places that is set, or that holds a file, decides:

1. the file that the library's environment variable names,
2. ``lib`` beside this module, where installing the package and ``custom_ops/build.py`` put it,
3. the user's cache, where ``custom_ops/build.py`` puts a copy (``XDG_CACHE_HOME`` or ``~/.cache``).
"""

from __future__ import annotations

import ctypes
import os
import struct
from dataclasses import dataclass
from pathlib import Path

ELF_MAGIC, ELF_HEADER_SIZE = b"\x7fELF", 64
FUNCTIONS = ("", "InferShape", "InferType")  # what MindSpore calls of each operator


class LibraryError(Exception):
    """There is no usable library; the text is the reason, without a full stop."""


def package_folder() -> Path:
    """Where a library lies that belongs to this package."""
    return Path(__file__).resolve().parent / "lib"


def cache_folder() -> Path:
    """Where ``custom_ops/build.py`` keeps what it built.

    Raises:
        LibraryError: this user has no home.
    """
    try:
        base = os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache"
    except RuntimeError as error:
        raise LibraryError(
            "this user has no home folder, where a built library would lie"
        ) from error
    return Path(base) / "focus_detr"


@dataclass(frozen=True)
class NativeLibrary:
    """What a library is called and has to have."""

    variable: str  # of the environment: names the file to take
    operators: tuple[str, ...]  # entry points for MindSpore
    interface_function: str
    interface: int  # what that function must return

    def find(self, name: str) -> Path:
        """The file called ``name``, loaded once to see that it works.

        Raises:
            LibraryError: none is there, or the one that is there cannot be used.
        """
        path = self.locate(name)
        self.check(path)
        return path

    def locate(self, name: str) -> Path:
        """The file called ``name`` in the first place that holds it; it is not opened.

        Raises:
            LibraryError: none is there.
        """
        chosen = os.environ.get(self.variable)
        if chosen:
            if not Path(chosen).is_file():
                raise LibraryError(f"{self.variable} names {chosen}, which is not there")
            return Path(chosen).resolve()
        ours = package_folder() / name
        if ours.is_file():
            return ours
        built = cache_folder() / name
        if built.is_file():
            return built
        raise LibraryError(f"{name} is neither in {ours.parent} nor in {built.parent}")

    def check(self, path: Path) -> ctypes.CDLL:
        """Load a library; MindSpore itself would find a bad one only in the middle of a run.

        Raises:
            LibraryError: it is not there or cannot be used.
        """
        try:
            _refuse_if_cut_off(path)
            library = ctypes.CDLL(str(path))
            for operator in self.operators:
                for function in FUNCTIONS:
                    getattr(library, operator + function)
            interface = getattr(library, self.interface_function)()
        except OSError as error:
            raise LibraryError(f"{path} cannot be loaded: {error}") from error
        except AttributeError as error:
            raise LibraryError(f"{path} lacks a function: {error}") from error
        if interface != self.interface:
            raise LibraryError(
                f"{path} has another interface than this package ({interface}, expected "
                f"{self.interface})"
            )
        return library


def _refuse_if_cut_off(path: Path) -> None:
    """Loading a file that ends too early kills the process; ELF has its table at the end."""
    with path.open("rb") as file:
        header = file.read(ELF_HEADER_SIZE)
    if len(header) < ELF_HEADER_SIZE or not header.startswith(ELF_MAGIC):
        return  # the loader says what is wrong, or the system uses another format
    (table,) = struct.unpack_from("<Q", header, 0x28)
    entry_size, entries = struct.unpack_from("<HH", header, 0x3A)
    if path.stat().st_size < table + entry_size * entries:
        raise LibraryError(f"{path} is cut off")
