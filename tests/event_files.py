"""Reading what was written for TensorBoard."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from tensorboardX.proto.event_pb2 import Event


def events_of(folder: Path) -> Iterator[Event]:
    """Events of all files; records carry length, crc, data, crc."""
    for path in folder.iterdir():
        content = path.read_bytes()
        while content:
            length = int.from_bytes(content[:8], "little")
            data, content = content[12 : 12 + length], content[16 + length :]
            yield Event.FromString(data)


def scalars_of(folder: Path) -> dict[str, dict[int, float]]:
    """Values by tag and step."""
    scalars: dict[str, dict[int, float]] = {}
    for event in events_of(folder):
        for value in event.summary.value:
            scalars.setdefault(value.tag, {})[event.step] = value.simple_value
    return scalars
