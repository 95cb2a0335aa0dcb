"""The table says what the result holds."""

from __future__ import annotations

import json

import pytest

from focus_detr.evaluation.coco_metrics import METRIC_NAMES, ClassPrecision, CocoResult
from focus_detr.evaluation.report import format_table, result_to_dict
from focus_detr.evaluation.speed import Speed, format_speed

METRICS = {name: index / 100 for index, name in enumerate(METRIC_NAMES)} | {"APs": -1.0}


def test_table_has_every_number_in_percent() -> None:
    result = CocoResult(METRICS, {"cat": ClassPrecision(0.5, 0.755), "dog": ClassPrecision(-1, -1)})
    lines = format_table(result).splitlines()
    assert lines[1].split() == list(METRIC_NAMES[:6])
    assert lines[2].split() == ["0.0", "1.0", "2.0", "-", "4.0", "5.0"]
    assert lines[4].split() == ["6.0", "7.0", "8.0", "9.0", "10.0", "11.0"]
    assert [line.split() for line in lines[-2:]] == [["cat", "50.0", "75.5"], ["dog", "-", "-"]]


@pytest.mark.parametrize("classes", [1, 12, 13, 20, 80])
def test_every_class_is_listed_once(classes: int) -> None:
    names = [f"class_{index:02d}" for index in range(classes)]
    table = format_table(CocoResult(METRICS, dict.fromkeys(names, ClassPrecision(0.1, 0.2))))
    assert sorted(word for word in table.split() if word.startswith("class_")) == names
    assert max(map(len, table.splitlines())) <= 100


def test_dict_is_json_and_keeps_fractions() -> None:
    result = CocoResult(METRICS, {"cat": ClassPrecision(0.5, 0.75)}, Speed(images=3))
    content = json.loads(json.dumps(result_to_dict(result)))
    assert content["metrics"] == METRICS
    assert content["per_class"] == {"cat": {"AP": 0.5, "AP50": 0.75}}
    assert content["speed"]["images"] == 3


def test_speed_leaves_out_the_compilation() -> None:
    speed = Speed()
    speed.add_warmup(images=2, model_seconds=30.0)
    speed.add(images=4, data=1.0, model=2.0, post=1.0)
    assert speed.images_per_second() == 1.0
    assert speed.images_per_second(speed.model_seconds) == 2.0
    text = format_speed(speed)
    assert text.startswith(
        "1.00 images/s over 4 of 6 images (ms per image: data 250.0, model 500.0, post 250.0)"
    )
    assert text.endswith("the other 2, first batch of 1 image shape, with compilation: 30.0 s")


def test_speed_of_nothing_is_no_number() -> None:
    assert Speed().images_per_second() is None
    assert format_speed(Speed()).startswith("- images/s")
