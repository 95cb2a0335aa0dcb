"""``scripts/convert_lite.py`` tells the converter's command for each file."""

from __future__ import annotations

from pathlib import Path

import pytest
from exported_files import write_model
from script_module import load_script

SCRIPT = Path(__file__).resolve().parents[1] / "scripts" / "convert_lite.py"


def test_commands_are_told_and_bad_files_are_one_sentence(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    module = load_script(SCRIPT)
    models = [str(write_model(tmp_path / name)) for name in ("a.mindir", "b.mindir")]
    options = ["--device=310P", f"--out={tmp_path / 'out'}", "--print"]
    assert module.main([*models, *options, "--soc=Ascend310P1"]) == 0
    first, second = capsys.readouterr().out.splitlines()
    assert first.startswith("converter_lite ") and "a.mindir" in first and "b.mindir" in second
    config = (tmp_path / "out" / "ascend_310p.cfg").read_text()
    assert config.endswith("ge.socVersion=Ascend310P1\n")
    for name in ("a.mindir", "b.mindir"):
        (tmp_path / "out" / name).write_bytes(b"converted")
    assert module.main([*models, *options[:-1], "--sidecar"]) == 0
    assert capsys.readouterr().out == "".join(
        f"wrote {tmp_path / 'out' / name}.json\n" for name in ("a.mindir", "b.mindir")
    )
    assert module.main([str(tmp_path / "none.mindir"), *options]) == 2
    assert capsys.readouterr().err == f"error: there is no model {tmp_path / 'none.mindir'}\n"
