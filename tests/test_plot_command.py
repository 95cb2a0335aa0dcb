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


def test_groups_have_labels_and_the_metrics_that_are_asked_for(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    pytest.importorskip("matplotlib", reason="curves need matplotlib")
    for name in ("a_0", "a_1", "b_0"):
        (tmp_path / name).mkdir()
        (tmp_path / name / "metrics.jsonl").write_text(LINE)
    a, b = f"{tmp_path / 'a_0'},{tmp_path / 'a_1'}", str(tmp_path / "b_0")
    out = ["--out", str(tmp_path / "curves.png"), "--metrics", "AP", "AP75"]
    main = load_script(SCRIPT).main
    assert main([a, b, "--labels", "plain", *out]) == 2
    assert capsys.readouterr().err == "error: 1 label for 2 groups of runs\n"
    assert not (tmp_path / "curves.png").exists()
    assert main([a, b, "--labels", "plain", "both", *out]) == 0
    assert (tmp_path / "curves.png").is_file()
