"""Options of a command line that choose what detects, the same for every command that does."""

from __future__ import annotations

import argparse
import math

from focus_detr.deploy.engine_options import ENGINES, PRECISIONS, EngineOptions
from focus_detr.deploy.opening import Source
from focus_detr.io.user_paths import path_text

OPTION_NAMES = ("engine", "precision", "graphs")  # of ``add_engine_options``


def add_source_options(parser: argparse.ArgumentParser) -> None:
    """Let a command be told what detects, at which size, and where."""
    either = parser.add_mutually_exclusive_group(required=True)
    either.add_argument("--checkpoint", type=path_text, help="weights to use")
    either.add_argument(
        "--model", type=path_text, help="what export.py wrote: a file, or the folder of several"
    )
    add = parser.add_argument
    add("--short-side", type=int, help="resize the short side to this; default: as trained")
    add("--max-side", type=int, help="but keep the other side within; default: as trained")
    add_engine_options(parser)
    add("--device", help="CPU, GPU or Ascend; default: the best that is here")


def add_engine_options(parser: argparse.ArgumentParser) -> None:
    """Let a command be told what runs an exported file, and how."""
    add = parser.add_argument
    add("--engine", choices=ENGINES, help="of ONNX files; default: the first that is installed")
    add(
        "--precision",
        choices=PRECISIONS,
        help="of OpenVINO; of a checkpoint on a CPU f32 or bf16, if the processor has it (f32)",
    )
    add(
        "--graphs",
        type=path_text,
        metavar="FOLDER",
        help="keep compiled graphs here: later starts take seconds",
    )


def engine_options(given: argparse.Namespace) -> EngineOptions:
    """What the options of ``add_engine_options`` say."""
    return EngineOptions(given.engine, given.precision, given.graphs)


def chosen_source(
    given: argparse.Namespace, *, tokens: bool = False, looks: bool = False
) -> Source:
    """What the options of ``add_source_options`` say.

    Args:
        given: the parsed command line.
        tokens: whether the kept tokens are wanted.
        looks: and of a checkpoint, what else it looked at.

    Raises:
        FocusDetrError: they do not go together.
    """
    return Source(
        given.checkpoint,
        given.model,
        given.short_side,
        given.max_side,
        tokens=tokens,
        looks=looks,
        device=given.device,
        options=engine_options(given),
    )


def score(text: str) -> float:
    """A score from the command line.

    Raises:
        argparse.ArgumentTypeError: no number from 0 to 1.
    """
    try:
        number = float(text)
    except ValueError:
        number = math.nan
    if not 0 <= number <= 1:
        raise argparse.ArgumentTypeError(f"{text!r} is no number from 0 to 1")
    return number
