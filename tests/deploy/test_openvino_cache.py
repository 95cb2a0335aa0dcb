"""OpenVINO's compiled models are kept, and no file in their folder can spoil a result."""

from __future__ import annotations

import logging
import os
from pathlib import Path

import numpy as np
import pytest
from onnx_sums import ONNX_GRAPH, write_onnx

from focus_detr.deploy.openvino_engine import OpenVinoEngine
from focus_detr.deploy.openvino_package import load_openvino

IMAGES = np.zeros((1, 3, 1, 2), np.float32)


def opened(model: Path, kept: Path) -> float:
    """The score that a model with kept graphs gives."""
    engine = OpenVinoEngine(model, ONNX_GRAPH, graphs=str(kept))
    return float(engine.run(IMAGES, np.int32([[1, 2]]))[0].max())


def files(kept: Path) -> list[Path]:
    return sorted(path for path in kept.rglob("*") if path.is_file())


@pytest.fixture
def model(tmp_path: Path) -> Path:
    return write_onnx(tmp_path / "a.onnx")


def test_the_second_start_does_not_compile(
    model: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    kept = tmp_path / "kept"
    assert opened(model, kept) == 1
    (file,) = files(kept)
    monkeypatch.setattr(load_openvino(model).Core, "read_model", None)  # would be called
    assert opened(model, kept) == 1
    assert files(kept) == [file]


def test_another_model_or_setting_is_compiled(
    model: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    kept = tmp_path / "kept"
    opened(model, kept)
    times = model.stat()
    write_onnx(model, added=5.0)
    os.utime(model, ns=(times.st_atime_ns, times.st_mtime_ns))
    assert opened(model, kept) == 5
    monkeypatch.setenv("OMP_NUM_THREADS", "7")
    assert opened(model, kept) == 5
    assert len(files(kept)) == 3


@pytest.mark.parametrize("damage", ["cut off", "one bit", "foreign", "empty"])
def test_a_damaged_file_is_compiled_again(
    model: Path, tmp_path: Path, caplog: pytest.LogCaptureFixture, damage: str
) -> None:
    kept = tmp_path / "kept"
    opened(model, kept)
    (file,) = files(kept)
    whole = file.read_bytes()
    place = whole.rindex(np.float32(1).tobytes())  # what is added
    one_bit = bytearray(whole)
    one_bit[place + 2] ^= 0x40
    file.write_bytes(
        {"cut off": whole[:-9], "one bit": one_bit, "foreign": b"notes", "empty": b""}[damage]
    )
    with caplog.at_level(logging.WARNING):
        assert opened(model, kept) == 1
    assert "is damaged" in caplog.text
    caplog.clear()
    assert opened(model, kept) == 1
    assert caplog.text == ""  # it is whole again


def test_what_openvino_cannot_read_is_compiled_again(
    model: Path, tmp_path: Path, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    kept = tmp_path / "kept"
    opened(model, kept)

    def refuse(*given: object) -> None:
        raise RuntimeError("Exception from a.cpp:1:\nUnknown version")

    monkeypatch.setattr(load_openvino(model).Core, "import_model", refuse)
    with caplog.at_level(logging.WARNING):
        assert opened(model, kept) == 1
    assert "cannot be read: Unknown version" in caplog.text


def test_a_folder_that_cannot_be_written_is_a_warning(
    model: Path, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    kept = tmp_path / "kept"
    kept.write_text("a file")
    with caplog.at_level(logging.WARNING):
        assert opened(model, kept) == 1
    assert "compiled graphs are not kept" in caplog.text
