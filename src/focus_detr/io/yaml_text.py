"""YAML that people write, read without tracebacks."""

from __future__ import annotations

from typing import Any

import yaml

from focus_detr.errors import FocusDetrError

# PyYAML checks the grammar; an impossible value, like a date in month 31, raises what it meets
_IMPOSSIBLE = (AttributeError, IndexError, KeyError, OverflowError, TypeError, ValueError)


class StrictLoader(yaml.SafeLoader):
    """SafeLoader that refuses a key written twice, of which YAML would keep the last silently."""

    def compose_mapping_node(self, anchor: Any) -> yaml.MappingNode:
        """One mapping as it is written, before others are merged into it (``<<``)."""
        node = super().compose_mapping_node(anchor)
        written = [key.value for key, _ in node.value if isinstance(key, yaml.ScalarNode)]
        if len(set(written)) < len(written):
            raise yaml.constructor.ConstructorError(
                None, None, "a key appears twice in one section", node.start_mark
            )
        return node


def parse_yaml(text: str, source: object, loader: type[StrictLoader] = StrictLoader) -> Any:
    """The value that a YAML text describes.

    Args:
        text: to parse.
        source: the file or command-line argument that it comes from, for messages.
        loader: one that knows other values.

    Raises:
        FocusDetrError: it is not YAML, or a value in it is impossible.
    """
    try:
        return yaml.load(text, Loader=loader)
    except RecursionError as error:
        raise FocusDetrError(f"{source} is not valid YAML: it is nested too deeply") from error
    except (yaml.YAMLError, *_IMPOSSIBLE) as error:
        raise FocusDetrError(f"{source} is not valid YAML: {_reason(error)}") from error


def _reason(error: Exception) -> str:
    """Why, on one line."""
    if isinstance(error, yaml.MarkedYAMLError) and error.problem_mark:
        mark = error.problem_mark
        return f"{error.problem} at line {mark.line + 1}, column {mark.column + 1}"
    return " ".join(str(error).split())
