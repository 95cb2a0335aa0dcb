"""Settings from YAML files with ``base`` and from ``key=value`` overrides, and back to text."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

import yaml

from focus_detr.config.recipes import find_settings
from focus_detr.config.schema import Config
from focus_detr.config.validation import validate
from focus_detr.config.values import build, parse_section
from focus_detr.errors import FocusDetrError
from focus_detr.io.checks import is_unicode
from focus_detr.io.user_paths import user_path
from focus_detr.io.yaml_text import parse_yaml

BASE_KEY = "base"


def load_config(path: str | Path | None, overrides: Sequence[str] = ()) -> Config:
    """Read the settings of a run.

    A file may name one or several others under ``base`` (relative to itself, or settings of the
    package); they are read first and what the file says is merged over them, key by key. Overrides
    come last.

    Args:
        path: YAML file, the name of settings of the package, or None for the defaults.
        overrides: ``a.b.c=value``, the value being YAML: ``1e-4``, ``[1, 2]``, ``null``.

    Raises:
        FocusDetrError: missing or broken file, unknown key, or a value that makes no sense; the
            message names the file and the full key.
    """
    typed = (
        {} if path is None else _read_with_bases(find_settings(user_path(str(path)), str(path)), ())
    )
    for override in overrides:
        typed = _merge(typed, _parse_override(override))
    return _checked(typed, "the settings" if path is None else str(path))


def config_from_dict(plain: Mapping[str, Any], source: str = "the stored settings") -> Config:
    """Rebuild settings from ``to_dict``'s result, for instance from a checkpoint.

    Args:
        plain: nested settings; what is absent keeps its default.
        source: where they come from, for messages.

    Raises:
        FocusDetrError: unknown key or a bad value.
    """
    return _checked(parse_section(Config, dict(plain), source), source)


def to_dict(config: Config) -> dict[str, Any]:
    """All settings as nested dicts of plain values (lists instead of tuples)."""
    return {name: _plain(value) for name, value in asdict(config).items()}


def dump_yaml(config: Config) -> str:
    """All settings as YAML text that ``load_config`` reads back unchanged."""
    return yaml.safe_dump(to_dict(config), sort_keys=False, default_flow_style=None, width=100)


def _read_with_bases(path: Path, readers: tuple[Path, ...]) -> dict[str, Any]:
    plain = _read_yaml(path, f" (base of {readers[-1].name})" if readers else "")
    resolved = path.resolve()
    if resolved in readers:
        chain = " -> ".join(reader.name for reader in (*readers, resolved))
        raise FocusDetrError(f"{path}: base files form a cycle: {chain}")
    typed: dict[str, Any] = {}
    for name in _base_names(plain.pop(BASE_KEY, []), path):
        base = find_settings(path.parent / user_path(name), name)
        typed = _merge(typed, _read_with_bases(base, (*readers, resolved)))
    return _merge(typed, parse_section(Config, plain, str(path)))


def _read_yaml(path: Path, role: str) -> dict[Any, Any]:
    try:
        plain = parse_yaml(path.read_text(encoding="utf-8"), path)
    except UnicodeDecodeError as error:
        raise FocusDetrError(f"{path} is not UTF-8 text: {error.reason}") from error
    except (OSError, ValueError) as error:  # no file of such a name can be
        reason = getattr(error, "strerror", None) or error
        raise FocusDetrError(f"cannot read {path}{role}: {reason}") from error
    if plain is not None and not isinstance(plain, dict):
        raise FocusDetrError(f"{path}: the top level is {plain!r}, expected a mapping of settings")
    return plain or {}


def _base_names(names: object, path: Path) -> list[str]:
    names = [names] if isinstance(names, str) else names
    if not isinstance(names, list) or not all(isinstance(name, str) for name in names):
        raise FocusDetrError(f"{path}: base is {names!r}, expected a file name or a list of them")
    return names


def _parse_override(override: str) -> dict[str, Any]:
    key, equals, text = override.partition("=")
    if not equals or not key.strip():
        raise FocusDetrError(f"override {override!r} is not of the form key=value")
    if not is_unicode(override):
        raise FocusDetrError(f"override {key!a}: {_in_bytes(text)} is not UTF-8 text")
    source = f"override {override!r}"
    plain = parse_yaml(text, source)
    for name in reversed(key.strip().split(".")):
        plain = {name: plain}
    return parse_section(Config, plain, source)


def _in_bytes(text: str) -> str:
    """As it was on the command line: Python keeps bytes outside UTF-8 as halves of letters."""
    try:
        return repr(os.fsencode(text))
    except UnicodeEncodeError:  # given in Python
        return ascii(text)


def _merge(under: dict[str, Any], over: dict[str, Any]) -> dict[str, Any]:
    merged = dict(under)
    for name, value in over.items():
        both = isinstance(value, dict) and isinstance(merged.get(name), dict)
        merged[name] = _merge(merged[name], value) if both else value
    return merged


def _checked(typed: dict[str, Any], source: str) -> Config:
    config: Config = build(Config, typed)
    validate(config, source)
    return config


def _plain(value: Any) -> Any:
    if isinstance(value, dict):
        return {name: _plain(item) for name, item in value.items()}
    return [_plain(item) for item in value] if isinstance(value, tuple) else value
