"""How a command describes itself and reads its words: settings and files beside options."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence
from itertools import dropwhile

from focus_detr.process.program import as_called, called

CONFIG_HELP = "settings: a YAML file, or a name such as focus_detr_r50 for one of the package"


def build_parser(command: str, description: str | None) -> argparse.ArgumentParser:
    """The parser of one of our commands; its help names commands as the user called this one.

    Args:
        command: its name, such as ``predict``.
        description: head of its file, which names commands as ``focus-detr predict``.
    """
    return argparse.ArgumentParser(
        prog=called(command),
        description=as_called(description or ""),
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )


def parse_intermixed(
    parser: argparse.ArgumentParser, argv: Sequence[str] | None
) -> argparse.Namespace:
    """Parse words that may stand on either side of an option; what follows ``--`` is no option.

    Python 3.11 parses intermixed words twice and loses ``--`` on the way. So where it matters, the
    words that belong to no option have to stand together, on one side of all options.

    Args:
        parser: knows options and positional arguments.
        argv: the words; None: those of the process.

    Raises:
        SystemExit: they do not fit; the reason is printed.
    """
    words = sys.argv[1:] if argv is None else list(argv)
    behind = list(dropwhile(lambda word: word != "--", words))[1:]
    if any(word.startswith("-") for word in behind):
        return parser.parse_args(words)
    return parser.parse_intermixed_args(words)
