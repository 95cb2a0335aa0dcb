"""The notebook and the examples of ``docs/python.md``, run from top to bottom in one process.

The documents' examples find the detector that the notebook trained and its compiled graphs, so that
one compiled training step and one compiled detector are enough for both.
"""

from __future__ import annotations

import ast
import json
import os
import re
import shutil
import sys
from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest

from focus_detr.data.image_io import read_image
from focus_detr.deploy.opening import Source
from focus_detr.inference.image_writing import write_image

ROOT = Path(__file__).resolve().parents[1]
NOTEBOOK = json.loads((ROOT / "examples" / "first_steps.ipynb").read_text(encoding="utf-8"))
FOR_TESTS = {
    "EPOCHS, PICTURES = 12, 96": "EPOCHS, PICTURES = 1, 16",
    "width_factor: 0.25, ": "width_factor: 0.25, depths: [1, 1, 1, 1], ",
    "decoder: {layers: 2, ": "decoder: {layers: 1, ",
}


@dataclass
class Session:
    """Names that earlier cells left, and what each cell showed: its last expression."""

    names: dict[str, Any] = field(default_factory=dict)
    shown: list[Any] = field(default_factory=list)

    def run(self, source: str) -> None:
        """Run a cell; a semicolon at its end shows nothing, as in a notebook."""
        body = ast.parse(source).body
        last = body.pop() if isinstance(body[-1], ast.Expr) else None
        exec(compile(ast.Module(body, []), "cell", "exec"), self.names)
        if last is not None:
            self.shown.append(eval(compile(ast.Expression(last.value), "cell", "eval"), self.names))


def _cells() -> list[str]:
    sources = ["".join(cell["source"]) for cell in NOTEBOOK["cells"] if cell["cell_type"] == "code"]
    for written, tested in FOR_TESTS.items():
        assert sum(source.count(written) for source in sources) == 1
        sources = [source.replace(written, tested) for source in sources]
    return sources


@pytest.fixture(scope="module")
def notebook(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Session]:
    """The notebook after its last cell; the working folder is where it ran."""
    outer = Path.cwd()
    os.chdir(tmp_path_factory.mktemp("notebook"))
    session = Session()
    for source in _cells():
        session.run(source)
    yield session
    os.chdir(outer)


def test_the_notebook_is_stored_without_outputs() -> None:
    for cell in NOTEBOOK["cells"]:
        assert cell.get("outputs", []) == [] and cell.get("execution_count") is None


def test_the_notebook_trains_measures_and_shows(notebook: Session) -> None:
    names = notebook.names
    assert names["trained"].steps == 2
    assert names["trained"].weights == Path("first_steps/run/last.safetensors")
    assert set(names["measured"].metrics) >= {"AP", "AP50", "AR100"}
    assert set(names["measured"].per_class) == {"disc", "square"}
    assert names["detector"].class_names == ("disc", "square")
    found, tokens = notebook.shown[-2:]
    assert found._repr_png_().startswith(b"\x89PNG")
    assert found.tokens.layers == 1
    assert min(tokens.size) > 100


def test_a_notebook_that_is_run_again_goes_on(
    notebook: Session, capsys: pytest.CaptureFixture[str]
) -> None:
    source = next(source for source in _cells() if "focus_detr.train(" in source)
    notebook.run(source)
    assert "a finished training (2 steps): nothing to do" in capsys.readouterr().out
    assert notebook.names["trained"].steps == 2


def _prepare(settings: Path) -> None:
    """What docs/python.md says that a user has."""
    shutil.copy("first_steps/run/last.safetensors", "best.safetensors")
    shutil.copy(settings, "mine.yaml")
    picture = read_image("first_steps/val/1.png")
    write_image("photo.jpg", picture)
    for name in ("a", "b"):
        write_image(f"photos/{name}.jpg", np.flipud(picture))


@pytest.fixture
def few_compilations(notebook: Session, monkeypatch: pytest.MonkeyPatch) -> None:
    """Checkpoints are opened with the notebook's graphs."""
    graphs = str(Path(notebook.names["folder"], "graphs").resolve())
    opened = Source.open

    def with_graphs(source: Source) -> Any:
        if source.checkpoint is not None and source.options.graphs is None:
            source = replace(source, options=replace(source.options, graphs=graphs))
        return opened(source)

    monkeypatch.setattr(Source, "open", with_graphs)


@pytest.mark.usefixtures("few_compilations")
def test_the_examples_of_python_md_run(
    notebook: Session, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    _prepare(notebook.names["settings"])
    stand_in = SimpleNamespace(Detections=lambda **fields: fields)
    monkeypatch.setitem(sys.modules, "supervision", stand_in)
    text = (ROOT / "docs" / "python.md").read_text(encoding="utf-8")
    blocks = re.findall(r"^```python\n(.*?)^```$", text, re.MULTILINE | re.DOTALL)
    assert len(blocks) == text.count("```python") > 8
    session = Session()
    for block in blocks:
        session.run(block)
    names = session.names
    assert Path("runs/again/last.safetensors").is_file()
    assert names["trained"].steps == 2
    speed = names["numbers"].speed
    assert speed.warmup_images + speed.images == 16
    assert json.loads(Path("found.json").read_text())
    assert names["served"].threshold == 0.5
    assert session.shown[-1].tokens is not None  # of the exported model
    assert sorted(path.name for path in Path("drawn").iterdir()) == ["a.png", "b.png", "photo.png"]
    assert "cannot read image missing.jpg: No such file or directory" in capsys.readouterr().out
