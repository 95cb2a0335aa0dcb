"""``focus-detr``: one program for all commands, each of which is imported when it is called."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from functools import partial
from importlib import import_module

from focus_detr import __version__
from focus_detr.process.program import PROGRAM
from focus_detr.process.requirements import check_packages
from focus_detr.process.runtime import EXIT_BAD_INPUT, Command, command, load_mindspore
from focus_detr.process.screen import tell
from focus_detr.wording import close_names, did_you_mean

CONVERT = "convert"
DOCTOR = "doctor"
COMMANDS = {  # a module of this package each, and what it does
    "train": "train a detector, or go on with a training",
    "eval": "measure the COCO metrics of a detector, or of saved detections",
    "predict": "detect on pictures, folders, films and cameras",
    "export": "write a detector as MINDIR or ONNX, compared with its checkpoint",
    "demo": "show a detector on a web page, and serve it over HTTP",
    CONVERT: "convert PyTorch checkpoints to ours and back",
    "browse": "draw what a training is fed",
    "paper": "draw the paper's figures and tables from checkpoints and photographs",
    DOCTOR: "tell what is installed here, what works, and what is missing for what",
}


def usage() -> str:
    """What there is to call."""
    lines = [f"  {name:<9}{about}" for name, about in COMMANDS.items()]
    return "\n".join(
        [
            f"usage: {PROGRAM} COMMAND ...",
            "",
            "Focus-DETR, a detector that looks at the foreground, on MindSpore.",
            "",
            *lines,
            "",
            f"{PROGRAM} COMMAND --help explains a command, {PROGRAM} --version tells the version.",
        ]
    )


@command
def main(argv: Sequence[str] | None = None) -> int:
    """Run the command that the first word names; returns the exit status."""
    name, *words = (sys.argv[1:] if argv is None else list(argv)) or ["--help"]
    if name in ("-h", "--help"):
        print(usage())
        return 0
    if name == "--version":
        print(f"{PROGRAM} {__version__}")
        return 0
    if name not in COMMANDS:
        tell(_unknown(name))
        return EXIT_BAD_INPUT
    return _call(name, words)


def script(name: str) -> Command:
    """One of the commands, for a script of its own that looks at packages before loading any."""
    return command(partial(_call, name))


def _call(name: str, argv: Sequence[str] | None) -> int:
    if name != DOCTOR:  # which tells more
        check_packages()
    if name == CONVERT:  # the only one whose module imports MindSpore
        load_mindspore()
    run: Command = import_module(f"{__package__}.{name}").main
    return run(argv)


def _unknown(name: str) -> str:
    close = close_names(name, COMMANDS)
    meant = f"; {did_you_mean(close)}" if close else ""
    return f"error: there is no command {name!r}, only {', '.join(COMMANDS)}{meant}"
