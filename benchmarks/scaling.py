"""What data-parallel training costs at 8, 64 and 1024 devices: a model, and two runs compared.

    python benchmarks/scaling.py
    python benchmarks/scaling.py --json scaling.json step_seconds=0.3 batch_size=4
    python benchmarks/scaling.py --measured runs/one_worker runs/two_workers

The model's assumptions are the fields of Assumptions; docs/scaling.md explains them. --measured
divides the step times of two runs of train.py over the same data: with the same number of images in
a step that is the speed-up, with the same number on each worker the efficiency.
"""

from __future__ import annotations

import argparse
import json
import math
import sys
from collections.abc import Sequence
from dataclasses import asdict, dataclass, fields
from pathlib import Path
from statistics import median

from focus_detr.errors import FocusDetrError
from focus_detr.io.files import write_json
from focus_detr.io.user_paths import path_text
from focus_detr.process.command_line import parse_intermixed
from focus_detr.process.runtime import command
from focus_detr.wording import counted

DEVICES = (8, 64, 1024)
_SETTLED = 3  # the first steps of a run compile


@dataclass(frozen=True)
class Assumptions:
    """What the model takes for granted; nothing of it was measured on a GPU or an NPU here."""

    parameters: float = 49.34e6  # ResNet-50 network, 91 classes; frozen ones counted too
    tensors: float = 400  # that have a gradient, about
    gradient_bytes: float = 4  # float32
    devices_per_machine: float = 8
    inside_rate: float = 100e9  # bytes/s and direction that a device reaches inside a machine
    between_rate: float = 20e9  # bytes/s and direction of its own card to other machines
    inside_delay: float = 5e-6  # seconds of a hop inside a machine
    between_delay: float = 15e-6  # and between machines
    small_reductions: float = 4  # a step: box count, largest count, logged losses, stop wish
    step_seconds: float = 0.5  # forward, matching, backward and update of one device's batch
    batch_size: float = 2  # of a device
    image_bytes: float = 163e3  # a JPEG of COCO train2017: 19.3 GB over 118,287 files
    image_seconds: float = 0.025  # of one core, to read, decode, augment and normalise an image
    images: float = 118_287  # of an epoch


@dataclass(frozen=True)
class Estimate:
    """One number of devices; times in seconds."""

    devices: int
    megabytes_sent: float  # by each device in a step
    fused_seconds: float  # all gradients reduced as one
    separate_seconds: float  # every tensor by itself
    small_seconds: float
    efficiency_hidden: float  # the reduction runs beside the backward pass
    efficiency_fused: float  # nothing runs beside the reduction
    efficiency_separate: float
    images_per_second: float  # fused
    host_images_per_second: float
    host_megabytes_per_second: float
    host_cores: float
    steps_per_epoch: int


def estimate(devices: int, given: Assumptions) -> Estimate:
    """Model a step of ``devices`` devices.

    The gradients are reduced as on a machine with a card per device: scattered inside the machine,
    each part summed in a ring over the machines, gathered inside. A ring sends every byte nearly
    twice, whatever its length.
    """
    inside = min(devices, int(given.devices_per_machine))
    machines = math.ceil(devices / given.devices_per_machine)
    size = given.parameters * given.gradient_bytes
    sent_inside = 2 * (inside - 1) / inside * size
    sent_between = 2 * (machines - 1) / machines * size / inside
    moving = sent_inside / given.inside_rate + sent_between / given.between_rate
    delay = 2 * (inside - 1) * given.inside_delay + 2 * (machines - 1) * given.between_delay
    fused, separate = moving + delay, moving + given.tensors * delay
    # a few bytes go up and down a tree
    hops = 2 * (math.log2(inside) * given.inside_delay + math.log2(machines) * given.between_delay)
    small = given.small_reductions * hops
    step = given.step_seconds
    rate = devices * given.batch_size / (step + fused + small)
    return Estimate(
        devices=devices,
        megabytes_sent=(sent_inside + sent_between) / 1e6,
        fused_seconds=fused,
        separate_seconds=separate,
        small_seconds=small,
        efficiency_hidden=step / (step + small),
        efficiency_fused=step / (step + fused + small),
        efficiency_separate=step / (step + separate + small),
        images_per_second=rate,
        host_images_per_second=rate / machines,
        host_megabytes_per_second=rate / machines * given.image_bytes / 1e6,
        host_cores=rate / machines * given.image_seconds,
        steps_per_epoch=int(given.images // (devices * given.batch_size)),
    )


def step_milliseconds(run: Path) -> float:
    """Median time of a step with its wait for data, once everything is compiled.

    Args:
        run: output folder of ``train.py`` with ``train.log_every=1``.

    Raises:
        FocusDetrError: the folder has no log, or a log of too few steps.
    """
    try:
        lines = (run / "metrics.jsonl").read_text(encoding="utf-8").splitlines()
    except OSError as error:
        raise FocusDetrError(f"cannot read {run / 'metrics.jsonl'}: {error.strerror}") from error
    records = [record for record in map(json.loads, lines) if record["kind"] == "train"]
    settled = records[_SETTLED:]
    if not settled:
        steps = counted(len(records), "step")
        raise FocusDetrError(f"{run} logged {steps}, too few to tell the usual time")
    return median(record["step_ms"] + record["data_ms"] for record in settled)


def parse_assumptions(words: Sequence[str]) -> Assumptions:
    """Defaults with ``name=number`` replaced.

    Raises:
        FocusDetrError: an unknown name, or a number that is not above 0.
    """
    known = [field.name for field in fields(Assumptions)]
    changed = {}
    for word in words:
        name, _, text = word.partition("=")
        if name not in known:
            raise FocusDetrError(f"unknown assumption {name}, expected one of {', '.join(known)}")
        try:
            changed[name] = float(text)
        except ValueError:
            changed[name] = math.nan
        if not 0 < changed[name] < math.inf:
            raise FocusDetrError(f"{name} must be a number above 0, got {text}")
    return Assumptions(**changed)


def format_estimates(estimates: Sequence[Estimate]) -> str:
    """A table, one line per number of devices."""
    head = (
        "devices  MB sent  fused ms  separate ms  efficiency hidden/fused/separate  images/s  "
        "host images/s  host MB/s  host cores  steps/epoch"
    )
    rows = [
        f"{e.devices:>7}  {e.megabytes_sent:>7.0f}  {1000 * e.fused_seconds:>8.1f}  "
        f"{1000 * e.separate_seconds:>11.1f}  {e.efficiency_hidden:>17.1%} "
        f"{e.efficiency_fused:>6.1%} {e.efficiency_separate:>7.1%}  {e.images_per_second:>8.0f}  "
        f"{e.host_images_per_second:>13.1f}  {e.host_megabytes_per_second:>9.1f}  "
        f"{e.host_cores:>10.2f}  {e.steps_per_epoch:>11}"
        for e in estimates
    ]
    return "\n".join([head, *rows])


@command
def main(argv: Sequence[str] | None) -> None:
    """Run the command."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--json", type=path_text, help="save assumptions and numbers here")
    runs = "of one worker, of several"
    parser.add_argument("--measured", nargs=2, type=path_text, metavar="RUN", help=runs)
    parser.add_argument("assumptions", nargs="*", metavar="name=number", help="change assumptions")
    arguments = parse_intermixed(parser, argv)
    given = parse_assumptions(arguments.assumptions)
    estimates = [estimate(devices, given) for devices in DEVICES]
    print(format_estimates(estimates))
    report = {"assumptions": asdict(given), "estimates": [asdict(e) for e in estimates]}
    if arguments.measured:
        one, several = (step_milliseconds(Path(run)) for run in arguments.measured)
        speedup = one / several
        print(f"a step of one worker {one:.0f} ms, of several {several:.0f} ms: x {speedup:.2f}")
        report["measured"] = {"one_ms": one, "several_ms": several, "speedup": speedup}
    if arguments.json:
        write_json(arguments.json, report, indent=1)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
