"""Detections of several workers become one list, their speeds one speed."""

from __future__ import annotations

import json
import zlib
from dataclasses import asdict

import pytest
from told_world import ToldWorld

from focus_detr.distributed.world import SINGLE
from focus_detr.evaluation.gathering import gather_results, together
from focus_detr.evaluation.speed import Speed


def _detection(image: int, score: float) -> dict[str, object]:
    return {"image_id": image, "category_id": 1, "bbox": [0.1, 1 / 3, 5.0, 6.0], "score": score}


OWN = [_detection(3, 0.5), _detection(3, 0.25), _detection(1, 0.1)]
OTHER = [_detection(2, 0.7), _detection(4, 1 / 7)]


def _payload(speed: Speed) -> bytes:
    return zlib.compress(json.dumps({"detections": OTHER, "speed": asdict(speed)}).encode())


def test_one_worker_keeps_its_own() -> None:
    speed = Speed(images=3)
    detections, kept = gather_results(SINGLE, OWN, speed)
    assert detections is OWN and kept is speed


def test_the_first_worker_gets_all_by_image() -> None:
    world = ToldWorld(said=_payload(Speed(images=2, model_seconds=3.0)))
    detections, speed = gather_results(world, OWN, Speed(images=3, model_seconds=1.0))
    assert detections == [OWN[2], OTHER[0], OWN[0], OWN[1], OTHER[1]]
    assert (speed.images, speed.model_seconds) == (5, 2.0)


def test_the_others_get_nothing() -> None:
    world = ToldWorld(rank=1, said=_payload(Speed()))
    assert gather_results(world, OWN, Speed())[0] == []


def test_workers_side_by_side_are_faster_than_one() -> None:
    one = Speed(images=10, data_seconds=1, model_seconds=3, post_seconds=1, shapes=2)
    both = together([one, one])
    assert both.images_per_second() == pytest.approx(2 * (one.images_per_second() or 0))
    assert both.shapes == 2
