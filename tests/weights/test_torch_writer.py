"""Written torch checkpoints: read back by us to the bit, and by torch where there is one."""

from __future__ import annotations

import errno
import os
import pickletools
import zipfile
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as npst

from focus_detr.errors import FocusDetrError
from focus_detr.weights.torch_reader import read_state_dict
from focus_detr.weights.torch_writer import write_state_dict

DTYPES = st.sampled_from([np.dtype(code) for code in ("f2", "<f4", ">f4", "f8", "i8", "u1", "?")])
ARRAYS = npst.arrays(DTYPES, npst.array_shapes(min_dims=0, max_dims=4, min_side=0, max_side=4))


def _values() -> dict[str, np.ndarray]:
    weight = np.random.default_rng(0).standard_normal((3, 4)).astype(np.float32)
    return {"weight": weight, "transposed": weight.T, "count": np.array(3), "alias": weight}


@settings(max_examples=50)
@given(st.dictionaries(st.text(min_size=1, max_size=5), ARRAYS, min_size=1))
def test_round_trip_is_bit_equal(
    tmp_path_factory: pytest.TempPathFactory, tensors: dict[str, np.ndarray]
) -> None:
    path = tmp_path_factory.getbasetemp() / "round_trip.pth"
    write_state_dict(path, {f"x{name}": tensor for name, tensor in tensors.items()})
    found = read_state_dict(path)
    for name, tensor in tensors.items():
        native = tensor.astype(tensor.dtype.newbyteorder("="))
        assert found[f"x{name}"].dtype == native.dtype
        assert found[f"x{name}"].shape == native.shape
        assert found[f"x{name}"].tobytes() == native.tobytes()


def test_equal_tensors_give_equal_bytes_and_aliases_one_storage(tmp_path: Path) -> None:
    for name in ("a.pth", "b.pth"):
        write_state_dict(tmp_path / name, _values())
    assert (tmp_path / "a.pth").read_bytes() == (tmp_path / "b.pth").read_bytes()
    with zipfile.ZipFile(tmp_path / "a.pth") as archive:
        assert sum("/data/" in name for name in archive.namelist()) == 3


@pytest.mark.parametrize(
    ("below", "first"), [(None, "collections OrderedDict"), ("model", "model"), ("x", "x")]
)
def test_the_state_dict_stands_where_it_should(
    tmp_path: Path, below: str | None, first: str
) -> None:
    write_state_dict(tmp_path / "a.pth", _values(), below=below)
    with zipfile.ZipFile(tmp_path / "a.pth") as archive:
        program = archive.read("archive/data.pkl")
    arguments = [argument for _, argument, _ in pickletools.genops(program)]
    assert next(argument for argument in arguments if isinstance(argument, str)) == first


def test_unknown_type_is_named(tmp_path: Path) -> None:
    with pytest.raises(FocusDetrError, match="w has type complex64"):
        write_state_dict(tmp_path / "a.pth", {"w": np.zeros(2, np.complex64)})
    assert not list(tmp_path.iterdir())


def test_full_disk_leaves_the_old_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(*_: object, **__: object) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    path = tmp_path / "a.pth"
    path.write_bytes(b"old")
    monkeypatch.setattr(zipfile.ZipFile, "writestr", fail)
    with pytest.raises(FocusDetrError, match=r"a\.pth: no space left"):
        write_state_dict(path, _values())
    assert path.read_bytes() == b"old"
    assert os.listdir(tmp_path) == ["a.pth"]


def test_torch_reads_what_is_written(tmp_path: Path) -> None:
    torch = pytest.importorskip("torch", reason="needs torch, which nothing here requires")
    write_state_dict(tmp_path / "a.pth", _values())
    model = torch.load(tmp_path / "a.pth", weights_only=True)["model"]
    for name, tensor in _values().items():
        np.testing.assert_array_equal(model[name].numpy(), tensor, strict=True)
    assert model["alias"].data_ptr() == model["weight"].data_ptr()
