"""Rooms of the package stand in one order, and no import runs upwards."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from pathlib import Path

import focus_detr

PACKAGE = Path(focus_detr.__file__).parent
FLOORS = (  # from the ground up; rooms of one floor know nothing of each other
    {"errors", "wording"},
    {"io"},
    {"config", "process"},
    {"data", "distributed", "ops"},
    {"doctor", "graph_cache"},
    {"models"},
    {"losses", "weights"},
    {"inference"},
    {"comparing", "deploy"},
    {"demo", "evaluation", "exporting"},
    {"paper", "training"},
    {"api", "commands", "device_check", "launch"},
    {"__init__", "__main__"},
)
FLOOR = {room: floor for floor, rooms in enumerate(FLOORS) for room in rooms}


def imports() -> Iterator[tuple[str, str, str]]:
    """Every import of one room by another: the file, its room, the other room."""
    for path in PACKAGE.rglob("*.py"):
        place = path.relative_to(PACKAGE)
        room = place.parts[0] if len(place.parts) > 1 else place.stem
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if isinstance(node, ast.ImportFrom) and (node.module or "").startswith("focus_detr."):
                other = (node.module or "").split(".")[1]
                if other != room:
                    yield str(place), room, other


def test_no_import_runs_upwards() -> None:
    found = list(imports())
    assert len(found) > 300
    upwards = [(file, other) for file, room, other in found if FLOOR[other] >= FLOOR[room]]
    assert not upwards
