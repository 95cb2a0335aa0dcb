"""Measure Focus-DETR against the same model whose encoder refines all tokens.

    python benchmarks/model.py
    python benchmarks/model.py --height 800 --width 1066 --repeat 5 --json model.json
    python benchmarks/model.py --config config/focus_detr_lite0_small.yaml train.batch_size=1
    python benchmarks/model.py --rows 'family/*'  # counts of every row of the family, no times

Prints weights and multiply-adds per part, the latency of the forward pass (one image) and of the
training step (train.batch_size images, ten boxes each), the forward pass's share of the speed
that the machine reaches in one large matrix product, and the peak memory and, on a CPU, the number
of kernels of each process. The models take turns in the forward pass; training steps, which need
gigabytes, run one after the other. Weights and images are random. For the default settings the
reference implementation has 49,339,920 weights and 149.20 (dense: 243.01) billion multiply-adds.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass

from checked_command import command
from model_arguments import SMALLEST_SIDE, add_common, check_least
from model_forward import WHOLE
from model_measure import COCO_CLASSES, Timing, measure, measure_training, save, variants
from model_rate import PRODUCT, ProductWork
from model_report import (
    arithmetic_table,
    forward_table,
    parameter_table,
    process_table,
    rate_table,
    training_table,
)
from model_rows import count_rows, rows_table
from model_training import TRAINING_PARTS
from model_worker import Work

from focus_detr.config.loading import load_config, to_dict
from focus_detr.config.schema import Config
from focus_detr.errors import FocusDetrError
from focus_detr.io.files import write_json
from focus_detr.models.factory import build_model
from focus_detr.models.flops import MultiplyAdds, count_multiply_adds
from focus_detr.models.parameter_counts import ParameterCounts, count_parameters
from focus_detr.process.command_line import parse_intermixed
from focus_detr.process.runtime import prepare_runtime
from focus_detr.wording import counted

COUNTED_SIZE = (800, 1066)
PARTS, TRAINING = "parts", "training"


def parse_arguments(argv: Sequence[str] | None) -> argparse.Namespace:
    """Command line of this program."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    add_common(parser)
    parser.add_argument("--height", type=int, default=480, help="of the timed images (480)")
    parser.add_argument("--width", type=int, default=640, help="of the timed images (640)")
    parser.add_argument(
        "--skip",
        action="append",
        default=[],
        choices=(PARTS, TRAINING),
        help="leave out the parts of the forward pass, or the training step; may be repeated",
    )
    parser.add_argument(
        "--rows",
        metavar="NAMES",
        help="time nothing: weights and multiply-adds at 800 x 1066 of the package's settings of "
        "these names, such as 'family/*'",
    )
    arguments = parse_intermixed(parser, argv)
    check_least(arguments, {"height": SMALLEST_SIDE, "width": SMALLEST_SIDE, "repeat": 1})
    return arguments


def count_weights(config: Config, num_classes: int) -> ParameterCounts:
    """Weights per part; the dense variant has the same."""
    return count_parameters(build_model(config.model, num_classes))


def count_arithmetic(
    configs: Mapping[str, Config], num_classes: int, height: int, width: int
) -> dict[str, MultiplyAdds]:
    """Multiply-adds per part of each variant."""
    return {
        name: count_multiply_adds(config.model, num_classes, height, width)
        for name, config in configs.items()
    }


def show(title: str, body: str) -> None:
    """Print a table as soon as it is known."""
    print(f"{title}\n{body}\n", flush=True)


@dataclass(frozen=True)
class Counts:
    """What follows from the settings alone."""

    weights: ParameterCounts
    counted_size: dict[str, MultiplyAdds]  # per variant, at COUNTED_SIZE
    timed_size: dict[str, MultiplyAdds]  # per variant, at the size that is timed


def show_counts(counts: Counts, height: int, width: int) -> None:
    """Print the tables that need no measurement."""
    show("weights", parameter_table(counts.weights))
    arithmetic = ((COUNTED_SIZE, counts.counted_size), ((height, width), counts.timed_size))
    for (rows, columns), per_variant in arithmetic:
        title = f"billion multiply-adds, one image of {rows} x {columns}"
        show(title, arithmetic_table(per_variant))


def show_rows(arguments: argparse.Namespace) -> None:
    """Print and save what the package's settings of these names cost."""
    if arguments.config:
        raise FocusDetrError("--rows takes the package's settings and goes without --config")
    height, width = COUNTED_SIZE
    rows = count_rows(arguments.rows, arguments.overrides, height, width)
    show(f"one image of {height} x {width}", rows_table(rows))
    if arguments.json is not None:
        counts = [asdict(row) for row in rows]
        write_json(arguments.json, {"height": height, "width": width, "rows": counts}, indent=1)


@command
def main(argv: Sequence[str] | None = None) -> None:
    """Run the command."""
    arguments = parse_arguments(argv)
    height, width, repeat = arguments.height, arguments.width, arguments.repeat
    if arguments.rows is not None:
        show_rows(arguments)
        return
    config = load_config(arguments.config, arguments.overrides)
    device = prepare_runtime(arguments.device)
    classes, configs = config.model.num_classes or COCO_CLASSES, variants(config)
    counts = Counts(
        count_weights(config, classes),
        count_arithmetic(configs, classes, *COUNTED_SIZE),
        count_arithmetic(configs, classes, height, width),
    )
    show_counts(counts, height, width)
    parts = PARTS not in arguments.skip
    works = {
        name: Work(each, classes, height, width, device, forward_parts=parts)
        for name, each in configs.items()
    }
    timings = {name: Timing() for name in works}
    title = f"{height} x {width} on {device}, ms, {counted(repeat, 'run')}"
    about = {"height": height, "width": width, "repeat": repeat, "device": device}
    about |= {"settings": to_dict(config), "counts": asdict(counts)}
    measure(works, WHOLE, repeat, timings)
    show(f"forward pass, 1 image of {title}", forward_table(timings))
    rates = timings | {PRODUCT: Timing()}
    measure({PRODUCT: ProductWork(device)}, PRODUCT, 5 * repeat, rates)
    about["product_seconds"] = rates[PRODUCT].seconds[PRODUCT]
    show("multiply-adds per second, in the shortest run", rate_table(counts.timed_size, rates))
    save(arguments.json, timings, about)
    if TRAINING not in arguments.skip:
        measure_training(works, TRAINING_PARTS, repeat, timings)
        images = counted(config.train.batch_size, "image")
        show(f"training step, {images} of {title}", training_table(timings))
        save(arguments.json, timings, about)
    title = "peak memory, first call (with compilation) and kernels of each process"
    show(title, process_table(timings))


if __name__ == "__main__":
    sys.exit(main(None))
