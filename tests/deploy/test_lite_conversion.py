"""The converter is called as documented, and its result gets a sidecar; a script stands in."""

from __future__ import annotations

import json
import sys
from dataclasses import replace
from pathlib import Path

import pytest
from exported_files import GRAPH, SIDECAR, write_model

from focus_detr.deploy.lite_conversion import Conversion
from focus_detr.deploy.sidecar import read_sidecar, sidecar_path, write_sidecar
from focus_detr.errors import FocusDetrError
from focus_detr.io.files import sha256_of

STAND_IN = """#!{python}
import json, pathlib, sys
options = dict(argument.removeprefix("--").split("=", 1) for argument in sys.argv[1:])
config = pathlib.Path(options["configFile"]).read_text()
here = pathlib.Path(__file__).parent
(here / "called.json").write_text(json.dumps([options, config]))
if {told!r}:
    sys.exit({told!r})
converted = pathlib.Path(options["modelFile"]).read_bytes()[::-1]
pathlib.Path(options["outputFile"] + ".mindir").write_bytes(converted)
"""
FAILURE = """\
[ERROR] LITE(6,7f,converter_lite):2026-01-31-10:00:00.000.000 [a.cc:2] Load] \
mind ir version 3 is too new
[ERROR] LITE(6,7f,converter_lite):2026-01-31-10:00:00.000.000 [b.cc:9] Run] Convert model failed
CONVERT RESULT FAILED:-1
"""


@pytest.fixture
def exported(tmp_path: Path) -> Path:
    return write_model(tmp_path / "a_64x96.mindir")


def converter(folder: Path, told: str = "") -> str:
    """The command; one that fails tells something."""
    path = folder / "converter_lite"
    path.write_text(STAND_IN.format(python=sys.executable, told=told))
    path.chmod(0o755)
    return str(path)


@pytest.mark.parametrize(
    ("device", "soc", "named"),
    [
        ("910B", None, "Ascend910B4"),
        ("310P", None, "Ascend310P3"),
        ("910B", "Ascend910B3", "Ascend910B3"),
    ],
)
def test_a_file_is_converted_for_a_device(
    exported: Path, tmp_path: Path, device: str, soc: str | None, named: str
) -> None:
    out = tmp_path / "out"
    result = Conversion(exported, out, device, soc, converter(tmp_path)).run()
    options, config = json.loads((tmp_path / "called.json").read_text())
    assert options["fmk"] == options["saveType"] == "MINDIR"
    assert options["optimize"] == "ascend_oriented"
    assert options["modelFile"] == str(exported)
    assert "precision_mode=preferred_fp32" in config and config.endswith(f"={named}\n")
    assert result == out / "a_64x96.mindir" and result.read_bytes() == b"ledom a"
    sidecar = read_sidecar(result)
    expected = replace(SIDECAR, file_sha256=sha256_of(result), graph=replace(GRAPH, engine="lite"))
    assert sidecar == expected
    names = {path.name for path in out.iterdir()}
    assert names == {result.name, f"{result.name}.json", f"ascend_{device.lower()}.cfg"}


def test_the_command_can_be_told_instead(exported: Path, tmp_path: Path) -> None:
    told = Conversion(exported, tmp_path / "out", "310P").prepare()
    assert told.startswith("converter_lite --fmk=MINDIR ")
    assert f"--outputFile={tmp_path / 'out' / 'a_64x96'} " in told
    assert [path.name for path in (tmp_path / "out").iterdir()] == ["ascend_310p.cfg"]


def test_a_file_that_was_converted_by_hand_gets_its_sidecar(exported: Path, tmp_path: Path) -> None:
    conversion = Conversion(exported, tmp_path / "out", "910B")
    conversion.prepare()
    with pytest.raises(FocusDetrError, match=r"there is no converted file .*a_64x96\.mindir"):
        conversion.describe()
    conversion.result.write_bytes(exported.read_bytes())
    with pytest.raises(FocusDetrError, match=r"is a copy of .* which is not converted"):
        conversion.describe()
    conversion.result.write_bytes(b"converted")
    assert conversion.describe() == sidecar_path(conversion.result)
    expected = replace(
        SIDECAR, file_sha256=sha256_of(conversion.result), graph=replace(GRAPH, engine="lite")
    )
    assert read_sidecar(conversion.result) == expected


def test_a_converter_that_fails_leaves_no_model(exported: Path, tmp_path: Path) -> None:
    out = tmp_path / "out"
    for told, named in ((FAILURE, "mind ir version 3 is too new"), ("killed", "killed")):
        with pytest.raises(FocusDetrError, match=rf"failed on .*a_64x96\.mindir: {named}$"):
            Conversion(exported, out, "910B", None, converter(tmp_path, told)).run()
    with pytest.raises(FocusDetrError, match="there is no no-such-converter"):
        Conversion(exported, out, "910B", None, "no-such-converter").run()
    assert [path.name for path in out.iterdir()] == ["ascend_910b.cfg"]


@pytest.mark.parametrize(
    ("graph", "message"),
    [
        (replace(GRAPH, engine="onnx"), "is for onnx: convert a .mindir file"),
        (replace(GRAPH, engine="lite"), "is for lite"),
        (replace(GRAPH, msda="custom"), "native operator for CPUs: export again"),
        (replace(GRAPH, msda="ascend"), "wants transposed tensors on the 310P"),
    ],
)
def test_what_the_converter_could_not_take(exported: Path, graph: object, message: str) -> None:
    write_sidecar(exported, replace(read_sidecar(exported), graph=graph))
    with pytest.raises(FocusDetrError, match=message):
        Conversion(exported, exported.parent / "out", "310P").prepare()


def test_the_exported_file_is_not_overwritten(exported: Path) -> None:
    with pytest.raises(FocusDetrError, match="would overwrite the exported file"):
        Conversion(exported, exported.parent, "910B").prepare()
