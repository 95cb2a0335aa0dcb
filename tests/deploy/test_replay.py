"""Why an exported file did not run in its own process."""

from __future__ import annotations

import subprocess
from pathlib import Path

import pytest

from focus_detr.deploy.replay import replay
from focus_detr.errors import FocusDetrError

LOG = "[ERROR] DEVICE(42): a late line of a log"


@pytest.mark.parametrize(
    ("stderr", "reason"),
    [
        (f"{LOG}\nerror: the first\nerror: no such device\n{LOG}\n", "no such device"),
        (f"Traceback\nValueError: error: a defect\n{LOG}\n", r"\[ERROR\] DEVICE"),
        ("\n", "exit status 2"),
    ],
)
def test_the_sentence_is_told_and_no_log_that_follows_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, stderr: str, reason: str
) -> None:
    ended = subprocess.CompletedProcess("python", 2, "", stderr)
    monkeypatch.setattr(subprocess, "run", lambda *arguments, **options: ended)
    with pytest.raises(FocusDetrError, match=f"the exported file does not run: {reason}"):
        replay(tmp_path / "a.mindir", (), tmp_path)


def test_a_real_process_tells_its_reason(tmp_path: Path) -> None:
    with pytest.raises(FocusDetrError, match=r"does not run: there is no model .*none\.mindir$"):
        replay(tmp_path / "none.mindir", (), tmp_path)


@pytest.mark.parametrize("name", ["-folder", "~"])
def test_a_relative_path_is_neither_an_option_nor_a_home(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, name: str
) -> None:
    monkeypatch.chdir(tmp_path)
    Path(name).mkdir()
    with pytest.raises(FocusDetrError) as caught:
        replay(Path(name) / "none.mindir", (), Path(name))
    assert str(caught.value).endswith(f"there is no model {tmp_path / name / 'none.mindir'}")
