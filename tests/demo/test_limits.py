"""Limits that would let nothing through."""

from __future__ import annotations

import pytest

from focus_detr.demo.limits import Limits
from focus_detr.errors import FocusDetrError


@pytest.mark.parametrize("name", ["upload_bytes", "pixels", "per_minute", "at_once", "waiting"])
@pytest.mark.parametrize("value", [0, -1])
def test_they_must_be_positive(name: str, value: int) -> None:
    with pytest.raises(FocusDetrError, match=f"limit {name} must be positive"):
        Limits(**{name: value})
