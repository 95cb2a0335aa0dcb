"""How the user calls and installs us: as scripts of a clone, or as ``focus-detr``."""

from __future__ import annotations

import re
import sys
from pathlib import Path

PROGRAM = "focus-detr"
PACKAGE = "focus_detr"
SCRIPTS = {  # of a clone, for each command
    "train": "train.py",
    "eval": "eval.py",
    "predict": "predict.py",
    "export": "export.py",
    "demo": "demo.py",
    "convert": "scripts/convert_weights.py",
    "browse": "scripts/browse_data.py",
    "paper": "scripts/paper.py",
}


def called(command: str) -> str:
    """What the user types for a command, in the way in which this process was called.

    Args:
        command: such as ``predict``.

    Returns:
        ``python predict.py`` if this process runs a script of a clone, else ``focus-detr predict``.
    """
    running = Path(sys.argv[0])
    if running.name == "__main__.py" and running.parent.name == PACKAGE:
        return f"python -m {PACKAGE} {command}"
    of_clone = running.suffix == ".py" and _clone_of(running) is not None
    if of_clone and command in SCRIPTS:
        return f"python {SCRIPTS[command]}"
    return f"{PROGRAM} {command}"


def as_called(text: str) -> str:
    """A text that names commands as ``focus-detr NAME``, in the words of ``called``."""
    return re.sub(rf"{PROGRAM} ([a-z]+)", lambda found: called(found[1]), text)


def install_command(extra: str) -> str:
    """What installs an extra of this package, such as ``onnx``."""
    source = Path(__file__).resolve().parents[3]
    of_clone = (source / "pyproject.toml").is_file()
    return f"pip install -e '.[{extra}]'" if of_clone else f"pip install '{PROGRAM}[{extra}]'"


def _clone_of(script: Path) -> Path | None:
    """The clone that a script belongs to; None for a script of somebody else."""
    folders = (script.absolute().parent, script.absolute().parent.parent)
    return next((folder for folder in folders if (folder / SCRIPTS["convert"]).is_file()), None)
