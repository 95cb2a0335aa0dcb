"""Films in Matroska's containers; ffmpeg 9 shows them turned in the same way."""

from __future__ import annotations

import struct
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from focus_detr.inference.matroska import START, read_projection
from focus_detr.inference.video_container import container_orientation

SEGMENT, TRACKS, TRACK = b"\x18\x53\x80\x67", b"\x16\x54\xae\x6b", b"\xae"
KIND, VIDEO, PROJECTION = b"\x83", b"\xe0", b"\x76\x70"
YAW, PITCH, ROLL = b"\x76\x73", b"\x76\x74", b"\x76\x75"
UNKNOWN = b"\x01" + b"\xff" * 7


def element(number: bytes, *inner: bytes) -> bytes:
    content = b"".join(inner)
    return number + (1 << 56 | len(content)).to_bytes(8, "big") + content


def angles(form: str = ">d", yaw: float = 0, pitch: float = 0, roll: float = 0) -> bytes:
    values = {YAW: yaw, PITCH: pitch, ROLL: roll}
    return b"".join(element(key, struct.pack(form, value)) for key, value in values.items())


def write_film(path: Path, projection: bytes | None) -> Path:
    """The header of a film whose first track is sound."""
    inner = [] if projection is None else [element(PROJECTION, projection)]
    sound = element(TRACK, element(KIND, b"\2"))
    video = element(TRACK, element(KIND, b"\1"), element(VIDEO, b"\xb0\x81\xa0", *inner))
    tracks = element(TRACKS, sound, video)
    path.write_bytes(element(START, b"webm") + SEGMENT + UNKNOWN + b"\xec\x81\0" + tracks)
    return path


@pytest.mark.parametrize(
    ("yaw", "roll", "orientation"),
    [
        *((0, 90, 8), (0, 180, 3), (0, -90, 6), (0, -180, 3)),
        *((180, 0, 2), (180, 90, 5), (-180, -90, 7), (180, 180, 4)),
    ],
)
@pytest.mark.parametrize("form", [">d", ">f"])
def test_films_are_turned_and_mirrored(
    tmp_path: Path, yaw: float, roll: float, orientation: int, form: str
) -> None:
    path = write_film(tmp_path / "a.mkv", angles(form, yaw=yaw, roll=roll))
    assert container_orientation(path) == orientation


@pytest.mark.parametrize(
    "projection", [None, angles(yaw=20), angles(pitch=180), angles(roll=30), angles(yaw=90)]
)
def test_other_films_are_taken_as_they_are(tmp_path: Path, projection: bytes | None) -> None:
    assert container_orientation(write_film(tmp_path / "a.webm", projection)) is None


def test_angles_that_are_left_out_are_zero(tmp_path: Path) -> None:
    path = write_film(tmp_path / "a.mkv", element(ROLL, struct.pack(">f", 180)) + element(YAW))
    with path.open("rb") as file:
        assert read_projection(file) == (180, False)
    assert container_orientation(path) == 3


@given(cut=st.integers(4, 200), place=st.integers(4, 200), byte=st.integers(0, 255))
def test_broken_files_say_nothing(
    tmp_path_factory: pytest.TempPathFactory, cut: int, place: int, byte: int
) -> None:
    path = write_film(tmp_path_factory.mktemp("film") / "a.mkv", angles(roll=90))
    content = bytearray(path.read_bytes()[:cut])
    content[min(place, len(content) - 1)] = byte
    path.write_bytes(content)
    assert container_orientation(path) in (None, *range(1, 9))
