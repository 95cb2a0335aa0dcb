"""``scripts/run_export.sh`` calls the commands in order; a script stands in for Python."""

from __future__ import annotations

import shutil
import subprocess
from pathlib import Path

import pytest

SCRIPT = Path(__file__).parents[1] / "scripts" / "run_export.sh"
ENVIRONMENT = """
fail() { echo "error: $1" >&2; exit 2; }
prepare_environment() { PATH="$PWD/bin:$PATH"; }
"""
STAND_IN = """#!/usr/bin/env bash
echo "$*" >>calls
[ "$1" != export.py ] || { mkdir -p "$(dirname "$5")" && touch "$5"; }
[[ "$*" != *"--device 310P"* ]]
"""


@pytest.fixture
def repository(tmp_path: Path) -> Path:
    for name, text in (("scripts/environment.sh", ENVIRONMENT), ("bin/python", STAND_IN)):
        (tmp_path / name).parent.mkdir()
        (tmp_path / name).write_text(text)
    (tmp_path / "bin" / "python").chmod(0o755)
    shutil.copy(SCRIPT, tmp_path / "scripts")
    return tmp_path


def run(repository: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    script = str(repository / "scripts" / SCRIPT.name)
    return subprocess.run([script, *arguments], capture_output=True, text=True, check=False)


@pytest.mark.parametrize(
    ("arguments", "folder", "options", "pictures"),
    [
        ([], "runs/sample/served", "", "data/sample/val/0512_0000.png"),
        (["a.st", "out", "p.jpg", "q.jpg"], "out", "", "p.jpg q.jpg"),
        (["a.st", "out", "p.jpg", "--", "--size", "64x96"], "out", " --size 64x96", "p.jpg"),
    ],
)
def test_each_command_gets_what_was_said(
    repository: Path, arguments: list[str], folder: str, options: str, pictures: str
) -> None:
    checkpoint = repository / (arguments[0] if arguments else "runs/sample/best.safetensors")
    checkpoint.parent.mkdir(parents=True, exist_ok=True)
    checkpoint.touch()
    done = run(repository, *arguments)
    assert done.returncode == 0, done.stderr
    model = f"{folder}/detector.mindir"
    named = checkpoint.relative_to(repository)
    assert (repository / "calls").read_text().splitlines() == [
        f"export.py --checkpoint {named} --out {model}{options} --pictures {pictures}",
        f"predict.py --model {folder} --out {folder}/drawn {pictures}",
        *(
            f"scripts/convert_lite.py {model} --device {device} --out {folder}/{device} --print"
            for device in ("910B", "310P")
        ),
    ]
    assert "(not for 310P)" in done.stdout and "(not for 910B)" not in done.stdout


def test_a_missing_checkpoint_is_one_sentence(repository: Path) -> None:
    done = run(repository, "none.st")
    assert done.returncode == 2 and not (repository / "calls").exists()
    assert done.stderr.startswith("error: there is no checkpoint none.st; scripts/quickstart.sh")
