"""Reading and writing the JSON files of evaluation and prediction, whole or not at all."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from focus_detr.errors import FocusDetrError
from focus_detr.weights.atomic import whole_file


def read_json(path: str | Path) -> Any:
    """Parse a JSON file.

    Raises:
        FocusDetrError: the file is missing, unreadable or not JSON.
    """
    try:
        return json.loads(Path(path).read_text(encoding="utf-8"))
    except OSError as error:
        raise FocusDetrError(f"cannot read {path}: {error.strerror}") from error
    except ValueError as error:
        raise FocusDetrError(f"{path} is not valid JSON: {error}") from error


def read_results(path: str | Path) -> list[dict[str, Any]]:
    """Read saved detections: a JSON list of objects in the COCO results format.

    Raises:
        FocusDetrError: the file cannot be read, is not JSON or is not a list of objects.
    """
    results = read_json(path)
    if not isinstance(results, list) or not all(isinstance(item, dict) for item in results):
        raise FocusDetrError(f"{path} must hold a JSON list of detections, one object each")
    return results


def write_json(path: str | Path, value: Any, indent: int | None = None) -> None:
    """Write ``value`` as JSON, creating the folder; NaN is refused because JSON has none.

    Raises:
        FocusDetrError: the file cannot be written.
    """
    write_whole(path, json.dumps(value, indent=indent, allow_nan=False).encode() + b"\n")


def write_whole(path: str | Path, content: bytes) -> None:
    """Replace ``path`` by ``content`` in one step, so that a crash leaves the old file.

    Raises:
        FocusDetrError: the file cannot be written.
    """
    with whole_file(Path(path)) as part:
        part.write_bytes(content)
