"""The folder of a run: which ones are free."""

from __future__ import annotations

from pathlib import Path

import pytest

from focus_detr.errors import FocusDetrError
from focus_detr.training.run_folder import RunFolder


def test_a_name_that_no_folder_can_have_is_one_sentence(tmp_path: Path) -> None:
    path = tmp_path / ("d" * 300)
    for resume in (False, True):
        with pytest.raises(FocusDetrError, match=r"output_dir .*d cannot be used: File name too"):
            RunFolder(path).refuse_overwriting(resume)
