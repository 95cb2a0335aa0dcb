"""Videos are read to their end, and cameras until someone stops them."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest
from exported_files import fake_file

from focus_detr.deploy.runner import ExportedPredictor
from focus_detr.errors import FocusDetrError
from focus_detr.inference import videos
from focus_detr.inference.drawing import drawing_scale
from focus_detr.inference.session import OutputOptions, Summary
from focus_detr.inference.video_session import predict_video
from focus_detr.inference.video_writing import whole_video
from focus_detr.inference.videos import Frames, VideoInput, split_videos

COUNT, HEIGHT, WIDTH = 7, 48, 64


def write_video(path: Path, count: int = COUNT, height: int = HEIGHT) -> Path:
    """Frames whose red grows by 30."""
    with whole_video(path, 10.0) as writer:
        for index in range(count):
            writer.write(np.full((height, WIDTH, 3), (30 * index, 60, 90), np.uint8))
    return path


def options(folder: Path, **changes: Any) -> OutputOptions:
    return OutputOptions(folder, folder / "detections.json", **changes)


@pytest.mark.parametrize("ending", [".mp4", ".MOV", ".3gp", ".mkv", ".mpeg", ".m2ts"])
def test_films_are_known_by_their_endings(tmp_path: Path, ending: str) -> None:
    path = (tmp_path / "a").with_suffix(ending)
    path.touch()
    assert split_videos([path, tmp_path]) == ([tmp_path], [VideoInput(path)])


def test_frames_come_in_order_and_colour(tmp_path: Path) -> None:
    frames = Frames(VideoInput(write_video(tmp_path / "a.mp4")))
    assert (frames.rate, frames.count) == (10.0, COUNT)
    means = [frame.mean((0, 1)) for frame in frames]
    expected = [(30 * index, 60, 90) for index in range(COUNT)]
    np.testing.assert_allclose(means, expected, atol=6)
    frames.close()


@pytest.mark.parametrize("batch", [1, 3])
def test_every_frame_is_drawn_and_listed(tmp_path: Path, batch: int) -> None:
    video = VideoInput(write_video(tmp_path / "a.mp4"))
    file, engine = fake_file(batch=batch)
    out = tmp_path / "out"
    summary = predict_video(ExportedPredictor([file]), video, options(out))
    assert summary == Summary(COUNT, COUNT, 0) and summary.per_second > 0
    assert len(engine.calls) == -(-COUNT // batch)
    lines = [json.loads(line) for line in (out / "a.jsonl").read_text().splitlines()]
    assert [line["frame"] for line in lines] == list(range(COUNT))
    assert [line["time"] for line in lines] == [index / 10 for index in range(COUNT)]
    box = {"label": 1, "name": "dog", "score": 0.75, "box": [0.0, 0.0, 32.0, 24.0]}
    assert all(line["detections"] == [box] for line in lines)
    drawn = list(Frames(VideoInput(out / "a.mp4")))
    scale = drawing_scale(HEIGHT, WIDTH)
    assert len(drawn) == COUNT and drawn[0].shape == (scale * HEIGHT, scale * WIDTH, 3)
    assert sorted(path.name for path in out.iterdir()) == ["a.jsonl", "a.mp4"]


def test_a_video_can_be_cut(tmp_path: Path) -> None:
    video = VideoInput(write_video(tmp_path / "a.mp4"))
    predictor = ExportedPredictor([fake_file()[0]])
    assert predict_video(predictor, video, options(tmp_path / "out"), 4) == Summary(4, 4, 0)
    assert len(list(Frames(VideoInput(tmp_path / "out" / "a.mp4")))) == 4


class Camera:
    """Stands in for OpenCV's; Ctrl-C interrupts its third picture."""

    last = 2

    def __init__(self, number: int) -> None:
        assert number == 2
        self.read_frames = 0
        self.released = False

    def isOpened(self) -> bool:
        return True

    def get(self, what: int) -> float:
        return {cv2.CAP_PROP_FPS: 0.0, cv2.CAP_PROP_FRAME_COUNT: -1.0}[what]

    def read(self) -> tuple[bool, np.ndarray]:
        self.read_frames += 1
        if self.read_frames > self.last:
            raise KeyboardInterrupt
        return True, np.zeros((HEIGHT, WIDTH, 3), np.uint8)

    def release(self) -> None:
        self.released = True


def test_a_camera_keeps_what_came_before_ctrl_c(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    cameras: list[Camera] = []

    def opened(number: int) -> Camera:
        cameras.append(Camera(number))
        return cameras[-1]

    monkeypatch.setattr(videos.cv2, "VideoCapture", opened)
    predictor = ExportedPredictor([fake_file()[0]])
    assert predict_video(predictor, VideoInput(2), options(tmp_path)) == Summary(2, 2, 0)
    monkeypatch.undo()
    assert cameras[0].released
    kept = Frames(VideoInput(tmp_path / "camera_2.mp4"))
    assert len(list(kept)) == 2 and kept.rate == 25.0


def test_ctrl_c_before_a_cameras_first_picture_leaves_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(Camera, "last", 0)
    monkeypatch.setattr(videos.cv2, "VideoCapture", Camera)
    with pytest.raises(KeyboardInterrupt):
        predict_video(ExportedPredictor([fake_file()[0]]), VideoInput(2), options(tmp_path))
    assert not list(tmp_path.iterdir())


def test_ctrl_c_in_a_video_file_leaves_nothing(tmp_path: Path) -> None:
    class Interrupted(ExportedPredictor):
        def predict_batch(self, images: Sequence[np.ndarray]) -> list:
            raise KeyboardInterrupt

    video = VideoInput(write_video(tmp_path / "a.mp4"))
    with pytest.raises(KeyboardInterrupt):
        predict_video(Interrupted([fake_file()[0]]), video, options(tmp_path / "out"))
    assert not list((tmp_path / "out").iterdir())


def test_what_is_no_video_is_one_sentence(tmp_path: Path) -> None:
    predictor = ExportedPredictor([fake_file()[0]])
    broken = tmp_path / "broken.mp4"
    broken.write_bytes(b"no video")
    with pytest.raises(FocusDetrError, match=r"cannot open video .*broken\.mp4"):
        predict_video(predictor, VideoInput(broken), options(tmp_path / "out"))
    small = VideoInput(write_video(tmp_path / "small.mp4", height=16))
    with pytest.raises(FocusDetrError, match=r"small\.mp4, frame 0: the picture is 64x16 pixels"):
        predict_video(predictor, small, options(tmp_path / "out"))
    good = VideoInput(write_video(tmp_path / "good.mp4"))
    with pytest.raises(FocusDetrError, match="would overwrite"):
        predict_video(predictor, good, options(tmp_path))
    with pytest.raises(FocusDetrError, match="--tokens is for pictures"):
        predict_video(predictor, good, options(tmp_path / "out", tokens=True))
    with pytest.raises(FocusDetrError, match="--frames 0 must be positive"):
        predict_video(predictor, good, options(tmp_path / "out"), 0)
    assert not (tmp_path / "out").exists() or not list((tmp_path / "out").iterdir())


def test_a_video_that_was_cut_off_is_told(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    frames = Frames(VideoInput(write_video(tmp_path / "a.mp4")))
    frames.count = 9
    assert len(list(frames)) == COUNT
    assert "a.mp4 ended after 7 of 9 frames" in caplog.text


def test_videos_and_cameras_are_told_from_pictures(tmp_path: Path) -> None:
    film = tmp_path / "Film.MP4"
    film.touch()
    others, found = split_videos([Path("a.png"), film, Path("photos"), Path("camera:3")])
    assert others == [Path("a.png"), Path("photos")]
    assert [video.source for video in found] == [film, 3]
    assert [video.name for video in found] == ["Film", "camera_3"]
    (tmp_path / "a.mp4").touch()
    others, found = split_videos([tmp_path / "*.mp4"])
    assert not others and [video.name for video in found] == ["a"]
    for paths, message in (
        (["camera:front"], "camera:front is no camera: write camera:0"),
        (["camera:99999999999"], "camera:99999999999 is no camera"),
        (["none.mp4"], r"there is no file or folder none\.mp4"),
        (["camera:1", "camera:1"], "several videos camera_1"),
    ):
        with pytest.raises(FocusDetrError, match=message):
            split_videos([Path(path) for path in paths])


@pytest.mark.parametrize("name", ["file:a.mp4", "http:a.mp4", "-a.mp4", "a%03d [1]|b.mp4"])
def test_names_are_no_addresses(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, name: str) -> None:
    monkeypatch.chdir(tmp_path)
    write_video(Path(name))
    frames = Frames(VideoInput(Path(name)))
    assert len([*frames]) == COUNT
    frames.close()


def test_a_name_outside_utf8_is_one_sentence(tmp_path: Path) -> None:
    path = tmp_path / "caf\udce9.mp4"
    path.write_bytes(write_video(tmp_path / "a.mp4").read_bytes())
    with pytest.raises(FocusDetrError, match=r"OpenCV cannot use .* must be UTF-8"):
        Frames(VideoInput(path))
    with pytest.raises(FocusDetrError, match=r"OpenCV cannot use .* must be UTF-8"):
        write_video(path)
