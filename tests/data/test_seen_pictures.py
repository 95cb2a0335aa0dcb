"""Pictures that are learnt and measured are told."""

from __future__ import annotations

import os
from pathlib import Path

import pytest
from coco_files import MakeCoco, annotation

from focus_detr.data.dataset import DetectionDataset
from focus_detr.data.seen_pictures import warn_of_seen


def test_pictures_of_both_sets_are_counted(
    make_coco: MakeCoco, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    path = make_coco([(20, 30)] * 3, [annotation(1, 1, (2, 3, 5, 6))])
    trained = DetectionDataset.from_files(path, path.parent)
    part = trained.annotations.only({2, 3})
    warn_of_seen(trained, DetectionDataset.from_annotations(part))
    assert "instances.json: 2 of 2 validation pictures trained on as well" in caplog.text
    caplog.clear()
    (tmp_path / "other").mkdir()
    for name in ("1.png", "2.png", "3.png"):
        os.link(tmp_path / name, tmp_path / "other" / name)
    warn_of_seen(trained, DetectionDataset.from_files(path, tmp_path / "other"))
    warn_of_seen(
        DetectionDataset.from_annotations(trained.annotations.only({1})),
        DetectionDataset.from_annotations(part),
    )
    assert not caplog.text
