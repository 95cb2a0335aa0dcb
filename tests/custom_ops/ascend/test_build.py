"""The build script for Ascend, with a stand-in for MindSpore's compiler tool."""

from __future__ import annotations

from pathlib import Path
from types import ModuleType

import pytest
from ascend_emulation import OPERATORS
from script_module import load_script

TOOL = """
import json, os, pathlib, sys
pathlib.Path("build.log").write_text("a log")
pathlib.Path(os.environ["SEEN"]).write_text(json.dumps(sys.argv[1:]))
target = pathlib.Path("CustomProject/build_out")
target.mkdir(parents=True)
{work}
"""
PACKAGE = "(target / 'operators.run').write_text('package')"


@pytest.fixture
def script() -> ModuleType:
    return load_script(OPERATORS / "build.py")


def _use_tool(script: ModuleType, folder: Path, monkeypatch: pytest.MonkeyPatch, work: str) -> Path:
    tool = folder / "tool"
    tool.mkdir()
    (tool / "setup.py").write_text(TOOL.format(work=work))
    monkeypatch.setattr(script, "find_compiler", lambda: tool)
    monkeypatch.setenv("SEEN", str(folder / "arguments.json"))
    return folder / "arguments.json"


def test_calls_the_tool_and_keeps_the_package(
    script: ModuleType,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    seen = _use_tool(script, tmp_path, monkeypatch, PACKAGE)
    (tmp_path / "opp").mkdir()
    monkeypatch.setenv("HOME", str(tmp_path))
    arguments = ["--out", "~/out", "--cann", "~"]
    assert script.main([*arguments, "--install", "~/opp"]) == 0
    assert capsys.readouterr().out.split() == [str(tmp_path / "out" / "operators.run")]
    assert (tmp_path / "out" / "operators.run").read_text() == "package"
    given = seen.read_text()
    for option in (
        f"--op_host_path={OPERATORS / 'op_host'}",
        f"--op_kernel_path={OPERATORS / 'op_kernel'}",
        "--vendor_name=focus_detr",
        "--soc_version=ascend910b",
        f"--install_path={tmp_path / 'opp'}",
    ):
        assert f'"{option}"' in given
    assert [path.name for path in (tmp_path / "tool").iterdir()] == ["setup.py"]  # a copy worked


@pytest.mark.parametrize(
    ("work", "complaint"), [("sys.exit(1)", "tool failed"), ("", "made no package")]
)
def test_a_tool_that_fails_leaves_its_log(
    script: ModuleType,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    work: str,
    complaint: str,
) -> None:
    _use_tool(script, tmp_path, monkeypatch, work)
    assert script.main(["--out", str(tmp_path / "out"), "--cann", str(tmp_path)]) == 2
    assert complaint in capsys.readouterr().err
    assert (tmp_path / "out" / "build.log").read_text() == "a log"


def test_without_cann_says_so(
    script: ModuleType, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    missing = tmp_path / "nowhere"
    assert script.main(["--out", str(tmp_path / "out"), "--cann", str(missing)]) == 2
    assert f"CANN is not at {missing}" in capsys.readouterr().err
    assert not (tmp_path / "out").exists()


def test_installed_tool_knows_every_option(script: ModuleType) -> None:
    text = (script.find_compiler() / "setup.py").read_text()
    for option in script.command(Path("/cann"), "ascend910b", Path("/opp"))[2:]:
        assert f'"{option.split("=")[0]}"' in text
    assert all(f'"{device}"' in text for device in script.DEVICES)
