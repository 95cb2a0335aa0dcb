"""Films are seen as players show them, whatever matrix their container has."""

from __future__ import annotations

import json
import struct
from pathlib import Path

import numpy as np
import pytest
from exported_files import fake_file

from focus_detr.data.orientation import turn
from focus_detr.deploy.runner import ExportedPredictor
from focus_detr.inference.session import OutputOptions
from focus_detr.inference.video_container import container_orientation
from focus_detr.inference.video_session import predict_video
from focus_detr.inference.video_writing import whole_video
from focus_detr.inference.videos import Frames, VideoInput

ONE = 1 << 16
MATRICES = {  # EXIF's orientation -> a, b, c, d of the container
    1: (1, 0, 0, 1),
    2: (-1, 0, 0, 1),
    3: (-1, 0, 0, -1),
    4: (1, 0, 0, -1),
    5: (0, 1, 1, 0),
    6: (0, 1, -1, 0),
    7: (0, -1, -1, 0),
    8: (0, -1, 1, 0),
}


@pytest.fixture
def frame() -> np.ndarray:
    """[48, 64, 3]: a colour in each quarter."""
    image = np.zeros((48, 64, 3), np.uint8)
    image[:24, :32], image[:24, 32:], image[24:, :32] = (200, 0, 0), (0, 200, 0), (0, 0, 200)
    return image


def write_film(path: Path, frame: np.ndarray, matrix: tuple[float, ...], box: bytes) -> None:
    """Three equal frames, and the matrix in one of the container's boxes."""
    with whole_video(path, 10.0) as writer:
        for _ in range(3):
            writer.write(frame)
    content = bytearray(path.read_bytes())
    place = content.index(box) + 4 + {b"tkhd": 40, b"mvhd": 36}[box]
    a, b, c, d = (round(ONE * value) for value in matrix)
    content[place : place + 36] = struct.pack(">9i", a, b, 0, c, d, 0, 0, 0, 1 << 30)
    path.write_bytes(content)


@pytest.mark.parametrize("orientation", MATRICES)
def test_frames_are_turned_and_mirrored(
    tmp_path: Path, frame: np.ndarray, orientation: int
) -> None:
    path = tmp_path / "a.mp4"
    write_film(path, frame, MATRICES[orientation], b"tkhd")
    frames = Frames(VideoInput(path))
    expected = turn(frame, orientation)
    for shown in frames:
        assert shown.shape == expected.shape
        assert np.abs(shown - expected.astype(int)).mean() < 12
    frames.close()


def test_results_have_the_shown_size(tmp_path: Path, frame: np.ndarray) -> None:
    write_film(tmp_path / "a.mp4", frame, MATRICES[6], b"tkhd")
    out = tmp_path / "out"
    options = OutputOptions(out, out / "detections.json")
    predict_video(ExportedPredictor([fake_file()[0]]), VideoInput(tmp_path / "a.mp4"), options)
    lines = [json.loads(line) for line in (out / "a.jsonl").read_text().splitlines()]
    assert [(line["width"], line["height"]) for line in lines] == [(48, 64)] * 3
    drawn = next(iter(Frames(VideoInput(out / "a.mp4"))))
    assert drawn.shape[0] * 48 == drawn.shape[1] * 64  # upright, not turned a second time


def test_the_film_s_own_matrix_counts_too(tmp_path: Path, frame: np.ndarray) -> None:
    write_film(tmp_path / "a.mp4", frame, MATRICES[6], b"mvhd")
    assert container_orientation(tmp_path / "a.mp4") == 6


def test_rounded_and_slanting_matrices(tmp_path: Path, frame: np.ndarray) -> None:
    write_film(tmp_path / "a.mp4", frame, (0.0002, 1, -1, 0.0002), b"tkhd")
    assert container_orientation(tmp_path / "a.mp4") == 6
    write_film(tmp_path / "b.mp4", frame, (0.7, 0.7, -0.7, 0.7), b"tkhd")
    assert container_orientation(tmp_path / "b.mp4") is None
    assert next(iter(Frames(VideoInput(tmp_path / "b.mp4")))).shape == frame.shape


@pytest.mark.parametrize("content", [b"", b"RIFF", b"\0\0\0\x10moov\0\0\0\1tkhd", b"\xff" * 99])
def test_other_files_say_nothing(tmp_path: Path, content: bytes) -> None:
    (tmp_path / "a.mp4").write_bytes(content)
    assert container_orientation(tmp_path / "a.mp4") is None
    assert container_orientation(tmp_path / "b.mp4") is None
