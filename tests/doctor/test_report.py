"""The report for people."""

from __future__ import annotations

import pytest

from focus_detr.doctor.devices import Devices
from focus_detr.doctor.machine import Machine
from focus_detr.doctor.report import Report


@pytest.mark.parametrize(
    ("gpus", "problem", "line"),
    [
        (1, None, "ok GPU                     native operator found"),
        (1, "broken", "-- GPU                     broken"),
        (0, None, "-- GPU                     no such device"),
        (0, "broken", "-- GPU                     no such device"),
    ],
)
def test_an_operator_is_fine_where_its_device_is(gpus: int, problem: str | None, line: str) -> None:
    devices = Devices({"CPU": 1, "GPU": gpus}, {}, "CPU", None)
    operators = {"CPU": None, "GPU": problem}
    report = str(Report(Machine.here(), (), devices, operators, None, ()))
    section = report.partition("Deformable attention\n")[2].partition("\n\n")[0]
    assert [text.strip() for text in section.splitlines()] == [
        "ok CPU                     native operator found",
        line,
    ]
