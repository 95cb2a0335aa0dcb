"""The documentation as a site: every link leads to a page or file of it."""

from __future__ import annotations

import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

pytest.importorskip("mkdocs")
pytest.importorskip("material")

ROOT = Path(__file__).resolve().parents[1]


def _build(config: Path, site: Path) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "mkdocs", "build", "--strict"]
    places = ["--config-file", str(config), "--site-dir", str(site)]
    return subprocess.run([*command, *places], capture_output=True, text=True, check=False)


def test_the_site_builds_and_links_within_itself(tmp_path: Path) -> None:
    done = _build(ROOT / "mkdocs.yml", tmp_path)
    assert done.returncode == 0, done.stderr
    front = (tmp_path / "index.html").read_text(encoding="utf-8")
    links = {
        link for link in re.findall(r'href="([^"#:]+)', front) if not link.startswith(("/", "http"))
    }
    assert {"data/", "custom_ops/", "CONTRIBUTING/", "files/LICENSE"} <= links
    assert [link for link in links if not (tmp_path / link).exists()] == []
    python = (tmp_path / "python" / "index.html").read_text(encoding="utf-8")
    assert 'href="../files/examples/first_steps.ipynb"' in python


def test_a_link_to_nowhere_fails(tmp_path: Path) -> None:
    for name in ("mkdocs.yml", "README.md", "LICENSE", "CONTRIBUTING.md", "CHANGELOG.md"):
        shutil.copy(ROOT / name, tmp_path)
    for name in ("docs", "custom_ops", "examples", "scripts"):
        shutil.copytree(ROOT / name, tmp_path / name)
    page = tmp_path / "docs" / "demo.md"
    page.write_text(page.read_text(encoding="utf-8") + "\n[gone](../config/gone.yaml)\n")
    done = _build(tmp_path / "mkdocs.yml", tmp_path / "site")
    assert done.returncode == 1
    assert "gone.yaml" in done.stderr
