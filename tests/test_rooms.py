"""Rooms of the package stand in one order, and no import runs upwards."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from pathlib import Path

import pytest

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
            for module in modules(node):
                other = module.split(".")[1]
                if other != room:
                    yield str(place), room, other


def modules(node: ast.AST) -> Iterator[str]:
    """Modules of this package that a statement imports, however it is written."""
    names: list[str] = []
    if isinstance(node, ast.Import):
        names = [alias.name for alias in node.names]
    elif isinstance(node, ast.ImportFrom):
        assert node.level == 0, "imports name the package"
        names = [str(node.module)]
        if node.module == "focus_detr":
            names = [f"focus_detr.{alias.name}" for alias in node.names]
    package = "focus_detr."
    yield from (n for n in names if n.startswith(package) and not n.startswith(f"{package}_"))


@pytest.mark.parametrize(
    "statement",
    [
        "from focus_detr.losses.align import PairQuality",
        "from focus_detr.losses import align",
        "from focus_detr import losses",
        "import focus_detr.losses.align",
    ],
)
def test_every_way_to_import_counts(statement: str) -> None:
    source = ast.parse(f"{statement}\nfrom focus_detr import __version__\nimport focus_detr")
    (found,) = [module for node in ast.walk(source) for module in modules(node)]
    assert found.startswith("focus_detr.losses")


def test_no_import_runs_upwards() -> None:
    found = list(imports())
    assert len(found) > 300
    upwards = [(file, other) for file, room, other in found if FLOOR[other] >= FLOOR[room]]
    assert not upwards
