"""A file that names a library on another machine is pointed at the one here."""

from __future__ import annotations

from pathlib import Path

import pytest
from mindspore.train.mind_ir_pb2 import ModelProto

from focus_detr.deploy.mindir_file import nodes, read_mindir
from focus_detr.deploy.native_library import relocated
from focus_detr.errors import FocusDetrError

FUNCTION = "MsdaFusedForward"


def write_mindir(path: Path, library: Path) -> Path:
    """A model of one primitive that calls a library."""
    model = ModelProto()
    primitive = model.primitives.add()
    primitive.name, primitive.op_type = "Custom:1", "Custom"
    attribute = primitive.attribute.add()
    attribute.name, attribute.s = "func_name", f"{library}:{FUNCTION}".encode()
    path.write_bytes(model.SerializeToString())
    return path


def functions(path: Path) -> list[str]:
    return [a.s.decode() for node in nodes(read_mindir(path)) for a in node.attribute]


def test_a_library_in_its_place_leaves_the_file_alone(tmp_path: Path, msda_library: Path) -> None:
    path = write_mindir(tmp_path / "a.mindir", msda_library)
    assert relocated(path, read_mindir(path), "CPU", tmp_path / "none") == path


@pytest.mark.parametrize("share", [0.0, 0.5])
def test_a_broken_library_in_its_place_is_replaced(
    tmp_path: Path, msda_library: Path, monkeypatch: pytest.MonkeyPatch, share: float
) -> None:
    monkeypatch.setenv("FOCUS_DETR_MSDA_LIBRARY", str(msda_library))
    content = msda_library.read_bytes()
    broken = tmp_path / "lib.so"
    broken.write_bytes(content[: int(share * len(content))])
    path = write_mindir(tmp_path / "a.mindir", broken)
    (tmp_path / "copy").mkdir()
    assert functions(relocated(path, read_mindir(path), "CPU", tmp_path / "copy")) == [
        f"{msda_library}:{FUNCTION}"
    ]


def test_a_moved_library_is_found(
    tmp_path: Path, msda_library: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("FOCUS_DETR_MSDA_LIBRARY", str(msda_library))
    path = write_mindir(tmp_path / "a.mindir", Path("/elsewhere/libmsda_cpu.so"))
    (tmp_path / "copy").mkdir()
    copy = relocated(path, read_mindir(path), "CPU", tmp_path / "copy")
    assert copy == tmp_path / "copy" / "a.mindir"
    assert functions(copy) == [f"{msda_library}:{FUNCTION}"]
    assert functions(path) == [f"/elsewhere/libmsda_cpu.so:{FUNCTION}"]


def test_a_missing_library_says_what_to_do(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("FOCUS_DETR_MSDA_LIBRARY", str(tmp_path / "none.so"))
    path = write_mindir(tmp_path / "a.mindir", Path("/elsewhere/libmsda_cpu.so"))
    with pytest.raises(FocusDetrError, match=r"/elsewhere/.*custom_ops/build\.py.*--msda compos"):
        relocated(path, read_mindir(path), "CPU", tmp_path)


@pytest.mark.parametrize("content", [b"no model at all", None])
def test_a_broken_file_is_refused(tmp_path: Path, content: bytes | None) -> None:
    path = write_mindir(tmp_path / "a.mindir", Path("/elsewhere/libmsda_cpu.so"))
    path.write_bytes(content or path.read_bytes()[:-5])
    with pytest.raises(FocusDetrError, match=r"a\.mindir is no MINDIR file or is cut off"):
        read_mindir(path)
