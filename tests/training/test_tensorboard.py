"""Scalars and pictures of a run."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from event_files import events_of, scalars_of
from step_reports import step_report
from tensorboardX.proto.event_pb2 import SessionLog

from focus_detr.data.image_io import decode_image
from focus_detr.errors import FocusDetrError
from focus_detr.training.run_log import RunLog
from focus_detr.training.tensorboard import TensorBoardSink


def test_scalars_reach_tensorboard(tmp_path: Path) -> None:
    log = RunLog([TensorBoardSink(tmp_path)], log_every=1)
    log.step(replace(step_report(3, total=7.5), own_lrs={"backbone": 0.25}))
    log.evaluation(0, 3, {"AP": 0.25})
    log.close()
    scalars = scalars_of(tmp_path)
    assert scalars["loss/total"] == {3: 7.5}
    assert scalars["loss/loss_class_0"] == {3: 0.5}
    assert scalars["evaluation/AP"] == {3: 0.25}
    assert scalars["time/step_ms"] == {3: 1000.0}
    assert scalars["lr"] == {3: pytest.approx(1e-4)}
    assert scalars["lr/backbone"] == {3: 0.25}


def test_pictures_reach_tensorboard_in_their_colours(tmp_path: Path) -> None:
    picture = np.full((30, 40, 3), (200, 100, 20), np.uint8)
    log = RunLog([TensorBoardSink(tmp_path)], log_every=1)
    log.pictures(7, {"detections/5": picture})
    log.close()
    ((step, value),) = [(e.step, v) for e in events_of(tmp_path) for v in e.summary.value]
    assert (step, value.tag) == (7, "detections/5")
    assert (value.image.height, value.image.width, value.image.colorspace) == (30, 40, 3)
    read = decode_image(value.image.encoded_image_string, "picture", (30, 40))
    np.testing.assert_allclose(read, picture, atol=4)


def test_a_resumed_run_hides_what_was_logged_after_its_start(tmp_path: Path) -> None:
    TensorBoardSink(tmp_path, first_step=7).close()
    starts = [e.step for e in events_of(tmp_path) if e.session_log.status == SessionLog.START]
    assert starts == [7]


def test_a_full_disk_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    full = open("/dev/full", "wb")  # noqa: SIM115  (the writer closes it)
    monkeypatch.setattr("tensorboardX.record_writer.open_file", lambda path: full)
    with pytest.raises(FocusDetrError, match=r"cannot write .*board: no space left on the disk"):
        TensorBoardSink(tmp_path / "board")
