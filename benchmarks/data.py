"""Measure how many images per second the loader delivers, and compare with what a step eats.

    python benchmarks/data.py --config config/bccd.yaml --steps 5
    python benchmarks/data.py --config config/focus_detr_r50.yaml --made 200 --workers 1 2 4
    python benchmarks/data.py --config config/bccd.yaml --images 10000 --workers 2 --skip-parts

Loads the training images of the settings, or with --made so many JPEG files of 640 x 480 made for
this run, as training does: same batches, augmentation and threads, but nobody waits for a step.
Prints images per second, processor time per image and memory in the course of the run, and what
each part of loading one image takes. The demand is that of the training step alone on this
machine: measured with --steps, or given with --step-ms.
"""

from __future__ import annotations

import argparse
import sys
import tempfile
from collections.abc import Sequence
from dataclasses import asdict, replace
from pathlib import Path

from data_measure import Delivery, deliver, time_parts
from data_pictures import write_pictures
from model_arguments import check_least
from model_measure import COCO_CLASSES, FOCUS, Timing, measure
from model_worker import Work
from plain_table import table

from focus_detr.config.loading import load_config, to_dict
from focus_detr.config.schema import Config
from focus_detr.data.build import build_train_loader
from focus_detr.data.loader import DataLoader
from focus_detr.errors import FocusDetrError
from focus_detr.io.files import write_json
from focus_detr.io.user_paths import path_text
from focus_detr.process.command_line import parse_intermixed
from focus_detr.process.runtime import command
from focus_detr.wording import counted

_MOST_FOR_PARTS = 200  # images; more would not change the shares


def parse_arguments(argv: Sequence[str] | None) -> argparse.Namespace:
    """Command line of this program."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument(
        "--config", type=path_text, help="YAML file with the settings; default: R50, 12 epochs"
    )
    parser.add_argument("--made", type=int, help="load so many made pictures, not the settings'")
    parser.add_argument("--images", type=int, default=400, help="to load in each run (400)")
    parser.add_argument("--workers", type=int, nargs="+", default=[1, 2], help="runs (1 2)")
    parser.add_argument("--skip-parts", action="store_true", help="leave out the time per part")
    step = parser.add_mutually_exclusive_group()
    step.add_argument("--steps", type=int, help="measure so many training steps")
    step.add_argument("--step-ms", type=float, help="time of a training step, measured elsewhere")
    parser.add_argument("--json", type=path_text, help="save all numbers here")
    parser.add_argument("--device", help="of the step: CPU, GPU or Ascend; default: the best here")
    parser.add_argument("overrides", nargs="*", metavar="key=value", help="change settings")
    arguments = parse_intermixed(parser, argv)
    check_arguments(arguments)
    return arguments


def check_arguments(arguments: argparse.Namespace) -> None:
    """Refuse numbers that are too small.

    Raises:
        FocusDetrError: one is.
    """
    optional = {name: 1 for name in ("made", "steps") if getattr(arguments, name) is not None}
    check_least(arguments, {"images": 1, **optional})
    if min(arguments.workers) < 0:
        raise FocusDetrError(f"--workers is {min(arguments.workers)}, expected 0 or more")
    if arguments.step_ms is not None and not arguments.step_ms > 0:
        raise FocusDetrError(f"--step-ms is {arguments.step_ms:g}, expected more than 0")


def with_pictures(config: Config, path: Path) -> Config:
    """The settings with another training set."""
    data = replace(config.data, train_annotations=str(path), train_images=str(path.parent))
    return replace(config, data=data)


def measure_step(config: Config, classes: int, steps: int, device: str | None) -> float:
    """Median seconds of a whole training step on random images, in a process of its own."""
    from model_training import STEP

    height, width = config.data.shape_buckets[0] if config.data.shape_buckets else (480, 640)
    work = Work(config, classes, height, width, device, training=STEP)
    timings = {FOCUS: Timing()}
    measure({FOCUS: work}, STEP, steps, timings)
    return timings[FOCUS].middle(STEP)


def step_seconds(arguments: argparse.Namespace, config: Config) -> float | None:
    """Seconds of the training step; None: not wanted."""
    if arguments.steps:
        classes = config.model.num_classes or COCO_CLASSES
        return measure_step(config, classes, arguments.steps, arguments.device)
    return arguments.step_ms / 1000 if arguments.step_ms else None


def delivery_table(runs: Sequence[Delivery], demand: float | None) -> str:
    """Runs as rows; ``demand`` in images per second."""
    header = ("workers", "images/s", "CPU ms/image", "MiB at 10 %", "MiB at 50 %", "MiB at end")
    rows = []
    for run in runs:
        memory = (run.resident_mib[0], run.resident_mib[4], run.resident_mib[-1])
        cells = [str(run.workers), f"{run.rate:.1f}", f"{1e3 * run.cpu_seconds / run.images:.2f}"]
        cells += [f"{size:.0f}" for size in memory]
        rows.append(cells + ([f"{run.rate / demand:.1f}"] if demand else []))
    return table(header + (("x step",) if demand else ()), rows)


def run(arguments: argparse.Namespace, config: Config) -> None:
    """Measure, print and save."""
    loader = build_train_loader(config, seed=config.train.seed)
    numbers: dict[str, object] = {"settings": to_dict(config)}
    seconds = step_seconds(arguments, config)
    demand = config.train.batch_size / seconds if seconds else None
    if seconds:
        numbers |= {"step_seconds": seconds, "step_images_per_second": demand}
        print(f"a step takes {1e3 * seconds:.0f} ms and eats {demand:.1f} images/s\n", flush=True)
    if not arguments.skip_parts:
        numbers["parts_ms"] = show_parts(loader, min(arguments.images, _MOST_FOR_PARTS))
    runs = [deliver(loader, workers, arguments.images) for workers in arguments.workers]
    print(f"{counted(arguments.images, 'image')}\n{delivery_table(runs, demand)}")
    if arguments.json:
        numbers["runs"] = [asdict(run) | {"images_per_second": run.rate} for run in runs]
        write_json(arguments.json, numbers, indent=1)


def show_parts(loader: DataLoader, images: int) -> dict[str, float]:
    """Measure and print the parts; milliseconds per image."""
    deliver(loader, 0, images)  # fills the system's file cache
    parts = time_parts(loader, images)
    print(table(("part", "ms/image"), ((name, f"{ms:.2f}") for name, ms in parts.items())) + "\n")
    return parts


@command
def main(argv: Sequence[str] | None = None) -> None:
    """Run the command."""
    arguments = parse_arguments(argv)
    config = load_config(arguments.config, arguments.overrides)
    if arguments.made is None:
        run(arguments, config)
        return
    with tempfile.TemporaryDirectory(prefix="focus_detr_data_") as folder:
        run(arguments, with_pictures(config, write_pictures(Path(folder), arguments.made)))


if __name__ == "__main__":
    sys.exit(main(None))
