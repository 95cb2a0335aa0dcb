"""Whole epochs."""

from __future__ import annotations

import dataclasses
import logging
import threading

import numpy as np
import pytest
from coco_files import MakeCoco, annotation

from focus_detr.data.batch import Batch
from focus_detr.data.buckets import ShapeBuckets
from focus_detr.data.collate import BLANK_ID
from focus_detr.data.dataset import DetectionDataset
from focus_detr.data.loader import DataLoader
from focus_detr.data.sampler import EvalSampler, TrainSampler
from focus_detr.data.transforms import EvalPolicy, TrainPolicy
from focus_detr.errors import FocusDetrError

SIZES = [(30, 40), (40, 30), (24, 48), (33, 33), (1, 50), (50, 1), (36, 40)]
POLICY = TrainPolicy((24, 32), 64, 0.5, 0.5, 0.5, (24, 40), (16, 32))


@pytest.fixture
def dataset(make_coco: MakeCoco) -> DetectionDataset:
    boxes = [annotation(i, i, (0, 0, 20, 20)) for i in range(1, len(SIZES))]
    path = make_coco(SIZES, boxes)
    return DetectionDataset.from_files(path, path.parent)


def train_loader(dataset: DetectionDataset, workers: int = 0, seed: int = 3) -> DataLoader:
    return DataLoader(
        dataset,
        POLICY,
        TrainSampler(2, seed),
        ShapeBuckets(((32, 64), (64, 32))),
        (5, 10),
        (100.0, 110.0, 120.0),
        (50.0, 50.0, 50.0),
        seed,
        workers,
    )


def eval_loader(dataset: DetectionDataset, buckets: ShapeBuckets, rank: int = 0) -> DataLoader:
    return dataclasses.replace(
        train_loader(dataset),
        policy=EvalPolicy(32, 64),
        sampler=EvalSampler(2, rank, 2),
        buckets=buckets,
    )


def assert_same(first: list[Batch], second: list[Batch]) -> None:
    assert len(first) == len(second)
    for one, other in zip(first, second, strict=True):
        for field in dataclasses.fields(Batch):
            np.testing.assert_array_equal(getattr(one, field.name), getattr(other, field.name))


@pytest.mark.parametrize("workers", [1, 3])
def test_workers_do_not_change_the_batches(dataset: DetectionDataset, workers: int) -> None:
    alone = list(train_loader(dataset).epoch(1))
    assert len(alone) == len(train_loader(dataset)) == 3
    assert_same(alone, list(train_loader(dataset, workers).epoch(1)))


def test_seed_and_epoch_change_the_batches(dataset: DetectionDataset) -> None:
    sums = {
        float(batch.images.sum())
        for seed, epoch in [(3, 0), (3, 1), (4, 0)]
        for batch in train_loader(dataset, seed=seed).epoch(epoch)
    }
    assert len(sums) == 9


def test_resuming_gives_the_rest_of_the_epoch(dataset: DetectionDataset) -> None:
    whole = list(train_loader(dataset).epoch(2))
    assert_same(whole[2:], list(train_loader(dataset, workers=2).epoch(2, start=2)))


def test_batches_have_bucket_shapes_and_boxes_inside(dataset: DetectionDataset) -> None:
    for batch in (b for epoch in range(5) for b in train_loader(dataset).epoch(epoch)):
        assert batch.images.shape[2:] in {(32, 64), (64, 32)}
        assert (batch.image_sizes <= batch.images.shape[2:]).all()
        centres, box_sides = batch.boxes[..., :2], batch.boxes[..., 2:]
        assert (centres - box_sides / 2 >= -1e-6).all()
        assert (centres + box_sides / 2 <= 1 + 1e-6).all()
        for image, (height, width) in zip(batch.images, batch.image_sizes, strict=True):
            assert not image[:, height:].any()
            assert not image[:, :, width:].any()


def test_evaluation_gives_each_image_once_over_ranks(dataset: DetectionDataset) -> None:
    buckets = ShapeBuckets(((32, 64), (64, 32)))
    batches = [b for rank in (0, 1) for b in eval_loader(dataset, buckets, rank).epoch(0)]
    ids = [image_id for batch in batches for image_id in batch.image_ids]
    assert sorted(i for i in ids if i is not BLANK_ID) == [1, 2, 3, 4, 5, 6, 7]
    assert ids.count(BLANK_ID) == len(ids) - 7 > 0
    sizes = {
        i: tuple(s) for b in batches for i, s in zip(b.image_ids, b.original_sizes, strict=True)
    }
    assert all(sizes[i] == SIZES[i - 1] for i in range(1, 8))


def test_rounding_pads_evaluation_images_least(dataset: DetectionDataset) -> None:
    exact = eval_loader(dataset, ShapeBuckets((), round_to=8))
    for batch in exact.epoch(0):
        padding = np.array(batch.images.shape[2:]) - batch.image_sizes.max(axis=0)
        assert (padding < 8).all()


def test_images_beyond_the_buckets_shrink_and_are_counted(
    dataset: DetectionDataset, caplog: pytest.LogCaptureFixture
) -> None:
    loader = eval_loader(dataset, ShapeBuckets(((16, 16),)))
    with caplog.at_level(logging.WARNING):
        batches = list(loader.epoch(0))
    assert all(batch.images.shape[2:] == (16, 16) for batch in batches)
    assert all((batch.image_sizes >= 1).all() for batch in batches)
    assert "images to fit a shape bucket" in caplog.text


def test_boxes_beyond_the_target_buckets_are_counted(
    make_coco: MakeCoco, caplog: pytest.LogCaptureFixture
) -> None:
    path = make_coco([(30, 30)], [annotation(i, 1, (0, 0, 9, 9 + i)) for i in range(13)])
    crowded = DetectionDataset.from_files(path, path.parent)
    with caplog.at_level(logging.WARNING):
        (batch,) = eval_loader(crowded, ShapeBuckets(((32, 32),))).epoch(0)
    assert batch.boxes.shape == (2, 10, 4)
    assert "dropped 3 boxes beyond the largest target bucket" in caplog.text


@pytest.mark.parametrize("workers", [0, 2])
def test_broken_image_is_named(dataset: DetectionDataset, workers: int) -> None:
    dataset.records[3].path.write_bytes(b"no image")
    with pytest.raises(FocusDetrError, match=r"cannot decode image .*4\.png"):
        for epoch in range(3):  # one image is left out of an epoch
            list(train_loader(dataset, workers).epoch(epoch))


@pytest.mark.parametrize("workers", [0, 2])
def test_broken_images_are_left_out_if_wished(
    dataset: DetectionDataset, workers: int, caplog: pytest.LogCaptureFixture
) -> None:
    for index in (3, 5):
        dataset.records[index].path.write_bytes(b"no image")
    loader = eval_loader(dataset, ShapeBuckets(((32, 64), (64, 32))))
    loader = dataclasses.replace(loader, sampler=EvalSampler(2), workers=workers, skip_broken=True)
    with caplog.at_level(logging.WARNING):
        batches = list(loader.epoch(0))
    ids = [image_id for batch in batches for image_id in batch.image_ids]
    assert sorted(i for i in ids if i is not BLANK_ID) == [1, 2, 3, 5, 7]
    for batch in batches:
        for slot, image_id in enumerate(batch.image_ids):
            if image_id is BLANK_ID:
                assert np.ptp(batch.images[slot], axis=(1, 2)).max() == 0
                assert not batch.box_valid[slot].any()
    assert "epoch 0: left out 2 broken images; the first: cannot decode image" in caplog.text


def test_mostly_broken_sets_are_refused(dataset: DetectionDataset) -> None:
    for record in dataset.records[1:]:
        record.path.write_bytes(b"no image")
    loader = dataclasses.replace(train_loader(dataset), skip_broken=True)
    with pytest.raises(FocusDetrError, match=r"[56] of 6 images cannot be read; the first: cannot"):
        list(loader.epoch(0))


def test_an_epoch_that_is_gone_on_with_may_end_with_broken_images(
    dataset: DetectionDataset, caplog: pytest.LogCaptureFixture
) -> None:
    loader = dataclasses.replace(train_loader(dataset), skip_broken=True)
    batches = list(loader.epoch(0))
    for image_id in batches[-1].image_ids:
        dataset.records[image_id - 1].path.write_bytes(b"no image")
    rest = list(loader.epoch(0, len(batches) - 1))
    assert [batch.image_ids for batch in rest] == [(BLANK_ID, BLANK_ID)]
    assert "left out 2 broken images" in caplog.text


@pytest.mark.parametrize("workers", [0, 2])
@pytest.mark.parametrize("skip_broken", [False, True])
def test_a_worker_without_memory_ends_the_epoch_with_a_sentence(
    dataset: DetectionDataset, workers: int, skip_broken: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(*_: object) -> None:
        raise MemoryError

    monkeypatch.setattr("focus_detr.data.loader.decode_image", full)
    loader = dataclasses.replace(train_loader(dataset, workers), skip_broken=skip_broken)
    with pytest.raises(FocusDetrError, match=r"not enough memory to load .*\d\.png, .*workers"):
        list(loader.epoch(0))
    assert not [t for t in threading.enumerate() if t.name.startswith("focus_detr_data")]


def test_leaving_early_ends_the_threads(dataset: DetectionDataset) -> None:
    for _ in train_loader(dataset, workers=2).epoch(0):
        break
    assert not [t for t in threading.enumerate() if t.name.startswith("focus_detr_data")]
