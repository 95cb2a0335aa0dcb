"""Pictures on offer."""

from __future__ import annotations

from pathlib import Path

import cv2
import numpy as np
import pytest
from demo_server import picture

from focus_detr.demo import samples
from focus_detr.demo.samples import load_samples
from focus_detr.errors import FocusDetrError


def test_pictures_are_offered_by_name_with_small_copies(tmp_path: Path) -> None:
    (tmp_path / "b.png").write_bytes(picture(size=(300, 600)))
    (tmp_path / "a.JPG").write_bytes(picture(suffix=".jpg"))
    (tmp_path / "notes.txt").write_text("no picture")
    (tmp_path / "._a.JPG").write_bytes(b"kept by a system")
    offered = load_samples(tmp_path)
    assert [(item.path.name, item.media_type) for item in offered] == [
        ("a.JPG", "image/jpeg"),
        ("b.png", "image/png"),
    ]
    sizes = [
        cv2.imdecode(np.frombuffer(item.thumbnail, np.uint8), cv2.IMREAD_COLOR).shape[:2]
        for item in offered
    ]
    assert sizes == [(48, 64), (120, 240)]


def test_a_picture_that_cannot_be_shown_is_left_out_with_a_warning(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    (tmp_path / "bad.png").write_bytes(b"nothing")
    (tmp_path / "good.png").write_bytes(picture())
    (tmp_path / "least.png").write_bytes(picture(size=(30, 30)))
    (tmp_path / "less.png").write_bytes(picture(size=(29, 200)))
    assert [item.path.name for item in load_samples(tmp_path)] == ["good.png", "least.png"]
    assert "not offered: cannot decode image" in caplog.text and "bad.png" in caplog.text
    assert "less.png: the picture is 200x29 pixels" in caplog.text


def test_there_is_an_end(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(samples, "MOST_SAMPLES", 2)
    for name in "abc":
        (tmp_path / f"{name}.png").write_bytes(picture())
    assert [item.path.name for item in load_samples(tmp_path)] == ["a.png", "b.png"]


def test_no_folder_offers_nothing_and_a_useless_one_is_refused(tmp_path: Path) -> None:
    assert load_samples(None) == ()
    with pytest.raises(FocusDetrError, match="has no picture to offer"):
        load_samples(tmp_path)
    with pytest.raises(FocusDetrError, match=r"--pictures .*missing is no folder"):
        load_samples(tmp_path / "missing")
