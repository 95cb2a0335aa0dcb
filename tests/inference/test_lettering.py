"""Texts in letters that typefaces have, and in others."""

from __future__ import annotations

import logging

import numpy as np
import pytest
from PIL import ImageFont

from focus_detr.inference import lettering
from focus_detr.inference.lettering import put_text, text_mask

CAR = "\u8f66"
LINEAR_B = "\U00010000"


@pytest.fixture(autouse=True)
def fresh(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(lettering, "_warned", [])
    text_mask.cache_clear()


def test_letters_that_no_typeface_has_are_told_once(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr(lettering, "_typefaces", lambda size: (ImageFont.load_default(size),))
    image = np.zeros((40, 200, 3), np.uint8)
    with caplog.at_level(logging.WARNING):
        for text in (f"{CAR} 0.50", LINEAR_B, "\ud800 \n", "plain"):
            put_text(image, text, (0, 0), 20, (255, 255, 255))
    (record,) = caplog.records
    assert f"has all letters of {CAR} 0.50: what it lacks is drawn" in record.getMessage()
    assert image.any()


def test_a_typeface_that_has_the_letters_is_preferred(monkeypatch: pytest.MonkeyPatch) -> None:
    faces = (ImageFont.load_default(20), ImageFont.load_default(40))
    monkeypatch.setattr(lettering, "_typefaces", lambda size: faces)
    monkeypatch.setattr(lettering, "_has", lambda face, letter: face is faces[1])
    left, _, right, _ = faces[1].getbbox("\u00e9")
    assert text_mask("\u00e9", 20).shape[1] == right - left
    assert not lettering._warned


def test_latin_letters_are_quiet(caplog: pytest.LogCaptureFixture) -> None:
    assert text_mask("cat 0.5", 20).max() > 0.9
    assert not caplog.records
