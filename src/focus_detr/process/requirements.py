"""Whether the installed packages fit this one, found out without loading any of them."""

from __future__ import annotations

import re
import shlex
from collections.abc import Iterable
from dataclasses import dataclass
from functools import cache
from importlib import metadata
from importlib.util import find_spec

from focus_detr.errors import FocusDetrError

OURS = "focus-detr"
CORE = {  # what everything needs, and the module of each
    "mindspore": "mindspore",
    "numpy": "numpy",
    "opencv-python-headless": "cv2",
    "pillow": "PIL",
    "psutil": "psutil",
    "pycocotools": "pycocotools.mask",
    "pyyaml": "yaml",
    "safetensors": "safetensors",
    "scipy": "scipy.optimize",
    "tensorboardX": "tensorboardX",
    "tqdm": "tqdm",
}
_TWINS = {  # distributions that fill the same folder
    "opencv-python-headless": (
        *("opencv-python", "opencv-contrib-python-headless", "opencv-contrib-python"),
    )
}


@dataclass(frozen=True)
class Package:
    """An installed or missing package."""

    name: str
    version: str | None  # None: not installed
    problem: str | None = None  # why it cannot be used; None: it can
    remedy: str | None = None  # what to install, such as ``numpy<2``; None: nothing would help

    @property
    def fine(self) -> bool:
        """Whether it can be used."""
        return self.problem is None


@cache
def check_packages() -> None:
    """Refuse packages that do not fit before they crash; takes some milliseconds.

    A missing one is told where it is imported: an exported file, for one, needs no MindSpore.

    Raises:
        FocusDetrError: one sentence with all of them, and what to install.
    """
    unfit = [item for item in installed_packages() if item.version is not None and not item.fine]
    if not unfit:
        return
    told = "; ".join(f"{item.name} {item.version}: {item.problem}" for item in unfit)
    wanted = " ".join(shlex.quote(str(item.remedy)) for item in unfit)
    raise FocusDetrError(f"the installed packages do not fit ({told}); pip install {wanted}")


def installed_packages() -> list[Package]:
    """What everything needs: whether it is installed and within the limits of this package."""
    limits = _limits()
    return [_judged(name, limits.get(name, "")) for name in CORE]


def _judged(name: str, limit: str) -> Package:
    """A distribution, or the worst of those that fill one folder, as the last one's files win."""
    there = [(known, version_of(known)) for known in (name, *_TWINS.get(name, ()))]
    found = [(known, version) for known, version in there if version is not None]
    for known, version in found:
        if not _fits(version, limit):
            return Package(known, version, f"this package needs {limit}", f"{known}{limit}")
    if not found:
        return Package(name, None, "it is not installed", f"{name}{limit}")
    return Package(*found[0])


def version_of(name: str) -> str | None:
    """Version of an installed distribution; None: it is not here."""
    try:
        return metadata.version(name)
    except metadata.PackageNotFoundError:
        return None


def missing_modules(names: Iterable[str]) -> list[str]:
    """Those of the modules that are not installed."""
    return [name for name in names if find_spec(name) is None]


def _limits() -> dict[str, str]:
    """The versions that this package asks for, where that can be known."""
    try:
        asked = metadata.requires(OURS) or []
    except metadata.PackageNotFoundError:  # it was not installed, only put on the path
        return {}
    found = [re.fullmatch(r"([\w.-]+)([^;]*)", text) for text in asked]  # none of an extra
    return {item[1]: item[2] for item in found if item is not None}


def _fits(version: str, limit: str) -> bool:
    try:
        from packaging.specifiers import SpecifierSet
    except ImportError:  # it comes with MindSpore
        return True
    return SpecifierSet(limit).contains(version, prereleases=True)
