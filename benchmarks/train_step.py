"""Measure the training step with and without each of its options.

    python benchmarks/train_step.py
    python benchmarks/train_step.py --models small --options plain fp16 --json steps.json
    python benchmarks/train_step.py --height 256 --width 256 train.batch_size=1

Prints the time of a step, images per second and the peak memory of the process, for the small model
and ResNet-50, on random images with ten boxes each. Each combination has a process of its own, one
after the other, since a step takes gigabytes; so compare only runs on a quiet machine.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path

from checked_command import command
from model_arguments import SMALLEST_SIDE, check_least
from model_measure import COCO_CLASSES, Timing, measure, save
from model_report import table
from model_training import STEP
from model_worker import Work

from focus_detr.config.loading import load_config, to_dict
from focus_detr.config.schema import Config
from focus_detr.errors import FocusDetrError
from focus_detr.io.user_paths import path_text
from focus_detr.process.command_line import parse_intermixed
from focus_detr.process.runtime import prepare_runtime

_CONFIGS = Path(__file__).resolve().parents[1] / "config"
MODELS = {
    "small": _CONFIGS / "focus_detr_lite0_small.yaml",
    "r50": _CONFIGS / "focus_detr_r50.yaml",
}
PLAIN = "plain"
GATHERING = "model.decoder.gathering=released"
ALIGN = "loss.classification=align"
OPTIONS: dict[str, tuple[str, ...]] = {
    PLAIN: (),
    "fp16": ("train.precision=fp16",),
    "bf16": ("train.precision=bf16",),
    "accumulate": ("train.accumulate=2",),
    "average": ("train.optimizer.ema_decay=0.9998",),
    "groups": ("train.optimizer.groups=[{pattern: sampling_offsets, lr_factor: 0.1}]",),
    "freeze": ("train.optimizer.freeze=[^backbone]",),
    "recompute": ("train.recompute=[backbone, encoder, decoder]",),
    "dac": (GATHERING,),
    # two queries for each box in all layers, of which the models have different numbers
    "align": (ALIGN, "loss.align.repeats=[2]", "loss.align.encoder_repeats=2"),
    "dac_align": (GATHERING, ALIGN, "loss.align.encoder=focal"),
}
NOT_ON_CPU = "bf16"


def parse_arguments(argv: Sequence[str] | None) -> argparse.Namespace:
    """Command line of this program."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--models", nargs="+", choices=tuple(MODELS), default=tuple(MODELS))
    parser.add_argument(
        "--options", nargs="+", choices=tuple(OPTIONS), help="default: all that the device can do"
    )
    parser.add_argument("--height", type=int, default=480, help="of the images (480)")
    parser.add_argument("--width", type=int, default=640, help="of the images (640)")
    parser.add_argument("--repeat", type=int, default=5, help="timed steps (5)")
    parser.add_argument("--json", type=path_text, help="save all numbers here")
    parser.add_argument("--device", help="CPU, GPU or Ascend; default: the best that is here")
    parser.add_argument("overrides", nargs="*", metavar="key=value", help="change settings")
    arguments = parse_intermixed(parser, argv)
    check_least(arguments, {"height": SMALLEST_SIDE, "width": SMALLEST_SIDE, "repeat": 1})
    return arguments


def rows(configs: Mapping[str, Config], timings: Mapping[str, Timing]) -> str:
    """The table of the combinations measured so far."""
    lines = []
    for name, timing in timings.items():
        train = configs[name].train
        images = train.batch_size * train.accumulate
        middle, best = timing.middle(STEP), timing.best(STEP)
        lines.append(
            (
                name,
                f"{1e3 * middle:.0f}",
                f"{1e3 * best:.0f}",
                f"{images / middle:.2f}",
                f"{timing.peak_bytes[STEP] / 2**30:.2f}",
                f"{timing.first_seconds[STEP]:.1f}",
            )
        )
    return table(("step", "median ms", "min ms", "images/s", "peak GiB", "first s"), lines)


def possible_options(named: Sequence[str] | None, device: str) -> tuple[str, ...]:
    """Those to measure.

    Args:
        named: by the user; None: all that the device can do.
        device: CPU, GPU or Ascend.

    Raises:
        FocusDetrError: the device cannot do one that is named.
    """
    impossible = {NOT_ON_CPU} if device == "CPU" else set()
    if refused := impossible & set(named or ()):
        raise FocusDetrError(
            f"--options {', '.join(refused)}: MindSpore has no such numbers on a {device}"
        )
    return tuple(option for option in named or OPTIONS if option not in impossible)


@command
def main(argv: Sequence[str] | None = None) -> None:
    """Run the command."""
    arguments = parse_arguments(argv)
    device = prepare_runtime(arguments.device)
    options = possible_options(arguments.options, device)
    configs = {
        f"{model} {option}": load_config(MODELS[model], (*OPTIONS[option], *arguments.overrides))
        for model in arguments.models
        for option in options
    }
    size = (arguments.height, arguments.width)
    about = {"height": size[0], "width": size[1], "repeat": arguments.repeat, "device": device}
    about["settings"] = {name: to_dict(config) for name, config in configs.items()}
    timings: dict[str, Timing] = {}
    for name, config in configs.items():
        classes = config.model.num_classes or COCO_CLASSES
        work = Work(config, classes, *size, device, training=STEP)
        timing = {name: Timing()}
        measure({name: work}, STEP, arguments.repeat, timing)
        timings |= timing
        print(f"{rows(configs, timing)}\n", flush=True)
        save(arguments.json, timings, about)
    print(f"training step, {size[0]} x {size[1]} on {device}\n{rows(configs, timings)}")


if __name__ == "__main__":
    sys.exit(main(None))
