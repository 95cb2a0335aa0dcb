"""What an exported model cannot do is refused before it is loaded."""

from __future__ import annotations

from pathlib import Path

import pytest
from exported_files import write_model

from focus_detr.errors import FocusDetrError
from focus_detr.inference.opening import Source


def test_tokens_of_a_model_that_does_not_tell_them_are_refused(tmp_path: Path) -> None:
    model = write_model(tmp_path / "a.mindir")
    with pytest.raises(FocusDetrError, match=r"a\.mindir does not tell which tokens it kept: use "):
        Source(None, str(model), tokens=True).open()


def test_an_exported_model_needs_no_kept_graphs() -> None:
    with pytest.raises(FocusDetrError, match="--graphs is for --checkpoint"):
        Source(None, "a.mindir", graphs="kept")
