"""The native library of products, and the oneDNN that MindSpore carries for it.

oneDNN is told by ``ONEDNN_MAX_CPU_ISA`` which instructions it may use. The package caps it at AVX2,
since MindSpore's own convolutions are 100 times slower without (``focus_detr/__init__.py``). Ours
are not, so ``lift_cap`` takes that cap away; one that the user set stays.
"""

from __future__ import annotations

import ctypes
import functools
import importlib.util
import os
from pathlib import Path

from focus_detr.ops.native_library import LibraryError, NativeLibrary
from focus_detr.process.onednn_cap import is_ours

LIBRARY_VARIABLE = "FOCUS_DETR_PRODUCTS_LIBRARY"
INTERFACE = 4  # PRODUCTS_INTERFACE in custom_ops/products/products.h
FILE = "libproducts_cpu.so"
OPERATORS = (
    "DenseForward",
    "DenseSumForward",
    "DenseValidForward",
    "DenseGradSource",
    "DenseGradWeights",
    "ConvolutionForward",
    "ConvolutionSumForward",
    "ConvolutionValidForward",
    "ConvolutionGradSource",
    "ConvolutionGradWeights",
    "ActivationGrad",
    "WeighRows",
    "RowProducts",
    "FoldNorm",
    "FoldNormGrad",
    "LayerNormForward",
    "LayerNormGrad",
    "GroupNormForward",
    "GroupNormGrad",
    "MaxPoolForward",
    "MaxPoolGrad",
    "AttentionForward",
    "AttentionGrad",
    "AttentionInputs",
    "AttentionInputsGrad",
    "BoxSigmoid",
    "BoxSigmoidGrad",
    "InverseSigmoid",
    "InverseSigmoidGrad",
    "GeluForward",
    "ScaledSumForward",
    "ScaledSumGrad",
    "WindowAttentionForward",
    "WindowAttentionGrad",
    "PerceptronBranchForward",
    "PerceptronBranchGrad",
)
_LIBRARY = NativeLibrary(LIBRARY_VARIABLE, OPERATORS, "products_interface", INTERFACE)
_ALL_INSTRUCTIONS = 0  # dnnl_cpu_isa_default
_AVX512 = 0x27  # dnnl_cpu_isa_avx512_core
_AVX512_BFLOAT16 = 0xE7  # dnnl_cpu_isa_avx512_core_bf16; AMX includes it


def find_products() -> Path:
    """The library, with oneDNN opened for it.

    Raises:
        LibraryError: one of them is not there or cannot be used.
    """
    path = _LIBRARY.locate(FILE)
    _open(path)
    return path


@functools.cache  # every cell that is built asks
def _open(path: Path) -> None:
    library = _LIBRARY.check(path)
    library.products_open.restype = ctypes.c_char_p
    problem = library.products_open(os.fsencode(_onednn()))
    if problem is not None:
        raise LibraryError(problem.decode(errors="replace"))


def has_bfloat16() -> bool:
    """Whether oneDNN has instructions for products in bfloat16.

    The processor may have them and oneDNN not: a user may limit it, or it may have computed
    something under our cap before that could be lifted.

    Raises:
        LibraryError: as ``find_products``.
    """
    if not ctypes.CDLL(str(find_products())).products_has_bfloat16():
        return False
    lift_cap()
    return _uses(_AVX512_BFLOAT16)


def _uses(instructions: int) -> bool:
    """Whether oneDNN may use them; it cannot be limited otherwise once it was asked."""
    effective: int = ctypes.CDLL(str(_onednn())).dnnl_get_effective_cpu_isa()
    return effective & instructions == instructions


@functools.cache
def lift_cap() -> bool:
    """Let oneDNN use every instruction, unless the user limits them; whether that was done.

    Without harm it is refused if oneDNN has computed something already.
    """
    if not is_ours():
        return False
    status: int = ctypes.CDLL(str(_onednn())).dnnl_set_max_cpu_isa(_ALL_INSTRUCTIONS)
    return status == 0


def slows_convolutions() -> bool:
    """Whether MindSpore's own convolutions are slow in this process, as the cap was taken away."""
    if not lift_cap.cache_info().currsize or not lift_cap():
        return False
    return _uses(_AVX512)


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
