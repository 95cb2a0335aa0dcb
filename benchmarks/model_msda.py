"""Measure Focus-DETR with composed and with native deformable attention, in one run.

    python benchmarks/model_msda.py --json model_msda.json
    python benchmarks/model_msda.py --native builtin --device Ascend
    python benchmarks/model_msda.py --skip training --height 480 --width 640

Prints the latency of the forward pass (one image of 800 x 1066) and of the training step
(train.batch_size images of 480 x 640, ten boxes each), and the peak memory; every model and pass
has a process of its own. The models take turns in the forward pass; training steps, which need
gigabytes, run one after the other. Weights and images are random. Memory is that of the host.
"""

from __future__ import annotations

import argparse
import os
import sys
from collections.abc import Sequence

from checked_command import command
from model_arguments import SMALLEST_SIDE, add_common, check_least
from model_forward import WHOLE
from model_measure import COCO_CLASSES, Timing, measure, measure_training, save
from model_report import forward_table, process_table, training_table
from model_training import STEP
from model_worker import Work

from focus_detr.config.loading import load_config, to_dict
from focus_detr.config.schema import Config
from focus_detr.errors import FocusDetrError
from focus_detr.models.factory import build_deformable_attention
from focus_detr.ops.msda_choice import BUILTIN, CHOICE_VARIABLE, COMPOSITION, CUSTOM
from focus_detr.process.command_line import parse_intermixed
from focus_detr.process.runtime import prepare_runtime
from focus_detr.wording import counted

FORWARD, TRAINING = "forward", "training"


def parse_arguments(argv: Sequence[str] | None) -> argparse.Namespace:
    """Command line of this program."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    add_common(parser)
    parser.add_argument("--height", type=int, default=800, help="in the forward pass (800)")
    parser.add_argument("--width", type=int, default=1066, help="likewise (1066)")
    parser.add_argument("--training-height", type=int, default=480, help="in training (480)")
    parser.add_argument("--training-width", type=int, default=640, help="likewise (640)")
    parser.add_argument(
        "--native", choices=(CUSTOM, BUILTIN), default=CUSTOM, help="what to compare (custom)"
    )
    parser.add_argument(
        "--skip", choices=(FORWARD, TRAINING), help="leave out the forward pass or the training"
    )
    arguments = parse_intermixed(parser, argv)
    sides = ("height", "width", "training_height", "training_width")
    check_least(arguments, {"repeat": 1, **dict.fromkeys(sides, SMALLEST_SIDE)})
    return arguments


def variants(path: str | None, overrides: Sequence[str], native: str) -> dict[str, Config]:
    """The same settings with composed and with native deformable attention.

    Raises:
        FocusDetrError: bad settings, the native one is not available, or the environment decides
            for both.
    """
    if os.environ.get(CHOICE_VARIABLE):
        raise FocusDetrError(f"{CHOICE_VARIABLE} would decide for both models; unset it")
    configs = {
        choice: load_config(path, [*overrides, f"model.msda={choice}"])
        for choice in (COMPOSITION, native)
    }
    model = configs[native].model
    build_deformable_attention(model, model.encoder.points)
    return configs


@command
def main(argv: Sequence[str] | None = None) -> None:
    """Run the command."""
    arguments = parse_arguments(argv)
    device, repeat = prepare_runtime(arguments.device), arguments.repeat
    configs = variants(arguments.config, arguments.overrides, arguments.native)
    config = configs[COMPOSITION]
    classes = config.model.num_classes or COCO_CLASSES
    timings = {name: Timing() for name in configs}
    forward_size = (arguments.height, arguments.width)
    training_size = (arguments.training_height, arguments.training_width)
    about = {"device": device, "repeat": repeat, "settings": to_dict(config)}
    about |= {"forward_size": forward_size, "training_size": training_size}

    def works(size: tuple[int, int]) -> dict[str, Work]:
        return {
            name: Work(each, classes, *size, device, forward_parts=False)
            for name, each in configs.items()
        }

    runs = counted(repeat, "run")
    if arguments.skip != FORWARD:
        measure(works(forward_size), WHOLE, repeat, timings)
        title = f"forward pass, 1 image of {forward_size[0]} x {forward_size[1]}"
        print(f"{title} on {device}, ms, {runs}\n{forward_table(timings)}\n", flush=True)
        save(arguments.json, timings, about)
    if arguments.skip != TRAINING:
        measure_training(works(training_size), (STEP,), repeat, timings)
        images = counted(config.train.batch_size, "image")
        title = f"training step, {images} of {training_size[0]} x {training_size[1]}"
        print(f"{title} on {device}, ms, {runs}\n{training_table(timings)}\n", flush=True)
        save(arguments.json, timings, about)
    print(f"peak memory and first call of each process\n{process_table(timings)}")


if __name__ == "__main__":
    sys.exit(main(None))
