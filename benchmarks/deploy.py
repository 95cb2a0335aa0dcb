r"""Compare ways to run a trained detector: the checkpoint, MINDIR, and each engine for ONNX.

    python benchmarks/deploy.py --checkpoint best.safetensors
    python benchmarks/deploy.py --checkpoint best.safetensors --batch 1 --batch 4 --repeat 20 \
        --variant checkpoint --variant "openvino f32" --json deploy.json

    python benchmarks/deploy.py --model served_910b/detector.mindir --device Ascend

Exports the checkpoint for one picture size, or takes exported files as they are, and runs each way
in a process of its own, one after the other. Prints seconds from the start of the process to its
first detections (import, loading, compilation), median milliseconds of a call, pictures per second,
and the process's peak memory.
Preparing pictures and reading detections are part of a call, reading files is not. Pictures are
drawn.
"""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
import tempfile
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from statistics import median
from typing import Literal

import numpy as np
from checked_command import command
from model_arguments import check_least

from focus_detr.comparing.pictures import draw_picture
from focus_detr.deploy.engine_options import (
    ONNX_RUNTIME,
    OPENVINO,
    PRECISIONS,
    USUAL,
    EngineOptions,
    installed_engines,
)
from focus_detr.deploy.openvino_engine import offered_precisions
from focus_detr.deploy.sidecar import MINDIR, ONNX, Graph, read_sidecar
from focus_detr.errors import FocusDetrError
from focus_detr.exporting.options import ExportOptions, parse_size
from focus_detr.exporting.session import Exporter
from focus_detr.inference.loading import load_detector
from focus_detr.inference.predictor import preparation
from focus_detr.io.files import write_json
from focus_detr.io.user_paths import path_text, user_path
from focus_detr.process.runtime import prepare_runtime

CHECKPOINT = "checkpoint"


@dataclass(frozen=True)
class Variant:
    """A way to run what is exported."""

    suffix: str
    msda: Literal["composition", "custom"] = "composition"
    options: EngineOptions = USUAL

    @property
    def words(self) -> list[str]:
        """Of the worker's command line."""
        given = (("--engine", self.options.engine), ("--precision", self.options.precision))
        return [word for option, value in given if value for word in (option, value)]


VARIANTS = {
    "mindir": Variant(MINDIR),
    "mindir native": Variant(MINDIR, "custom"),
    "onnxruntime": Variant(ONNX, options=EngineOptions(ONNX_RUNTIME)),
    **{
        f"openvino {precision}": Variant(ONNX, options=EngineOptions(OPENVINO, precision))
        for precision in PRECISIONS
    },
}
WORKER = Path(__file__).with_name("deploy_worker.py")


@dataclass(frozen=True)
class Measured:
    """One way to run, with one number of pictures at once."""

    variant: str
    batch: int
    first_seconds: float  # from the process's start to its first detections
    seconds: list[float]  # of each later call
    peak_bytes: int

    @property
    def row(self) -> str:
        """A line of the table."""
        call = median(self.seconds)
        return (
            f"{self.variant:<28}{self.batch:>6}{self.first_seconds:>12.1f}{1e3 * call:>12.1f}"
            f"{self.batch / call:>12.1f}{self.peak_bytes / 2**20:>12.0f}"
        )


HEADER = f"{'':<28}{'batch':>6}{'start, s':>12}{'call, ms':>12}{'pictures/s':>12}{'peak, MB':>12}"


def parse_arguments(argv: Sequence[str] | None) -> argparse.Namespace:
    """Command line of this program."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    add = parser.add_argument
    add("--checkpoint", type=user_path, help="weights to export and run")
    add(
        "--model",
        action="append",
        default=[],
        type=user_path,
        help="exported file; may be repeated",
    )
    add("--size", type=parse_size, default=(480, 640), help="HxW of the pictures (480x640)")
    add("--batch", action="append", type=int, help="pictures at once; may be repeated (1)")
    every = "default: all that are installed and that the processor can do"
    add("--variant", action="append", choices=(CHECKPOINT, *VARIANTS), help=every)
    add("--repeat", type=int, default=10, help="timed calls (10)")
    add("--device", default="CPU", help="CPU, GPU or Ascend (CPU)")
    add("--json", type=path_text, help="save all numbers here")
    return parser.parse_args(argv)


@dataclass(frozen=True)
class Setting:
    """What is the same for all ways to run."""

    picture: np.ndarray  # [H, W, 3] uint8
    repeat: int
    device: str


def time_process(variant: str, batch: int, source: Sequence[str], setting: Setting) -> Measured:
    """Run the worker.

    Raises:
        FocusDetrError: it failed.
    """
    with tempfile.TemporaryDirectory() as folder:
        pictures = Path(folder) / "pictures.npy"
        np.save(pictures, np.stack([setting.picture] * batch))
        options = [f"--device={setting.device}", f"--repeat={setting.repeat}"]
        return _run_worker(variant, batch, [str(pictures), *source, *options])


def _run_worker(variant: str, batch: int, arguments: Sequence[str]) -> Measured:
    done = subprocess.run(
        [sys.executable, str(WORKER), *arguments], capture_output=True, text=True, check=False
    )
    if done.returncode != 0:
        told = done.stderr.strip().splitlines()[-1].removeprefix("error: ")
        raise FocusDetrError(f"{variant} failed: {told}")
    return Measured(variant, batch, **json.loads(done.stdout.splitlines()[-1]))


def measure(checkpoint: Path, variant: str, batch: int, setting: Setting, folder: Path) -> Measured:
    """Export if need be, and time it.

    Args:
        checkpoint: weights.
        variant: name of the way.
        batch: pictures at once.
        setting: what is the same for all.
        folder: keeps the exported files for other variants that run them.

    Raises:
        FocusDetrError: the export or the run failed.
    """
    if variant == CHECKPOINT:
        return time_process(variant, batch, ["--checkpoint", str(checkpoint)], setting)
    way = VARIANTS[variant]
    model = folder / f"{way.msda}_{batch}{way.suffix}"
    if not model.exists():
        size = preparation(load_detector(checkpoint).data)(setting.picture).bucket
        options = ExportOptions(model, (size,), batch, msda=way.msda, device=setting.device)
        Exporter(checkpoint, options, report=_say_nothing).run([setting.picture])
    return time_process(variant, batch, ["--model", str(model), *way.words], setting)


def possible(variants: Iterable[str]) -> list[str]:
    """Those that are installed here, in precisions that the processor can do."""
    engines = installed_engines()
    precisions = offered_precisions() if OPENVINO in engines else ()
    asked = {name: VARIANTS[name].options for name in variants}
    return [
        name
        for name, options in asked.items()
        if options.engine in (None, *engines) and options.precision in (None, *precisions)
    ]


def _say_nothing(text: str) -> None:
    """The table is what this program tells."""


def all_measured(
    arguments: argparse.Namespace, batches: Sequence[int], setting: Setting
) -> Iterator[Measured]:
    """One after the other: exported files, then what the checkpoint gives."""
    for model in arguments.model:
        graph = read_sidecar(model).graph
        for name, words in _ways(graph, model, arguments.variant):
            for number in [graph.batch] if graph.batch else batches:
                yield time_process(name, number, ["--model", str(model), *words], setting)
    if arguments.checkpoint:
        prepare_runtime(setting.device)
        with tempfile.TemporaryDirectory() as folder:
            for variant in arguments.variant or (CHECKPOINT, *possible(VARIANTS)):
                for batch in batches:
                    yield measure(arguments.checkpoint, variant, batch, setting, Path(folder))


def _ways(
    graph: Graph, model: Path, wanted: Sequence[str] | None
) -> Iterator[tuple[str, list[str]]]:
    """Names of the ways to run a file, and the words that choose them."""
    if graph.engine != "onnx":
        yield model.name, []
        return
    engines = [name for name in wanted or possible(VARIANTS) if name in VARIANTS]
    for name in engines:
        if VARIANTS[name].suffix == ONNX:
            yield f"{model.name}: {name}", VARIANTS[name].words


@command
def main(argv: Sequence[str] | None = None) -> None:
    """Run the command."""
    arguments = parse_arguments(argv)
    check_least(arguments, {"repeat": 1})
    batches = arguments.batch or [1]
    if min(batches) < 1:
        raise FocusDetrError(f"--batch is {min(batches)}, expected 1 or more")
    if not (arguments.checkpoint or arguments.model):
        raise FocusDetrError("give --checkpoint, --model, or both")
    picture = draw_picture(*arguments.size, seed=0)
    setting = Setting(picture, arguments.repeat, arguments.device)
    results = []
    print(HEADER)
    for result in all_measured(arguments, batches, setting):
        results.append(result)
        print(result.row, flush=True)
    if arguments.json:
        write_json(arguments.json, [asdict(result) for result in results], indent=1)


if __name__ == "__main__":
    sys.exit(main(None))
