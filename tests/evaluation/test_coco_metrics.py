"""COCO metrics on ground truth whose precision is known by hand, and against pycocotools."""

from __future__ import annotations

import contextlib
import io
import json
from pathlib import Path

import numpy as np
import pytest
from pycocotools.coco import COCO
from pycocotools.cocoeval import COCOeval

from focus_detr.errors import FocusDetrError
from focus_detr.evaluation.coco_metrics import METRIC_NAMES, evaluate_detections

CATEGORIES = [{"id": 3, "name": "cat"}, {"id": 7, "name": "dog"}]


def annotation(number: int, image: int, category: int, box: list[float]) -> dict:
    area = box[2] * box[3]
    keys = ("id", "image_id", "category_id", "bbox", "area", "iscrowd")
    return dict(zip(keys, (number, image, category, box, area, 0), strict=True))


def detection(image: int, category: int, box: list[float], score: float = 0.9) -> dict:
    return {"image_id": image, "category_id": category, "bbox": box, "score": score}


def write_truth(folder: Path, annotations: list[dict], **extra: object) -> Path:
    images = [{"id": number, "width": 200, "height": 200} for number in (1, 2)]
    content = {"images": images, "categories": CATEGORIES, "annotations": annotations, **extra}
    path = folder / "annotations.json"
    path.write_text(json.dumps(content))
    return path


@pytest.fixture
def truth(tmp_path: Path) -> Path:
    return write_truth(
        tmp_path,
        [
            annotation(1, 1, 3, [10, 10, 20, 20]),
            annotation(2, 1, 7, [50, 50, 120, 120]),
            annotation(3, 2, 3, [30, 30, 50, 50]),
        ],
    )


def test_perfect_detections_have_precision_one(truth: Path) -> None:
    boxes = [
        detection(1, 3, [10, 10, 20, 20]),
        detection(1, 7, [50, 50, 120, 120]),
        detection(2, 3, [30, 30, 50, 50]),
    ]
    result = evaluate_detections(truth, boxes)
    assert tuple(result.metrics) == METRIC_NAMES
    assert all(value == pytest.approx(1.0) for value in result.metrics.values())
    assert {name: value.ap for name, value in result.per_class.items()} == pytest.approx(
        {"cat": 1.0, "dog": 1.0}
    )


def test_half_of_a_class_found_gives_half_of_the_recall_points(truth: Path) -> None:
    result = evaluate_detections(truth, [detection(1, 3, [10, 10, 20, 20])])
    # One of two cats: precision 1 at the 51 recall points 0 .. 0.5 of 101, no dog at all.
    assert result.per_class["cat"].ap == pytest.approx(51 / 101)
    assert result.per_class["dog"].ap == 0
    assert result.metrics["AP"] == pytest.approx(51 / 202)
    assert result.metrics["AR100"] == pytest.approx(0.25)


def test_loose_box_counts_at_loose_thresholds_only(truth: Path) -> None:
    shifted = [50, 50, 120, 66]  # IoU 0.55: right at 0.50 and 0.55
    result = evaluate_detections(truth, [detection(1, 7, shifted)])
    assert result.per_class["dog"].ap50 == pytest.approx(1.0)
    assert result.per_class["dog"].ap == pytest.approx(0.2)


def test_no_detections_are_zero_and_unmeasurable_is_minus_one(tmp_path: Path) -> None:
    path = write_truth(tmp_path, [annotation(1, 1, 3, [10, 10, 20, 20])])
    result = evaluate_detections(path, [])
    assert result.metrics["AP"] == result.metrics["APs"] == result.metrics["AR100"] == 0
    assert result.metrics["APm"] == result.metrics["APl"] == -1
    assert (result.per_class["cat"].ap, result.per_class["dog"].ap) == (0, -1)


def test_no_ground_truth_at_all_is_minus_one(tmp_path: Path) -> None:
    result = evaluate_detections(write_truth(tmp_path, []), [])
    assert set(result.metrics.values()) == {-1}


def test_missing_optional_keys_change_nothing(truth: Path, tmp_path: Path) -> None:
    boxes = [detection(1, 3, [11, 11, 20, 20]), detection(2, 3, [30, 30, 50, 40])]
    expected = evaluate_detections(truth, boxes).metrics
    bare = json.loads(truth.read_text())["annotations"]
    for entry in bare:
        for key in ("area", "iscrowd", "id"):
            del entry[key]
    folder = tmp_path / "bare"
    folder.mkdir()
    assert evaluate_detections(write_truth(folder, bare), boxes).metrics == expected


def test_annotation_id_zero_can_be_matched(tmp_path: Path) -> None:
    path = write_truth(tmp_path, [annotation(0, 1, 3, [10, 10, 20, 20])])
    result = evaluate_detections(path, [detection(1, 3, [10, 10, 20, 20])])
    assert result.metrics["AP"] == pytest.approx(1.0)


def test_equals_pycocotools_on_random_boxes(tmp_path: Path, capsys: pytest.CaptureFixture) -> None:
    path, boxes = random_case(tmp_path)
    metrics = evaluate_detections(path, boxes).metrics
    assert capsys.readouterr().out == ""  # pycocotools' own prints are silenced
    with contextlib.redirect_stdout(io.StringIO()):
        ground_truth = COCO(str(path))
        evaluation = COCOeval(ground_truth, ground_truth.loadRes(boxes), "bbox")
        evaluation.evaluate()
        evaluation.accumulate()
        evaluation.summarize()
    assert list(metrics.values()) == evaluation.stats.tolist()
    assert 0.05 < metrics["AP"] < 0.95


def random_case(folder: Path) -> tuple[Path, list[dict]]:
    """Boxes of all sizes with crowds; detections are noisy copies and inventions."""
    random = np.random.default_rng(3)
    annotations, boxes = [], []
    for number in range(1, 41):
        image, category = int(random.integers(1, 3)), int(random.choice([3, 7]))
        box = [*random.uniform(0, 80, 2), *random.uniform(8, 120, 2)]
        annotations.append(annotation(number, image, category, box))
        annotations[-1]["iscrowd"] = int(number % 10 == 0)
        noisy = np.abs(np.array(box) + random.normal(0, 3, 4)).tolist()
        boxes.append(detection(image, category, noisy, float(random.uniform())))
        invented = [*random.uniform(0, 80, 2), *random.uniform(8, 120, 2)]
        boxes.append(detection(image, category, invented, float(random.uniform(0, 0.6))))
    return write_truth(folder, annotations, info={}), boxes


def test_classes_of_one_name_stay_apart(tmp_path: Path) -> None:
    path = write_truth(
        tmp_path, [], categories=[{"id": 1, "name": "cell"}, {"id": 2, "name": "cell"}]
    )
    assert list(evaluate_detections(path, []).per_class) == ["cell (1)", "cell (2)"]


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"image_id": 9}, "no image_id 9"),
        ({"category_id": 1}, "no category_id 1"),
        ({"category_id": [3]}, r"no category_id \[3\]"),
        ({"bbox": [1, 2, 3]}, "four finite numbers"),
        ({"bbox": [1, 2, 3, float("nan")]}, "four finite numbers"),
        ({"bbox": None}, "four finite numbers"),
        ({"bbox": [1, 2, -3, 4]}, "negative"),
        ({"bbox": "1234"}, "four finite numbers"),
        ({"bbox": [1, 2, 3, 10**400]}, "four finite numbers"),
        ({"score": "high"}, "'score'"),
        ({"score": 10**400}, "'score'"),
        ({"score": float("inf")}, "'score'"),
    ],
)
def test_bad_detection_is_named(truth: Path, change: dict, message: str) -> None:
    good = detection(1, 3, [10, 10, 20, 20])
    with pytest.raises(FocusDetrError, match=rf"found\.json: detection 2.*{message}"):
        evaluate_detections(truth, [good, {**good, **change}], "found.json")


def test_missing_field_is_named(truth: Path) -> None:
    with pytest.raises(FocusDetrError, match="detection 1 has no 'score'"):
        evaluate_detections(truth, [{"image_id": 1, "category_id": 3, "bbox": [1, 1, 2, 2]}])


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ("{broken", "not valid JSON"),
        ("[]", "no 'images'"),
        ('{"images": [{"id": 1}]}', "no 'categories'"),
        (
            '{"images": [{"id": 1}], "categories": [{"id": 1}], "annotations": []}',
            "'name' must be a text",
        ),
        (
            '{"images": [{"id": [1]}], "categories": [{"id": 1, "name": "a"}], "annotations": []}',
            r"images\[0\]: 'id' must be an integer or a text, not \[1\]",
        ),
        (
            '{"images": [{"id": 1}], "categories": [{"id": 1, "name": "a"}], "annotations": 3}',
            "list",
        ),
        (
            '{"images": [{"id": 1}], "categories": [{"id": 1, "name": "a"}],'
            ' "annotations": [{"image_id": 1, "category_id": 1}]}',
            "annotation 1: 'bbox' must be four finite numbers",
        ),
        (
            '{"images": [{"id": 1}], "categories": [{"id": 1, "name": "a"}],'
            ' "annotations": [{"image_id": 2, "category_id": 1}]}',
            "annotation 1: image 2 is not in 'images'",
        ),
        (
            '{"images": [{"id": 1}], "categories": [{"id": 1, "name": "a"}],'
            ' "annotations": [{"image_id": 1, "category_id": 7}]}',
            "annotation 1: category 7 is not in 'categories'",
        ),
        (
            '{"images": [{"id": 1}], "categories": [{"id": 1, "name": "a"}], "annotations":'
            ' [{"image_id": 1, "category_id": 1, "bbox": [1, 1, 2, 2], "area": Infinity}]}',
            "annotation 1: 'area' must be a finite number",
        ),
    ],
)
def test_bad_annotation_file_is_named(tmp_path: Path, content: str, message: str) -> None:
    path = tmp_path / "truth.json"
    path.write_text(content)
    with pytest.raises(FocusDetrError, match=f"truth.json.*{message}"):
        evaluate_detections(path, [])


def test_inverted_boxes_are_left_out_with_one_warning_and_empty_ones_count_as_missed(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    boxes = [[10, 10, 20, 20], [50, 50, -3, 4], [50, 50, 0, 4], [50, 50, 4, 0]]
    path = write_truth(tmp_path, [annotation(i, 1, 3, box) for i, box in enumerate(boxes, start=1)])
    result = evaluate_detections(path, [detection(1, 3, [10, 10, 20, 20])])
    assert result.metrics["AR100"] == pytest.approx(1 / 3)
    assert [record.getMessage() for record in caplog.records] == [
        f"{path}: left out 1 inverted box"
    ]


@pytest.mark.parametrize(
    ("boxes", "reading"),
    [
        ([[0.05, 0.05, 0.1, 0.1], [0.25, 0.25, 0.6, 0.6]], "look like shares of the picture"),
        ([[120, 20, 190, 90], [50, 50, 170, 170], [90, 110, 180, 199]], "all fit as corners"),
    ],
)
def test_detections_in_another_convention_are_refused(
    truth: Path, boxes: list[list[float]], reading: str
) -> None:
    found = [detection(1, 3, box) for box in boxes]
    with pytest.raises(FocusDetrError, match=rf"found\.json: .*{reading}"):
        evaluate_detections(truth, found, "found.json")


def test_detections_over_the_edge_are_counted(
    truth: Path, caplog: pytest.LogCaptureFixture
) -> None:
    boxes = [[150, 20, 90, 9], [150, 30, 90, 9], [150, 40, 90, 9], [2, 10, 20, 20]]
    evaluate_detections(truth, [detection(1, 3, box) for box in boxes], "found.json")
    assert "found.json: 3 of 4 boxes reach far over the edge of their pictures, such" in caplog.text
