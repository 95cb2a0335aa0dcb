"""Our network beside the public peer: sizes, times and memory."""

from __future__ import annotations

import argparse
import os
from collections.abc import Mapping
from dataclasses import asdict

from backbone_work import (
    OurBackbone,
    PeerBackbone,
    peer_backbone_size,
    refuse_other_backbones,
)
from model_forward import WHOLE
from model_measure import COCO_CLASSES, Timing, measure, measure_training, save
from model_report import forward_table, process_table, training_table
from model_training import STEP
from model_worker import Job, Work, Worker
from peer_work import PACKAGES, PeerWork, Size, peer_settings, peer_size
from plain_table import table

from focus_detr.config.loading import load_config, to_dict
from focus_detr.config.schema import Config
from focus_detr.models.backbones.costs import backbone_multiply_adds
from focus_detr.models.factory import build_backbone, build_model
from focus_detr.models.flops import count_multiply_adds, token_count
from focus_detr.models.parameter_counts import count_parameters
from focus_detr.process.runtime import prepare_runtime
from focus_detr.wording import counted

OURS, PEER = "ours", "peer"
DEVICE = "CPU"


def build_works(config: Config, num_classes: int, height: int, width: int) -> tuple[Work, PeerWork]:
    """Our network and the peer of the same sizes, for a worker each.

    Raises:
        FocusDetrError: the peer has no such backbone.
    """
    queries = min(config.model.decoder.queries, token_count(config.model, height, width))
    settings = peer_settings(config.model, num_classes, queries)
    images = (num_classes, height, width)
    ours = Work(config, *images, DEVICE, forward_parts=False)
    return ours, PeerWork(config, settings, *images, forward=WHOLE)


def detectors(config: Config, height: int, width: int) -> tuple[dict[str, Job], dict[str, Size]]:
    """Both detectors and their sizes; raises as ``build_works``."""
    ours, peer = build_works(config, config.model.num_classes or COCO_CLASSES, height, width)
    with Worker() as worker:
        sizes = {OURS: our_size(ours), PEER: worker.ask(peer_size, peer)}
    return {OURS: ours, PEER: peer}, sizes


def backbones(config: Config, height: int, width: int) -> tuple[dict[str, Job], dict[str, Size]]:
    """Both backbones alone and their sizes.

    Raises:
        FocusDetrError: the peer has no such backbone.
    """
    refuse_other_backbones(config)
    settings = config.model.backbone
    weights = sum(weight.size for weight in build_backbone(settings).get_parameters())
    ours = OurBackbone(config, height, width, WHOLE)
    peer = PeerBackbone(config, height, width, WHOLE)
    with Worker() as worker:
        sizes = {
            OURS: Size(weights, backbone_multiply_adds(settings, height, width)),
            PEER: worker.ask(peer_backbone_size, peer),
        }
    return {OURS: ours, PEER: peer}, sizes


def our_size(work: Work) -> Size:
    """Likewise of our network."""
    model = work.config.model
    counts = count_multiply_adds(model, work.num_classes, work.height, work.width)
    sampling = counts.encoder_sampling + counts.decoder_sampling
    weights = count_parameters(build_model(model, work.num_classes))
    return Size(weights.total, counts.total - sampling)


def size_table(sizes: Mapping[str, Size]) -> str:
    """Both networks in millions and billions."""
    ours, peer = sizes.values()
    pairs = (
        ("million weights", ours.parameters / 1e6, peer.parameters / 1e6),
        ("billion multiply-adds", ours.multiply_adds / 1e9, peer.multiply_adds / 1e9),
    )
    rows = ((name, f"{a:.2f}", f"{b:.2f}", f"{a / b:.2f}") for name, a, b in pairs)
    return table(("size", *sizes, "/".join(sizes)), rows)


def compare(arguments: argparse.Namespace, *, forward: bool, training: bool) -> None:
    """Measure, print and save.

    Args:
        arguments: of the command line.
        forward: whether to time the forward pass.
        training: whether to time the training step.

    Raises:
        FocusDetrError: bad settings, or a process died.
    """
    config = load_config(arguments.config, arguments.overrides)
    prepare_runtime(DEVICE)
    size, repeat = (arguments.height, arguments.width), arguments.repeat
    works, sizes = (backbones if arguments.backbone else detectors)(config, *size)
    print(f"one image of {size[0]} x {size[1]}\n{size_table(sizes)}\n", flush=True)
    timings = {OURS: Timing(), PEER: Timing()}
    cores = len(os.sched_getaffinity(0))
    where = f"{size[0]} x {size[1]}, {counted(cores, 'core')}, ms, {counted(repeat, 'run')}"
    about = {"size": size, "cores": cores, "repeat": repeat, "packages": PACKAGES}
    about |= {"settings": to_dict(config), "sizes": {name: asdict(s) for name, s in sizes.items()}}
    if forward:
        measure(works, WHOLE, repeat, timings)
        print(f"forward pass, 1 image of {where}\n{forward_table(timings)}\n", flush=True)
        save(arguments.json, timings, about)
    if training:
        measure_training(works, (STEP,), repeat, timings)
        images = counted(config.train.batch_size, "image")
        print(f"training step, {images} of {where}\n{training_table(timings)}\n", flush=True)
        save(arguments.json, timings, about)
    print(f"peak memory and first call of each process\n{process_table(timings)}")
