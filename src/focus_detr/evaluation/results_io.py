"""Reading saved detections."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from focus_detr.errors import FocusDetrError
from focus_detr.files import read_json


def read_results(path: str | Path) -> list[dict[str, Any]]:
    """Read saved detections: a JSON list of objects in the COCO results format.

    Raises:
        FocusDetrError: the file cannot be read, is not JSON or is not a list of objects.
    """
    results = read_json(path)
    if not isinstance(results, list) or not all(isinstance(item, dict) for item in results):
        raise FocusDetrError(f"{path} must hold a JSON list of detections, one object each")
    return results
