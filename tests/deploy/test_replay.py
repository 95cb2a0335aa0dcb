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
