"""Without a place for temporary files there is one sentence, where one is needed."""

from __future__ import annotations

import os
import subprocess
import sys
import tempfile
from pathlib import Path

import pytest

from focus_detr.deploy.lite_log import failures_explained
from focus_detr.device_check.worker import ATTENTION, Task
from focus_detr.errors import FocusDetrError
from focus_detr.exporting.writing import _plainly_named
from focus_detr.io.temporary_files import check_temporary_place, temporary_folder
from focus_detr.process.runtime import load_mindspore

ROOT = Path(__file__).resolve().parents[2]
NO_PLACE = r"^there is no place for temporary files \(.*\); name a folder for them in TMPDIR$"
# as on a system whose disks are all read-only
PROGRAM = """
import runpy, sys, tempfile
tempfile._candidate_tempdir_list = lambda: ["/no/such/place"]
sys.argv = sys.argv[1:]
runpy.run_path(sys.argv[0], run_name="__main__")
"""


@pytest.fixture
def no_place(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """No folder where Python looks."""
    monkeypatch.setattr(tempfile, "tempdir", None)
    monkeypatch.setattr(tempfile, "_candidate_tempdir_list", lambda: [str(tmp_path / "none")])


def test_a_folder_is_there_as_long_as_it_is_used(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    with temporary_folder("export") as folder:
        assert Path(folder).parent == tmp_path and Path(folder).name.startswith(
            "focus_detr_export_"
        )
    assert not list(tmp_path.iterdir())


def _log() -> None:
    with failures_explained("a file"):
        pass


def _export() -> None:
    with _plainly_named(Path("a.mindir")):
        pass


@pytest.mark.usefixtures("no_place")
@pytest.mark.parametrize(
    "call",
    [
        *(check_temporary_place, load_mindspore, _log, _export),
        lambda: temporary_folder("x"),
        lambda: Task(ATTENTION, "CPU", "composition").numbers(),
    ],
)
def test_without_a_place_there_is_one_sentence(call: object) -> None:
    assert callable(call)
    with pytest.raises(FocusDetrError, match=NO_PLACE):
        call()


@pytest.mark.parametrize(
    "words",
    [
        ["predict.py", "--checkpoint", "{folder}/x.safetensors", "{folder}/a.png"],
        ["scripts/convert_weights.py", "{folder}/a.pth", "{folder}/a.safetensors"],
    ],
    ids=["predict", "convert"],
)
def test_commands_say_it_before_mindspore_ends_them(tmp_path: Path, words: list[str]) -> None:
    for name in ("x.safetensors", "a.png", "a.pth"):
        (tmp_path / name).touch()
    script, *rest = (word.format(folder=tmp_path) for word in words)
    done = subprocess.run(
        [sys.executable, "-c", PROGRAM, str(ROOT / script), *rest],
        capture_output=True,
        text=True,
        check=False,
        timeout=120,
    )
    assert (done.returncode, done.stderr.count("\n")) == (2, 1)
    assert "there is no place for temporary files (No usable temporary directory" in done.stderr


def test_an_exported_file_is_refused_before_mindspore_loads(tmp_path: Path) -> None:
    script = tmp_path / "opening.py"
    script.write_text(
        "import sys\n"
        "from pathlib import Path\n"
        "from exported_files import GRAPH\n"
        "from focus_detr import FocusDetrError\n"
        "from focus_detr.deploy.engine import open_engine\n"
        "try:\n    open_engine(Path('a.mindir'), GRAPH)\n"
        "except FocusDetrError as error:\n    print(error, 'mindspore' in sys.modules)\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", PROGRAM, str(script)],
        env={**os.environ, "PYTHONPATH": str(ROOT / "tests")},
        capture_output=True,
        text=True,
        check=False,
        timeout=120,
    )
    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout.endswith("name a folder for them in TMPDIR False\n")
