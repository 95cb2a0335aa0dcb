"""Settings and data of a network that is small enough to train with real workers in a test."""

from __future__ import annotations

import os
import socket
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path

from coco_files import annotation, write_coco
from small_checkpoint import NETWORK

from focus_detr.config.loading import dump_yaml
from focus_detr.config.schema import (
    AlignConfig,
    BackboneConfig,
    Config,
    DataConfig,
    DenoisingConfig,
    ForegroundSelectorConfig,
    LossConfig,
    OptimizerConfig,
    PaddingConfig,
    ScheduleConfig,
    TrainConfig,
)

SCRIPTS = Path(__file__).resolve().parents[1] / "scripts"
SIZES = [(64, 96), (96, 64), (64, 80)]  # a step of two images to an epoch; one is left over
BOXES = (3, 1, 2)  # of each image
# in the folder of the test: what earlier tests of the same sources compiled could hide a defect of
# compilation here, and an empty folder costs a fresh checkout nothing
GRAPHS = "graphs"


def write_settings(folder: Path) -> Path:
    """A data set of three pictures and settings that train on it; the graphs stay beside them."""
    boxes = [
        annotation(10 * image + box, image, [8 * box, 6 + box, 20 + 3 * image, 16 + 5 * box])
        for image, count in enumerate(BOXES, start=1)
        for box in range(count)
    ]
    path = write_coco(folder, SIZES, boxes)
    data = DataConfig(
        train_annotations=str(path),
        train_images=str(folder),
        val_annotations=str(path),
        val_images=str(folder),
        train_short_sides=(64,),
        train_max_side=96,
        crop=0.0,
        test_short_side=64,
        test_max_side=96,
        shape_buckets=((96, 96),),
        target_buckets=(4,),
        workers=0,
    )
    train = TrainConfig(
        output_dir=str(folder / "run"),
        batch_size=1,
        log_every=1,
        eval_every=4,
        compile_cache=str(folder / GRAPHS),
        optimizer=OptimizerConfig(lr=1e-4),
        schedule=ScheduleConfig(epochs=6, milestones=()),
    )
    # with "partial" the other images of a worker have a say in what is padding, as in the reference
    selector = ForegroundSelectorConfig(label_intervals=((-1, 64), (64, 128), (128, 999999)))
    backbone = BackboneConfig("resnet18", 0.125, depths=(1, 1, 1, 1))
    model = replace(
        NETWORK,
        backbone=backbone,
        levels=3,
        foreground_selector=selector,
        padding=PaddingConfig(training="full"),
        # a pass from the queries themselves: the released one shares the only layer there is
        decoder=replace(NETWORK.decoder, gathering="paper"),
    )
    loss = LossConfig(classification="align", align=AlignConfig(encoder="focal"))
    denoising = DenoisingConfig(number=6)
    config = Config(model=model, data=data, train=train, loss=loss, denoising=denoising)
    settings = folder / "settings.yaml"
    settings.write_text(dump_yaml(config))
    return settings


def environment(**changes: str) -> dict[str, str]:
    """This process's environment with its Python first on PATH and one thread to a worker."""
    path = os.pathsep.join([str(Path(sys.executable).parent), os.environ["PATH"]])
    return {**os.environ, "PATH": path, "OMP_NUM_THREADS": "1", **changes}


@contextmanager
def started(script: str, *arguments: object) -> Iterator[subprocess.Popen[str]]:
    """A running script of ``scripts`` with its output in pipes; killed at the end."""
    command = ["bash", str(SCRIPTS / script), *map(str, arguments), "--device", "CPU"]
    pipes = {"stdout": subprocess.PIPE, "stderr": subprocess.PIPE}
    with subprocess.Popen(command, env=environment(), text=True, **pipes) as process:
        try:
            yield process
        finally:
            process.kill()


def run(script: str, *arguments: object, seconds: float = 120) -> subprocess.CompletedProcess[str]:
    """Run a script of ``scripts`` to its end."""
    with started(script, *arguments) as process:
        out, error = process.communicate(timeout=seconds)
    return subprocess.CompletedProcess(process.args, process.returncode, out, error)


def busy_port() -> socket.socket:
    """A socket that listens to a port of its own; close it after use."""
    listener = socket.socket()
    listener.bind(("", 0))
    listener.listen()
    return listener
