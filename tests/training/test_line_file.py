"""Lines are there as soon as they are written, or there is an error."""

from __future__ import annotations

from pathlib import Path

import pytest

from focus_detr.errors import FocusDetrError
from focus_detr.training.line_file import LineFile


@pytest.mark.parametrize("torn", ["hal", ""])
def test_lines_are_appended_and_a_torn_one_is_taken_away(tmp_path: Path, torn: str) -> None:
    path = tmp_path / "lines"
    path.write_text("first\n" + torn)
    file = LineFile(path)
    file.write("second")
    assert path.read_text() == "first\nsecond\n"
    file.close()


def test_a_full_disk_is_named(tmp_path: Path) -> None:
    path = tmp_path / "metrics.jsonl"
    path.symlink_to("/dev/full")
    file = LineFile(path)
    sentence = r"cannot write .*jsonl: no space left on the disk"
    with pytest.raises(FocusDetrError, match=sentence):
        file.write("line")
    with pytest.raises(FocusDetrError, match=sentence):
        file.close()
