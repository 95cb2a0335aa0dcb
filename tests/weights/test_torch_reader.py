"""Torch's files are read to the bit, and nothing that they name is run."""

from __future__ import annotations

import io
import os
import pickle
import struct
import zipfile
from argparse import Namespace
from pathlib import Path

import numpy as np
import pytest
from torch_files import (
    LEGACY,
    MODULE,
    PLAIN,
    WEIGHT,
    WRAPPED,
    ZIP,
    plain_values,
    state_values,
)

from focus_detr.errors import FocusDetrError
from focus_detr.weights.torch_reader import read_state_dict
from focus_detr.weights.torch_writer import write_state_dict


def _assert_equal(found: dict[str, np.ndarray], expected: dict[str, np.ndarray]) -> None:
    assert list(found) == list(expected)
    for name, values in expected.items():
        np.testing.assert_array_equal(found[name], values, strict=True, err_msg=name)


@pytest.mark.parametrize("path", [ZIP, LEGACY])
def test_all_kinds_of_tensors_are_read(path: Path) -> None:
    found = read_state_dict(path)
    _assert_equal(found, state_values())
    assert all(tensor.flags.c_contiguous for tensor in found.values())


@pytest.mark.parametrize("path", [ZIP, LEGACY])
def test_tensors_of_one_storage_are_independent_arrays(path: Path) -> None:
    found = read_state_dict(path)
    found["whole"][:] = 0
    np.testing.assert_array_equal(found["transposed"], state_values()["transposed"])


def test_wrapped_state_is_found_and_its_prefix_dropped() -> None:
    _assert_equal(read_state_dict(WRAPPED), {"weight": WEIGHT})


def test_plain_pickle_of_arrays_and_tensors_is_read() -> None:
    _assert_equal(read_state_dict(PLAIN), {**plain_values(), "number": np.array(2, np.float32)})


def test_unused_storages_are_not_read(tmp_path: Path) -> None:
    path = tmp_path / "a.pth"
    with zipfile.ZipFile(WRAPPED) as source, zipfile.ZipFile(path, "w") as target:
        for name in source.namelist():
            if "/data/" not in name or name.endswith("/data/0"):
                target.writestr(name, source.read(name))
    _assert_equal(read_state_dict(path), {"weight": WEIGHT})


def test_big_endian_file_is_read(tmp_path: Path) -> None:
    path = tmp_path / "a.pth"
    write_state_dict(tmp_path / "little.pth", {"weight": WEIGHT})
    with zipfile.ZipFile(tmp_path / "little.pth") as source, zipfile.ZipFile(path, "w") as target:
        target.writestr("archive/data.pkl", source.read("archive/data.pkl"))
        target.writestr("archive/byteorder", b"big")
        target.writestr("archive/data/0", WEIGHT.astype(">f4").tobytes())
    _assert_equal(read_state_dict(path), {"weight": WEIGHT})


def test_pickled_module_is_refused_by_name() -> None:
    with pytest.raises(
        FocusDetrError, match=r"names torch\.nn\.modules\.linear\.Linear.*install torch,"
    ):
        read_state_dict(MODULE)


@pytest.mark.parametrize("protocol", range(2, pickle.HIGHEST_PROTOCOL + 1))
def test_settings_saved_beside_the_tensors_are_passed_over(tmp_path: Path, protocol: int) -> None:
    settings = Namespace(lr=2e-4, device="cuda", options=None, names=["a"], deeper=Namespace(x=1))
    content = {"model": {"weight": WEIGHT}, "epoch": 49, "args": settings}
    path = tmp_path / "checkpoint0049.pth"
    path.write_bytes(pickle.dumps(content, protocol=protocol))
    _assert_equal(read_state_dict(path), {"weight": WEIGHT})
    attack = Namespace(at_once=_Attack(tmp_path / "made_by_attack"))
    path.write_bytes(pickle.dumps(content | {"args": attack}, protocol=protocol))
    with pytest.raises(FocusDetrError, match="could run code"):
        read_state_dict(path)


class _Attack:
    """Pickles as a call of ``os.mkdir``."""

    def __init__(self, target: Path) -> None:
        self.target = str(target)

    def __reduce__(self) -> tuple[object, tuple[str]]:
        return os.mkdir, (self.target,)


def _zip_around(program: bytes) -> bytes:
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as archive:
        archive.writestr("archive/data.pkl", program)
    return buffer.getvalue()


@pytest.mark.parametrize("protocol", range(pickle.HIGHEST_PROTOCOL + 1))
@pytest.mark.parametrize("zipped", [False, True])
def test_code_in_a_pickle_is_not_run(tmp_path: Path, protocol: int, zipped: bool) -> None:
    target = tmp_path / "made_by_attack"
    program = pickle.dumps({"model": {"weight": _Attack(target)}}, protocol=protocol)
    pickle.loads(program)  # the attack works on an unguarded reader
    target.rmdir()
    path = tmp_path / "a.pth"
    path.write_bytes(_zip_around(program) if zipped else program)
    with pytest.raises(FocusDetrError, match=r"names (posix|nt|os)\.mkdir, which could run code"):
        read_state_dict(path)
    assert not target.exists()


@pytest.mark.parametrize(
    "program",
    [
        b"cbuiltins\neval\n(S'1'\ntR.",
        b"(S'echo'\nios\nsystem\n.",
        b"cbuiltins\ngetattr\n.",
        b"\x80\x04\x8c\x02os\x8c\x06system\x93.",
        b"cfocus_detr.weights.torch_reader\nread_state_dict\n.",
    ],
)
def test_no_global_but_the_builders_can_be_named(tmp_path: Path, program: bytes) -> None:
    path = tmp_path / "a.pkl"
    path.write_bytes(program)
    with pytest.raises(FocusDetrError, match="could run code"):
        read_state_dict(path)


@pytest.mark.parametrize(
    "state", [b"}S'_call'\nN\x73", b"N}S'_call'\nN\x73\x86"], ids=["attributes", "slots"]
)
def test_builders_cannot_be_changed(tmp_path: Path, state: bytes) -> None:
    path = tmp_path / "a.pkl"
    for name in (b"torch._utils\n_rebuild_tensor_v2", b"argparse\nNamespace"):
        path.write_bytes(b"\x80\x02c" + name + b"\n" + state + b"b.")
        with pytest.raises(FocusDetrError, match="damaged or not a torch checkpoint"):
            read_state_dict(path)
    _assert_equal(read_state_dict(WRAPPED), {"weight": WEIGHT})


@pytest.mark.parametrize("path", [ZIP, LEGACY, PLAIN])
@pytest.mark.parametrize("share", [0.0, 0.3, 0.6, 0.99])
def test_truncated_file_is_refused(tmp_path: Path, path: Path, share: float) -> None:
    cut = tmp_path / f"cut{path.suffix}"
    data = path.read_bytes()
    cut.write_bytes(data[: int(share * len(data))])
    with pytest.raises(FocusDetrError, match=r"cut\.p\w+ is damaged or not a torch checkpoint"):
        read_state_dict(cut)


def _tensor_program(offset: int, size: int, stride: int) -> bytes:
    """A state dict of one tensor that claims this view of a storage of four elements."""
    storage = b"(X\7\0\0\0storagectorch\nFloatStorage\nX\1\0\0\0" + b"0X\3\0\0\0cpuK\4tQ"
    view = b"".join(b"J" + struct.pack("<i", number) for number in (offset,))
    shape = b"(J" + struct.pack("<i", size) + b"t(J" + struct.pack("<i", stride) + b"t"
    call = b"ctorch._utils\n_rebuild_tensor_v2\n(" + storage + view + shape + b"\x89}tR"
    return b"\x80\x02}X\1\0\0\0w" + call + b"s."


@pytest.mark.parametrize(
    ("view", "accepted"),
    [
        ((0, 4, 1), True),
        ((1, 2, 2), True),
        ((0, 5, 1), False),
        ((1, 4, 1), False),
        ((-1, 2, 1), False),
        ((3, 2, -1), False),
        ((0, 2**30, 0), False),
    ],
)
def test_views_stay_inside_their_storage(
    tmp_path: Path, view: tuple[int, int, int], accepted: bool
) -> None:
    path = tmp_path / "a.pth"
    path.write_bytes(_zip_around(_tensor_program(*view)))
    values = np.arange(4, dtype=np.float32)
    with zipfile.ZipFile(path, "a") as archive:
        archive.writestr("archive/data/0", values.tobytes())
    if accepted:
        offset, size, stride = view
        expected = values[offset::stride][:size]
        np.testing.assert_array_equal(read_state_dict(path)["w"], expected)
    else:
        with pytest.raises(FocusDetrError, match="damaged"):
            read_state_dict(path)


@pytest.mark.parametrize("content", [[1, 2], {"model": {"a": 1}}, {}, "text"])
def test_file_without_tensors_is_refused(tmp_path: Path, content: object) -> None:
    path = tmp_path / "a.pkl"
    path.write_bytes(pickle.dumps(content))
    with pytest.raises(FocusDetrError, match="holds no tensors by name"):
        read_state_dict(path)


def test_arrays_of_objects_are_refused(tmp_path: Path) -> None:
    path = tmp_path / "a.pkl"
    path.write_bytes(pickle.dumps({"a": np.array([{}, None], dtype=object)}))
    with pytest.raises(FocusDetrError, match=r"arrays of type O8? are not read"):
        read_state_dict(path)


def test_missing_and_compressed_files_are_refused(tmp_path: Path) -> None:
    with pytest.raises(FocusDetrError, match="there is no checkpoint"):
        read_state_dict(tmp_path / "nope.pth")
    path = tmp_path / "a.pth"
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("archive/data.pkl", b"}.")
    with pytest.raises(FocusDetrError, match="compressed"):
        read_state_dict(path)
