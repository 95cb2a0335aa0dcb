"""Lets the documentation's site have the pages and files that lie outside ``docs``.

A hook of MkDocs, named in mkdocs.yml. In the repository, documents link to each other and to files
by their paths; here they get the places that those have in the site.
"""

from __future__ import annotations

import posixpath
import re
from pathlib import Path
from typing import Any

from mkdocs.structure.files import File, Files

ROOT = Path(__file__).resolve().parents[1]
DOCUMENTS = "docs"
FRONT_PAGE = "README.md"
OTHER_PAGES = (FRONT_PAGE, "CONTRIBUTING.md", "CHANGELOG.md", "custom_ops/**/*.md")
_LINK = re.compile(r"(\]\()([^)#:\s]+)(?=[)#])")  # to a file, without its anchor


def place_of(path: str) -> str:
    """Where a file of the repository lies in the site's sources."""
    if path == FRONT_PAGE:
        return "index.md"
    within = posixpath.relpath(path, DOCUMENTS)
    if not within.startswith("../"):
        return within
    return path if path.endswith(".md") else f"files/{path}"


def linked_files(page: str) -> set[str]:
    """Paths in the repository that a page of it links to."""
    text = (ROOT / page).read_text(encoding="utf-8")
    return {_target(page, link) for _, link in _LINK.findall(text)}


def on_files(files: Files, *, config: Any) -> Files:
    """Add pages from outside ``docs``, and the files that any page links to."""
    pages = {str(path.relative_to(ROOT)) for name in OTHER_PAGES for path in ROOT.glob(name)}
    documents = {str(path.relative_to(ROOT)) for path in (ROOT / DOCUMENTS).glob("*.md")}
    linked = {target for page in pages | documents for target in linked_files(page)}
    outside = {path for path in linked if (ROOT / path).is_file() and not path.endswith(".md")}
    for path in sorted(pages | outside):
        place = place_of(path)
        if files.get_file_from_path(place) is None:
            files.append(File.generated(config, place, abs_src_path=str(ROOT / path)))
    return files


def on_page_markdown(markdown: str, *, page: Any, config: Any, files: Files) -> str:
    """Write links as the site has them."""
    here = page.file.src_uri
    source = str(Path(page.file.abs_src_path).relative_to(ROOT))

    def _as_placed(link: re.Match[str]) -> str:
        place = place_of(_target(source, link[2]))
        return link[1] + posixpath.relpath(place, posixpath.dirname(here) or ".")

    return _LINK.sub(_as_placed, markdown)


def _target(page: str, link: str) -> str:
    return posixpath.normpath(posixpath.join(posixpath.dirname(page), link))
