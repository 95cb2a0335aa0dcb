"""What the demo needs beyond the package's own requirements."""

from __future__ import annotations

import pytest

from focus_detr.demo import extra
from focus_detr.errors import FocusDetrError


def test_only_what_is_missing_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    extra.require_extra()
    monkeypatch.setattr(
        extra, "missing_modules", lambda names: [n for n in names if n == "uvicorn"]
    )
    with pytest.raises(FocusDetrError, match=r"^the demo needs uvicorn: install it with"):
        extra.require_extra()
