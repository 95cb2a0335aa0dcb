"""The native library of products, and the oneDNN that MindSpore carries for it.

oneDNN is told by ``ONEDNN_MAX_CPU_ISA`` which instructions it may use. The package caps it at AVX2,
since MindSpore's own convolutions are 100 times slower without (``focus_detr/__init__.py``). Ours
are not, so ``find_products`` takes that cap away; one that the user set stays.
"""

from __future__ import annotations

import ctypes
import importlib.util
import os
from pathlib import Path

from focus_detr.ops.native_library import LibraryError, NativeLibrary

LIBRARY_VARIABLE = "FOCUS_DETR_PRODUCTS_LIBRARY"
CAP_VARIABLE = "FOCUS_DETR_CAPPED_ONEDNN"  # set where the package capped oneDNN's instructions
INTERFACE = 1  # PRODUCTS_INTERFACE in custom_ops/products/products.h
FILE = "libproducts_cpu.so"
OPERATORS = (
    "DenseForward",
    "DenseSumForward",
    "DenseGradSource",
    "DenseGradWeights",
    "ConvolutionForward",
    "ConvolutionSumForward",
    "ConvolutionGradSource",
    "ConvolutionGradWeights",
    "ActivationGrad",
    "LayerNormForward",
    "LayerNormGrad",
    "GroupNormForward",
    "GroupNormGrad",
    "MaxPoolForward",
    "MaxPoolGrad",
    "AttentionForward",
    "AttentionGrad",
)
_LIBRARY = NativeLibrary(LIBRARY_VARIABLE, OPERATORS, "products_interface", INTERFACE)
_ALL_INSTRUCTIONS = 0  # dnnl_cpu_isa_default
_AVX512 = 0x27  # dnnl_cpu_isa_avx512_core
_uncapped: list[Path] = []  # oneDNN, once its cap was taken away in this process


def find_products() -> Path:
    """The library, with oneDNN opened for it and free to use every instruction.

    Raises:
        LibraryError: one of them is not there or cannot be used.
    """
    path = _LIBRARY.locate(FILE)
    library = _LIBRARY.check(path)
    onednn = _onednn()
    library.products_open.restype = ctypes.c_char_p
    problem = library.products_open(os.fsencode(onednn))
    if problem is not None:
        raise LibraryError(problem.decode(errors="replace"))
    if CAP_VARIABLE in os.environ:
        # refused, without harm, if oneDNN has computed something already
        ctypes.CDLL(str(onednn)).dnnl_set_max_cpu_isa(_ALL_INSTRUCTIONS)
        _uncapped.append(onednn)
    return path


def slows_convolutions() -> bool:
    """Whether MindSpore's own convolutions are slow in this process, as the cap was taken away."""
    if not _uncapped:
        return False
    return ctypes.CDLL(str(_uncapped[0])).dnnl_get_effective_cpu_isa() >= _AVX512


def _onednn() -> Path:
    """The file in MindSpore's package."""
    found = importlib.util.find_spec("mindspore")
    if found is None or found.origin is None:
        raise LibraryError("MindSpore, which carries oneDNN, is not installed")
    folder = Path(found.origin).parent / "lib"
    files = sorted(folder.glob("libdnnl.so*"))
    if not files:
        raise LibraryError(f"MindSpore has no oneDNN in {folder}")
    return files[0]
