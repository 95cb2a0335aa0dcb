"""Distributions that only their description is there of."""

from __future__ import annotations

from pathlib import Path


def install_description(folder: Path, name: str, version: str) -> None:
    """What pip leaves of a distribution, without its modules."""
    info = folder / f"{name}-{version}.dist-info"
    info.mkdir(parents=True)
    text = f"Metadata-Version: 2.1\nName: {name}\nVersion: {version}\n"
    (info / "METADATA").write_text(text)
