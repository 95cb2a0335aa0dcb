"""Bringing the detections of several workers together."""

from __future__ import annotations

import json
import zlib
from collections.abc import Sequence
from dataclasses import asdict
from statistics import fmean
from typing import Any

from focus_detr.distributed.world import World
from focus_detr.evaluation.speed import Speed

Detections = list[dict[str, Any]]


def gather_results(world: World, detections: Detections, speed: Speed) -> tuple[Detections, Speed]:
    """Detections of all workers in the order of the image ids, and their common speed.

    The workers have different images, so that the order does not depend on their number. Workers
    after the first get nothing back.
    """
    if world.size == 1:
        return detections, speed
    # JSON keeps every float exactly
    own = json.dumps({"detections": detections, "speed": asdict(speed)}).encode()
    payloads = world.gather(zlib.compress(own, 1))
    if not world.first:
        return [], speed
    parts = [json.loads(zlib.decompress(payload)) for payload in payloads]
    everything = [detection for part in parts for detection in part["detections"]]
    everything.sort(key=_image_order)  # stable within an image
    return everything, together([Speed(**part["speed"]) for part in parts])


def _image_order(detection: dict[str, Any]) -> tuple[bool, Any]:
    """Numbers before texts, which cannot be compared with them."""
    image_id = detection["image_id"]
    return isinstance(image_id, str), image_id


def together(speeds: Sequence[Speed]) -> Speed:
    """Speed of workers side by side: all images in the mean of the times."""
    return Speed(
        images=sum(speed.images for speed in speeds),
        data_seconds=fmean(speed.data_seconds for speed in speeds),
        model_seconds=fmean(speed.model_seconds for speed in speeds),
        post_seconds=fmean(speed.post_seconds for speed in speeds),
        warmup_images=sum(speed.warmup_images for speed in speeds),
        compile_seconds=max(speed.compile_seconds for speed in speeds),
        shapes=max(speed.shapes for speed in speeds),
    )
