"""A real browser without a window."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import pytest

PROGRAMS = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable")
DETECTED = "#count:has-text('shown of')"  # what the demo's page has when a picture was seen


@contextmanager
def headless_browser() -> Iterator[Any]:
    """Chromium, driven by playwright; the test is skipped where either is missing."""
    driver = pytest.importorskip("playwright.sync_api", reason="playwright is not installed")
    program = next(filter(None, map(shutil.which, PROGRAMS)), None)
    if program is None:
        pytest.skip(f"no browser here (looked for {', '.join(PROGRAMS)})")
    with driver.sync_playwright() as running:
        # as root, for example in a container, Chromium starts only without its sandbox
        browser = running.chromium.launch(executable_path=program, args=["--no-sandbox"])
        yield browser
        browser.close()


def upload(page: Any, data: bytes, name: str = "photo.png") -> None:
    """Choose a file on the demo's page."""
    page.set_input_files("#file", {"name": name, "mimeType": "image/png", "buffer": data})
