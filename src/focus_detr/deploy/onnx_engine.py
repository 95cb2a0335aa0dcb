"""Running an exported ONNX file with ONNX Runtime on the CPU."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from focus_detr.errors import FocusDetrError


class OnnxEngine:
    """A session of ONNX Runtime, which is an optional package."""

    def __init__(self, path: Path) -> None:
        """Load a file.

        Raises:
            FocusDetrError: ONNX Runtime is not installed, or refuses the file.
        """
        try:
            import onnxruntime
        except ImportError as error:
            raise FocusDetrError(
                f"{path} needs ONNX Runtime: pip install 'focus-detr[onnx]'"
            ) from error
        options = onnxruntime.SessionOptions()
        options.log_severity_level = 3  # errors only; it warns about every constant it folds
        try:
            self._session = onnxruntime.InferenceSession(
                str(path), options, providers=["CPUExecutionProvider"]
            )
        except Exception as error:  # its classes have no common base of their own
            raise FocusDetrError(f"ONNX Runtime cannot load {path}: {error}") from error
        self._inputs = [entry.name for entry in self._session.get_inputs()]

    def run(self, *inputs: np.ndarray) -> tuple[np.ndarray, ...]:
        """Compute the outputs."""
        return tuple(self._session.run(None, dict(zip(self._inputs, inputs, strict=True))))
