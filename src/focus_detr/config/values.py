"""Turns plain YAML values into the types that the setting classes declare."""

from __future__ import annotations

import math
import types
from collections.abc import Iterator
from dataclasses import is_dataclass
from typing import Any, Literal, Union, get_args, get_origin, get_type_hints

from focus_detr.config.schema import Config
from focus_detr.errors import FocusDetrError
from focus_detr.io.checks import is_unicode
from focus_detr.io.user_paths import PathText, path_text
from focus_detr.wording import close_names, did_you_mean

_SCALARS = {
    bool: "true or false",
    int: "a whole number",
    float: "a number",
    str: "text",
    PathText: "text that names a file or folder",
}


def parse_section(cls: type, plain: object, source: str, key: str = "") -> dict[str, Any]:
    """Check a mapping against a settings class and return its values typed, as nested dicts.

    Only the keys that ``plain`` sets are returned; an empty section sets none.

    Args:
        cls: a settings dataclass.
        plain: what YAML gave for it.
        source: the file or command-line argument, for messages.
        key: full key of this section, empty at the top.

    Raises:
        FocusDetrError: unknown key or a value of another type.
    """
    if plain is None:
        return {}
    if not isinstance(plain, dict):
        raise FocusDetrError(
            f"{source}: {key or 'the top level'} is {plain!r}, expected a mapping of settings"
        )
    hints = get_type_hints(cls)
    parsed = {}
    for name, value in plain.items():
        path = f"{key}.{name}" if key else str(name)
        if name not in hints:
            raise FocusDetrError(_unknown_key(cls, path, source))
        parsed[name] = _parse_entry(hints[name], value, source, path)
    return parsed


def build(cls: type, typed: dict[str, Any]) -> Any:
    """Fill a settings class from the typed values of ``parse_section``."""
    hints = get_type_hints(cls)
    return cls(
        **{
            name: build(hints[name], value) if is_dataclass(hints[name]) else value
            for name, value in typed.items()
        }
    )


def full_keys(cls: type, prefix: str = "") -> Iterator[str]:
    """The full keys of every single setting of a class, such as ``train.optimizer.lr``."""
    for name, hint in get_type_hints(cls).items():
        if is_dataclass(hint) and isinstance(hint, type):
            yield from full_keys(hint, f"{prefix}{name}.")
        else:
            yield f"{prefix}{name}"


def convert(hint: Any, value: Any) -> Any:
    """Return ``value`` as the annotated type.

    Raises:
        ValueError: it is not of that type.
    """
    origin = get_origin(hint)
    if origin in (Union, types.UnionType):
        return _convert_optional(hint, value)
    if origin is tuple:
        return _convert_tuple(get_args(hint), value)
    if origin is Literal:
        return _accept(value, isinstance(value, str) and value in get_args(hint))
    if hint is float:
        return _convert_float(value)
    if hint is PathText:
        return path_text(_accept(value, value != "" and convert(str, value)))
    if is_dataclass(hint) and isinstance(hint, type):
        return _convert_record(hint, value)
    return _accept(value, type(value) is hint and (hint is not str or _is_plain(value)))


def describe(hint: Any) -> str:
    """What a value of the annotated type looks like, for messages."""
    origin, arguments = get_origin(hint), get_args(hint)
    if origin in (Union, types.UnionType):
        return f"{describe(_present(hint))} or null"
    if origin is Literal:
        return f"one of {', '.join(arguments)}"
    if is_dataclass(hint):
        return f"a mapping of {', '.join(get_type_hints(hint))}"
    if origin is not tuple:
        return _SCALARS[hint]
    if arguments[-1] is Ellipsis:
        return f"a list, each item {describe(arguments[0])}"
    return f"a list of {len(arguments)} items, each {describe(arguments[0])}"


def _parse_entry(hint: Any, value: Any, source: str, path: str) -> Any:
    if is_dataclass(hint) and isinstance(hint, type):
        return parse_section(hint, value, source, path)
    try:
        return convert(hint, value)
    except (ValueError, OverflowError):
        raise FocusDetrError(f"{source}: {path} is {value!r}, expected {describe(hint)}") from None
    except FocusDetrError as error:
        raise FocusDetrError(f"{source}: {path} is {error}") from error


def _accept(value: Any, fits: bool) -> Any:
    if not fits:
        raise ValueError(value)
    return value


def _is_plain(text: str) -> bool:
    """Whether it can be a file's name: escapes in YAML may give NUL and halves of letters."""
    return is_unicode(text) and "\0" not in text


def _convert_float(value: Any) -> float:
    if isinstance(value, bool) or not isinstance(value, (int, float, str)):
        raise ValueError(value)
    # YAML 1.1 reads 1e-4 as text because it has no decimal point.
    number = float(value)
    return _accept(number, not math.isnan(number))


def _convert_optional(hint: Any, value: Any) -> Any:
    if value is None or value == "None":  # Python's word for null, easily typed after key=
        return None
    return convert(_present(hint), value)


def _present(hint: Any) -> Any:
    return next(argument for argument in get_args(hint) if argument is not types.NoneType)


def _convert_tuple(arguments: tuple[Any, ...], value: Any) -> tuple[Any, ...]:
    if not isinstance(value, (list, tuple)):
        raise ValueError(value)
    if arguments[-1] is Ellipsis:
        return tuple(convert(arguments[0], item) for item in value)
    return tuple(convert(hint, item) for hint, item in zip(arguments, value, strict=True))


def _convert_record(cls: type, value: Any) -> Any:
    hints = get_type_hints(cls)
    known = isinstance(value, dict) and value.keys() <= hints.keys()
    entries = _accept(value, known).items()
    return cls(**{name: convert(hints[name], entry) for name, entry in entries})


def _unknown_key(cls: type, path: str, source: str) -> str:
    section, _, name = path.rpartition(".")
    allowed = list(get_type_hints(cls))
    close = close_names(name, allowed)
    meant = [f"{section}.{match}" if section else match for match in close]
    meant += [key for key in full_keys(Config) if key.rpartition(".")[2] == name]
    question = f"; {did_you_mean(meant)}" if meant else ""
    return (
        f"{source}: unknown setting {path}; {section or 'the top level'} has "
        f"{', '.join(allowed)}{question}"
    )
