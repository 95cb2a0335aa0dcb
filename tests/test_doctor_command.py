"""``focus-detr doctor`` as a user runs it, also where libraries are missing."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

SOURCES = Path(__file__).resolve().parents[1] / "src"
RUN = "from focus_detr.commands.choice import main\nsys.exit(main(['doctor', *sys.argv[1:]]))"


def test_here_it_is_healthy() -> None:
    command = [sys.executable, "-m", "focus_detr", "doctor", "--json"]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    report = json.loads(done.stdout)
    assert report["healthy"] is True
    assert report["packages"]["mindspore"] == {"version": "2.10.0", "problem": None}
    assert report["devices"]["counts"]["CPU"] == 1
    assert report["tasks"]["train, evaluate, detect"]["works"] is True
    assert set(report["deformable_attention"]["native"]) == {"CPU", "GPU"}


def test_without_any_library_it_says_what_is_missing(tmp_path: Path) -> None:
    code = f"import sys\nsys.path.insert(0, {str(SOURCES)!r})\n{RUN}"
    bare = [sys.executable, "-S", "-c", code]  # -S: no installed packages
    done = subprocess.run(bare, cwd=tmp_path, capture_output=True, text=True, check=False)
    assert (done.returncode, done.stderr) == (2, "")
    lines = [" ".join(line.split()) for line in done.stdout.splitlines()]
    assert "!! mindspore it is not installed" in lines
    assert "!! numpy it is not installed" in lines
    assert any(
        line.startswith("!! train, evaluate, detect needs mindspore, numpy") for line in lines
    )
    assert lines[-1] == "Training and detection cannot work here: see the lines with !!."
