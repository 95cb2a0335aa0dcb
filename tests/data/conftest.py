"""Fixtures of the data tests."""

from __future__ import annotations

from functools import partial
from pathlib import Path

import pytest
from coco_files import MakeCoco, write_coco


@pytest.fixture
def make_coco(tmp_path: Path) -> MakeCoco:
    """``write_coco`` into this test's folder."""
    return partial(write_coco, tmp_path)
