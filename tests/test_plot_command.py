"""The plot command draws, or says in a sentence why not."""

from __future__ import annotations

from pathlib import Path

import pytest
from script_module import load_script

SCRIPT = Path(__file__).parent.parent / "scripts" / "plot_run.py"
LINE = '{"kind": "train", "step": 10, "loss_smoothed": 8.0}\n'


@pytest.mark.parametrize(
    ("log", "name", "status"),
    [(LINE, "a.png", 0), (LINE, "a.PNG", 0), ("", "a.png", 2), (LINE, "a.jpg", 2)],
)
def test_only_what_was_drawn_is_said_to_be(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], log: str, name: str, status: int
) -> None:
    pytest.importorskip("matplotlib", reason="curves need matplotlib")
    (tmp_path / "metrics.jsonl").write_text(log)
    out = tmp_path / name
    assert load_script(SCRIPT).main([str(tmp_path), "--out", str(out)]) == status
    said = capsys.readouterr()
    assert out.exists() == (status == 0) == (said.out == f"drawn into {out}\n")
    assert said.err.count("\n") == (status != 0)
