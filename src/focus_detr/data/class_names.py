"""Class names of formats that keep them beside the boxes, and the category ids they get."""

from __future__ import annotations

import logging
import re
import unicodedata
from collections.abc import Iterable, Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any

from focus_detr.data.classes import ClassMap
from focus_detr.data.json_fields import whole_number
from focus_detr.data.key_styles import KeyStyles
from focus_detr.data.named_files import same_letters
from focus_detr.data.picture_files import is_file
from focus_detr.data.text_files import read_lines, read_text
from focus_detr.data.unseen import UNSEEN
from focus_detr.data.visible_files import list_folder
from focus_detr.errors import FocusDetrError
from focus_detr.io.checks import is_unicode
from focus_detr.io.yaml_text import StrictLoader, parse_yaml
from focus_detr.wording import counted

YAML_NAMES = ("data.yaml", "data.yml", "dataset.yaml")
LIST_NAMES = ("classes.txt", "obj.names", "labels.txt", "label_list.txt", "_darknet.labels")
_STYLES = KeyStyles(
    ("path", "train", "val", "valid", "test", "names", "nc", "kpt_shape"), {"validation": "val"}
)
_log = logging.getLogger(__name__)

_LEFT_OUT = {"dontcare"} | {
    f"{how}{what}" for how in ("ignore", "ignored") for what in ("", "region", "regions")
}
_NUMBERED = re.compile(r"([0-9]{1,4})[\s:.,;=)-]+[^\s0-9]")
_CONTROL = ("Cc", "Zl", "Zp")  # categories of control characters and of ends of lines
_NUMBERS = tuple(f"tag:yaml.org,2002:{kind}" for kind in ("int", "float", "timestamp"))


class _AsWritten(StrictLoader):
    """Leaves numbers the text that they are: to YAML, 007 is 7 and 12:30 is 750."""

    yaml_implicit_resolvers = {  # noqa: RUF012 - as the base has it
        first: [(tag, form) for tag, form in forms if tag not in _NUMBERS]
        for first, forms in StrictLoader.yaml_implicit_resolvers.items()
    }


def clean_name(written: str) -> str:
    """A class name without what nobody sees, so that classes that look alike are one.

    That are blanks and marks around it, and the form of its accents, in which systems differ.
    """
    return unicodedata.normalize("NFC", written).strip(UNSEEN)


def number_classes(names: Sequence[str], model: ClassMap | None) -> ClassMap:
    """Give names category ids: the model's where it has the name, free ones otherwise.

    Without a model they count from 1.
    """
    known = dict(zip(model.names, model.category_ids, strict=True)) if model else {}
    free = max(known.values(), default=0)
    ids = []
    for name in names:
        if name not in known:
            free += 1
        ids.append(known.get(name, free))
    return ClassMap(tuple(names), tuple(ids))


def find_names_file(folders: Iterable[Path], candidates: Sequence[str]) -> Path | None:
    """The first of the candidates in the first folder that has one, in any case."""
    for folder in folders:
        names = {name for name, _ in list_folder(folder)}
        there = {name.lower(): name for name in sorted(names)} | {name: name for name in names}
        paths = (folder / there[name] for name in candidates if name in there)
        if found := next(filter(is_file, paths), None):
            return found
    return None


def nearest_names(
    folders: Iterable[Path], candidates: Sequence[str]
) -> tuple[tuple[str, ...], Path] | None:
    """The names in the file that ``find_names_file`` finds, and that file.

    Raises:
        FocusDetrError: as ``read_class_names``.
    """
    found = find_names_file(folders, candidates)
    if found is None:
        return None
    names = read_class_names(found)
    warn_of_other_order(names, found, (found.parent,))
    return names, found


def warn_of_other_order(names: Sequence[str], source: Path, folders: Iterable[Path]) -> None:
    """Tell of files in some folders that have some of the source's names at other places."""
    others = (folder / name for folder in folders for name in (*YAML_NAMES, *LIST_NAMES))
    for other in dict.fromkeys(others):
        if is_file(other) and not other.samefile(source) and _has_other_order(other, names):
            _log.warning(
                "%s and %s number the classes differently; the first one counts", source, other
            )


def _has_other_order(path: Path, names: Sequence[str]) -> bool:
    places = {name: index for index, name in enumerate(names)}
    with suppress(FocusDetrError):  # it may be for something else
        there = enumerate(read_class_names(path))
        return any(places.get(name, index) != index for index, name in there)
    return False


def read_class_names(path: Path) -> tuple[str, ...]:
    """Names from a data.yaml (``names``, a list or index: name), or from a text file's lines.

    Raises:
        FocusDetrError: not readable, no names, or a name that is empty or given twice; a blank line
            before the last name would be an empty one.
    """
    if path.suffix.lower() in (".yaml", ".yml"):
        content = read_yaml(path)
        names = names_of_yaml({**content, "names": read_yaml(path, _AsWritten).get("names")}, path)
    else:
        names = [clean_name(line) for line in read_lines(path)]
        while names and not names[-1]:
            names.pop()
        if "" in names:
            index = names.index("")
            raise FocusDetrError(f"{path}: line {index + 1} is blank, but must name class {index}")
        _refuse_comment(names, path)
        _tell_numbered(names, path)
    if not names:
        raise FocusDetrError(f"{path} names no classes")
    for index, name in enumerate(names):
        if not name or not is_unicode(name):
            raise FocusDetrError(f"{path}: the name of class {index} is empty or no Unicode text")
        if name in names[:index]:
            raise FocusDetrError(f"{path}: class {index} has the name '{name}' of another class")
    return tuple(names)


def _refuse_comment(names: Sequence[str], path: Path) -> None:
    """A comment would be a class and move the numbers of all behind it."""
    for index, name in enumerate(names):
        if name.startswith("# "):
            raise FocusDetrError(
                f"{path}: line {index + 1}, {name!r}, seems to be a comment, but each line names a "
                f"class; leave it out (only a {YAML_NAMES[0]} can name a class like this)"
            )


def _tell_numbered(names: Sequence[str], path: Path) -> None:
    """Tell if each line has its number in front, which then belongs to the name."""
    found = [_NUMBERED.match(name) for name in names]
    numbers = [int(match[1]) for match in found if match]
    if len(names) > 1 and any(numbers == [*range(n, n + len(names))] for n in (0, 1)):
        _log.warning(
            "%s: each line seems to be a number and a name, such as %r, but all of it is the name "
            "of class 0, as only the order of the lines numbers the classes",
            *(path, names[0]),
        )


def read_key_points(path: Path) -> tuple[tuple[int, int] | None, bool]:
    """How many key points a data.yaml gives a box, with how many numbers each.

    Returns:
        ``kpt_shape``, or None; and whether it is there and empty, so that there are none.

    Raises:
        FocusDetrError: it is no such pair.
    """
    if path.suffix.lower() not in (".yaml", ".yml"):
        return None, False
    content = read_yaml(path)
    shape = content.get("kpt_shape")
    if shape is None:
        return None, "kpt_shape" in content
    whole = isinstance(shape, list) and all(type(number) is int for number in shape)
    if not whole or len(shape) != 2 or shape[0] < 1 or shape[1] not in (2, 3):
        raise FocusDetrError(
            f"{path}: 'kpt_shape' must be the number of key points and 2 or 3, not {shape!r}"
        )
    return (shape[0], shape[1]), False


def check_readable(names: Iterable[str], source: Path) -> None:
    """Refuse names with control characters: terminals obey them, and lists have a name on a line.

    Raises:
        FocusDetrError: naming the first such class.
    """
    for index, name in enumerate(names):
        if any(unicodedata.category(letter) in _CONTROL for letter in name):
            raise FocusDetrError(
                f"{source}: the name of class {index} has control characters: {name!a}"
            )


def warn_of_alike(names: Iterable[str], source: Path) -> None:
    """Count classes that differ from another one in upper and lower case, blanks or dashes only.

    They may be meant, as letters are, or slips of the pen that make a class of their own.
    """
    first: dict[str, str] = {}
    alike = [name for name in names if first.setdefault(_folded(name), name) != name]
    if alike:
        _log.warning(
            "%s: %s spelled nearly like another one, such as %r beside %r; they stay apart",
            *(source, counted(len(alike), "class"), alike[0], first[_folded(alike[0])]),
        )


def warn_of_left_out(names: Iterable[str], source: Path) -> None:
    """Tell of classes that seem to be none, but what is to be left out, as in KITTI or VisDrone."""
    for name in names:
        if "".join(filter(str.isalpha, name)).lower() in _LEFT_OUT:
            _log.warning(
                "%s: class %r seems to mark what is to be left out, but is learnt and evaluated as "
                "any other; COCO json and VOC have flags for that ('iscrowd', 'difficult')",
                *(source, name),
            )


def _folded(name: str) -> str:
    return " ".join(same_letters(name).replace("_", " ").replace("-", " ").split())


def read_yaml(path: Path, loader: type[StrictLoader] = StrictLoader) -> dict[Any, Any]:
    """The mapping in a YAML file, by a safe loader, with its keys in the usual style.

    Raises:
        FocusDetrError: not readable, not YAML or no mapping.
    """
    content = parse_yaml(read_text(path), path, loader)
    if not isinstance(content, dict):
        raise FocusDetrError(f"{path}: the top level must be a mapping with 'names'")
    return _STYLES.plain(content, str(path))


def names_of_yaml(content: dict[Any, Any], path: Path) -> list[str]:
    """The class names in order of their index.

    Raises:
        FocusDetrError: there are none, their indices are not 0, 1, 2 and so on, or ``nc`` is not
            their number.
    """
    names = content.get("names")
    if isinstance(names, dict):
        names = {_index(key): name for key, name in names.items()}
        if set(names) != set(range(len(names))):
            raise FocusDetrError(f"{path}: 'names' must have the indices 0 to {len(names) - 1}")
        names = [names[index] for index in range(len(names))]
    if not isinstance(names, list) or not names:
        raise FocusDetrError(f"{path}: 'names' must list the classes")
    for index, name in enumerate(names):
        if not isinstance(name, str):
            raise FocusDetrError(f"{path}: name {index} must be a text in quotes, not {name!r}")
    if whole_number(content.get("nc", len(names))) != len(names):
        there = counted(len(names), "class")
        raise FocusDetrError(f"{path}: 'nc' is {content['nc']!r}, but 'names' has {there}")
    return [clean_name(name) for name in names]


def _index(key: Any) -> Any:
    """Some exports put the indices in quotes."""
    return int(key) if isinstance(key, str) and key.isdecimal() else key
