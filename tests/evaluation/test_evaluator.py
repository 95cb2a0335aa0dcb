"""The evaluator maps boxes back, skips fillers and counts time, with an invented detector."""

from __future__ import annotations

import json
import sys
from pathlib import Path

import numpy as np
import pytest
from gone_reader import unread_stream

from focus_detr.data.batch import Batch
from focus_detr.data.collate import BLANK_ID
from focus_detr.errors import FocusDetrError
from focus_detr.evaluation.evaluator import Evaluator
from focus_detr.inference.postprocess import Suppression

CATEGORY_IDS = (4, 9)
# image id -> (file height, file width), label, box x1 y1 x2 y2 in 0..1
IMAGES = {
    31: ((100, 200), 0, (0.1, 0.2, 0.5, 0.8)),
    12: ((300, 60), 1, (0.0, 0.5, 1.0, 0.75)),
    25: ((50, 50), 1, (0.2, 0.2, 0.9, 0.6)),
}


def make_batch(image_ids: list[int | None], side: int = 32) -> Batch:
    """A batch whose first pixel is the image id, so that the detector can look it up."""
    count = len(image_ids)
    images = np.zeros((count, 3, side, side), np.float32)
    images[:, 0, 0, 0] = [-1 if i is BLANK_ID else i for i in image_ids]
    sizes = [IMAGES[i][0] if i != BLANK_ID else (64, 64) for i in image_ids]
    return Batch(
        images=images,
        image_sizes=np.full((count, 2), side, np.int32),
        boxes=np.tile(np.float32([0.5, 0.5, 1, 1]), (count, 1, 1)),
        labels=np.zeros((count, 1), np.int32),
        box_valid=np.zeros((count, 1), np.float32),
        image_ids=tuple(image_ids),
        original_sizes=np.array(sizes, np.int32),
    )


def perfect_detector(images: object, image_sizes: object) -> tuple[np.ndarray, ...]:
    """The true box of each image, a filler row, and a box without area."""
    image_ids = np.asarray(images)[:, 0, 0, 0].astype(int)
    assert np.asarray(image_sizes).shape == (len(image_ids), 2)
    truth = [IMAGES.get(i, ((1, 1), 0, (0, 0, 1, 1))) for i in image_ids]
    scores = np.tile(np.float32([0.25, -1, 0.75]), (len(truth), 1))
    labels = np.array([[label, 99, 0] for _, label, _ in truth], np.int32)
    boxes = np.array([[box, (0, 0, 1, 1), (1.0, 0.1, 1.5, 0.9)] for *_, box in truth], np.float32)
    return scores, labels, boxes, np.zeros((len(truth), 5)), np.zeros((len(truth), 6))


@pytest.fixture
def annotations(tmp_path: Path) -> Path:
    entries = []
    for image_id, ((height, width), label, (x1, y1, x2, y2)) in IMAGES.items():
        box = [x1 * width, y1 * height, (x2 - x1) * width, (y2 - y1) * height]
        entries.append({"image_id": image_id, "category_id": CATEGORY_IDS[label], "bbox": box})
    content = {
        "images": [{"id": image_id} for image_id in IMAGES],
        "categories": [{"id": number, "name": f"class {number}"} for number in CATEGORY_IDS],
        "annotations": entries,
    }
    path = tmp_path / "annotations.json"
    path.write_text(json.dumps(content))
    return path


def doubled(images: object, image_sizes: object) -> tuple[np.ndarray, ...]:
    """The perfect detector, which says everything twice."""
    rows = perfect_detector(images, image_sizes)
    return tuple(np.concatenate([row, row], axis=1) for row in rows[:3])


@pytest.mark.parametrize(
    ("suppression", "found"),
    [(Suppression(), 2), (Suppression(0.7), 1), (Suppression(None, most=1), 1)],
)
def test_only_what_stays_is_compared(
    annotations: Path, suppression: Suppression, found: int
) -> None:
    loader = [make_batch([12])]
    evaluator = Evaluator(loader, doubled, CATEGORY_IDS, annotations, suppression=suppression)
    assert len(evaluator.detect(progress=False)[0]) == found


def test_the_annotation_file_is_warned_about_once(
    annotations: Path, caplog: pytest.LogCaptureFixture
) -> None:
    content = json.loads(annotations.read_text())
    content["annotations"].append({"image_id": 12, "category_id": 4, "bbox": [9, 9, -1, 2]})
    annotations.write_text(json.dumps(content))
    loader = [make_batch([12, 31])]
    Evaluator(loader, perfect_detector, CATEGORY_IDS, annotations).run(progress=False)
    assert [record.getMessage() for record in caplog.records] == [
        f"{annotations}: left out 1 inverted box"
    ]


def test_perfect_detector_reaches_one(annotations: Path, tmp_path: Path) -> None:
    loader = [make_batch([12, 31]), make_batch([25, BLANK_ID])]
    evaluator = Evaluator(loader, perfect_detector, CATEGORY_IDS, annotations)
    result = evaluator.run(progress=False, results_out=tmp_path / "results.json")
    assert result.metrics["AP"] == pytest.approx(1.0)
    saved = json.loads((tmp_path / "results.json").read_text())
    assert [entry["image_id"] for entry in saved] == [12, 31, 25]
    assert result.speed is not None
    assert (result.speed.warmup_images, result.speed.images) == (2, 1)


def test_nobody_has_to_watch_the_bar(annotations: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with unread_stream() as stream:
        monkeypatch.setattr(sys, "stderr", stream)
        loader = [make_batch([31, 12, 25])]
        evaluator = Evaluator(loader, perfect_detector, CATEGORY_IDS, annotations)
        result = evaluator.run(progress=True)
        monkeypatch.undo()
    assert result is not None and result.metrics["AP"] == pytest.approx(1.0)


def test_boxes_are_in_pixels_of_the_file(annotations: Path) -> None:
    evaluator = Evaluator([make_batch([31])], perfect_detector, CATEGORY_IDS, annotations)
    (found,), _ = evaluator.detect(progress=False)
    assert found["category_id"] == 4
    assert found["score"] == pytest.approx(0.25)
    assert found["bbox"] == pytest.approx([20, 20, 80, 60], abs=1e-4)


def test_order_and_batches_do_not_matter(annotations: Path) -> None:
    def detect(*batches: list[int]) -> list[tuple]:
        loader = [make_batch(batch) for batch in batches]
        evaluator = Evaluator(loader, perfect_detector, CATEGORY_IDS, annotations)
        return sorted((d["image_id"], *d["bbox"]) for d in evaluator.detect(progress=False)[0])

    expected = detect([31], [12], [25])
    assert len(expected) == 3
    assert detect([25, 12, 31]) == expected
    assert detect([BLANK_ID, 12, BLANK_ID], [31, 25]) == expected


def test_a_watcher_sees_each_batch_with_all_outputs(annotations: Path) -> None:
    seen = []
    Evaluator(
        [make_batch([31, 12]), make_batch([25, BLANK_ID])],
        perfect_detector,
        CATEGORY_IDS,
        annotations,
        watch=lambda batch, outputs: seen.append((batch.image_ids, [o.shape for o in outputs])),
    ).detect(progress=False)
    shapes = [(2, 3), (2, 3), (2, 3, 4), (2, 5), (2, 6)]
    assert seen == [((31, 12), shapes), ((25, BLANK_ID), shapes)]


def test_every_new_shape_counts_as_compilation(annotations: Path) -> None:
    loader = [make_batch([31], side) for side in (32, 64, 32, 64, 32)]
    _, speed = Evaluator(loader, perfect_detector, CATEGORY_IDS, annotations).detect(False)
    assert (speed.shapes, speed.warmup_images, speed.images) == (2, 2, 3)
    assert speed.compile_seconds > 0
    assert speed.images_per_second() is not None


def test_empty_loader_is_zero(annotations: Path) -> None:
    result = Evaluator([], perfect_detector, CATEGORY_IDS, annotations).run(progress=False)
    assert result.metrics["AP"] == 0


@pytest.mark.parametrize("category_ids", [(4,), (4, 77)])
def test_classes_without_ground_truth_are_left_out(
    annotations: Path, category_ids: tuple[int, ...], caplog: pytest.LogCaptureFixture
) -> None:
    evaluator = Evaluator([make_batch([31, 12])], perfect_detector, category_ids, annotations)
    found, _ = evaluator.detect(progress=False)
    assert [entry["image_id"] for entry in found] == [31]
    assert "left out 1 of 2 detections" in caplog.text


def test_nan_scores_are_one_sentence(annotations: Path) -> None:
    def diverged(images: object, image_sizes: object) -> tuple[np.ndarray, ...]:
        scores, *rest = perfect_detector(images, image_sizes)
        return scores * np.nan, *rest

    with pytest.raises(FocusDetrError, match="diverged"):
        Evaluator([make_batch([12])], diverged, CATEGORY_IDS, annotations).run(progress=False)
