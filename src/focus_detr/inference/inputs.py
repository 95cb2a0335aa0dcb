"""Which pictures a command is asked to look at, and what their results are called."""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from focus_detr.data.image_io import IMAGE_SUFFIXES
from focus_detr.data.strays import LIKE_PICTURES, is_read, tell_strays
from focus_detr.data.visible_files import existing_part, files_below, matching
from focus_detr.errors import FocusDetrError
from focus_detr.io.user_paths import user_path

_KEPT_SUFFIXES = frozenset({".jpg", ".jpeg", ".png"})
_TOKENS = "_tokens"  # after the name of a picture, for that of its kept tokens


@dataclass(frozen=True)
class ImageInput:
    """One picture to work on."""

    path: Path
    # of the drawn picture, relative to the output folder; no two pictures' results are equal
    result: Path
    named: bool  # given by name, not found in a folder


def named_path(text: str) -> Path:
    """An input from the command line.

    Raises:
        FocusDetrError: it is empty, which ``Path`` would take for the folder that we are in, or
            its ``~`` is no home.
    """
    if not text:
        raise FocusDetrError("an INPUT is empty: name a picture, folder, pattern, video or camera")
    return user_path(text)


def collect_images(paths: Sequence[str | Path], out: Path) -> list[ImageInput]:
    """Find the pictures: files as given, folders with all their subfolders, and what matches.

    Hidden files of folders and patterns are left out. Links are pictures of their own. Warnings
    count films and pictures of a kind that is not read in folders and patterns.

    Args:
        paths: files, folders, and patterns such as ``photos/**/*.jpg``.
        out: output folder; pictures inside it are results, hence not searched.

    Raises:
        FocusDetrError: a path does not exist, nothing was found, or a result would overwrite a
            picture.
    """
    found: dict[Path, tuple[Path, bool]] = {}
    results = _real(out)
    for path in map(Path, paths):
        for picture, relative in _search(path, results):
            first, named = found.get(_plain(picture), (relative, False))
            found[_plain(picture)] = first, named or path.is_file()
    strays = [path for path, (_, named) in found.items() if not (named or is_read(path.name))]
    tell_strays(strays)
    for path in strays:
        del found[path]
    if not found:
        places = ", ".join(map(str, paths))
        raise FocusDetrError(f"no pictures ({', '.join(sorted(IMAGE_SUFFIXES))}) in {places}")
    real = {_real(picture) for picture in found}
    taken: set[Path] = set()
    inputs = []
    for picture, (relative, named) in found.items():
        result = _result_name(relative, taken)
        taken |= _stems(result.with_suffix(""))
        written = (result, token_picture(result))
        if any(_real(out / name) in real for name in written):
            raise FocusDetrError(f"the result would overwrite {picture}; choose another folder")
        inputs.append(ImageInput(picture, result, named))
    return inputs


def _plain(path: Path) -> Path:
    """From the root and without ``..``, but with links as they are: a name is kept as given."""
    plain = Path(os.path.abspath(path))
    same = ".." not in path.parts or (plain.exists() and plain.samefile(path))
    return plain if same else path.absolute()


def token_picture(result: Path) -> Path:
    """Where the picture of the kept tokens lies, beside the drawn one."""
    return result.with_name(f"{result.stem}{_TOKENS}.png")


def _search(path: Path, results: Path) -> Iterator[tuple[Path, Path]]:
    """What is there, and a file as given, with the part of its path that results keep."""
    if path.is_file():
        yield path, Path(path.name)
    elif path.is_dir():
        names = files_below(path, LIKE_PICTURES)
        yield from _inputs(((path / name, Path(name)) for name in names), path, results)
    elif os.path.lexists(path):
        raise FocusDetrError(f"{path} is neither a file nor a folder, or a link that leads nowhere")
    elif matches := matching(path):
        for match in matches:
            found = _search(match, results) if match.is_dir() else iter([(match, Path(match.name))])
            yield from _inputs(found, existing_part(path), results)
    else:
        raise FocusDetrError(f"there is no file or folder {path}")


def _inputs(
    found: Iterable[tuple[Path, Path]], asked: Path, results: Path
) -> Iterator[tuple[Path, Path]]:
    """What can be read and is no result of before, unless the user asked for those."""
    real = _real(asked)
    wanted = results in (real, *real.parents)
    for picture, relative in found:
        if _can_be_read(picture) and (wanted or results not in _real(picture).parents):
            yield picture, relative


def _real(path: Path) -> Path:
    """Where links lead; ``Path.resolve`` fails at a link to itself."""
    return Path(os.path.realpath(path))


def _can_be_read(path: Path) -> bool:
    """No pipe or device, which may wait for ever; a link that leads nowhere is told when read."""
    return path.is_file() or (path.is_symlink() and not path.exists())


def _result_name(relative: Path, taken: set[Path]) -> Path:
    """The picture's own name, numbered when another picture has it; .png for rare formats."""
    stem = relative.with_suffix("")
    free, number = stem, 1
    while _stems(free) & taken:
        number += 1
        free = stem.with_name(f"{stem.name}_{number}")
    suffix = relative.suffix.lower() if relative.suffix.lower() in _KEPT_SUFFIXES else ".png"
    return free.with_name(free.name + suffix)


def _stems(stem: Path) -> set[Path]:
    """What the drawn picture and that of its kept tokens are called, without their endings."""
    return {stem, stem.with_name(stem.name + _TOKENS)}
