"""What writes a format is asked for before anything is loaded."""

from __future__ import annotations

from pathlib import Path

import pytest

from focus_detr.errors import FocusDetrError
from focus_detr.export import writing
from focus_detr.export.writing import require_packages


def test_packages_for_onnx_are_named(monkeypatch: pytest.MonkeyPatch) -> None:
    require_packages(Path("a.onnx"))
    monkeypatch.setattr(writing, "find_spec", lambda name: None if name == "onnx" else object())
    require_packages(Path("a.mindir"))
    with pytest.raises(FocusDetrError, match=r"a\.onnx needs onnx: `pip install 'focus-detr\[onn"):
        require_packages(Path("a.onnx"))
