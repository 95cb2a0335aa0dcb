"""How one of MindSpore's operations becomes nodes of ONNX."""

from __future__ import annotations

from collections.abc import Callable

from focus_detr.errors import FocusDetrError
from focus_detr.exporting.mindir_graph import Operation, Value
from focus_detr.exporting.onnx_builder import OnnxBuilder

# Gets the builder and the operation, appends nodes, and returns what the operation computes: a
# value for each output, None for one that ONNX does not give.
Translation = Callable[[OnnxBuilder, Operation], tuple[Value, ...]]


class Untranslatable(FocusDetrError):
    """An operation is used in a way that its translation does not cover."""


def require(fits: bool, operation: Operation) -> None:
    """Refuse an operation.

    Raises:
        Untranslatable: it does not fit.
    """
    if not fits:
        raise Untranslatable(f"ONNX: {operation.kind} is used in a way that is not covered")
