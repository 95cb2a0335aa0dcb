"""How many kernels a call launches, as MindSpore's profiler saw them on a CPU."""

from __future__ import annotations

import csv
from collections.abc import Callable
from contextlib import redirect_stdout
from io import StringIO
from pathlib import Path
from tempfile import TemporaryDirectory

_TABLE = "cpu_op_type_info_0.csv"


def count_kernels(call: Callable[[], object]) -> dict[str, int]:
    """Launches per kind of kernel during one call of a compiled graph on a CPU."""
    from mindspore import profiler

    with TemporaryDirectory() as folder:
        recorded = profiler.profile(
            activities=[profiler.ProfilerActivity.CPU],
            on_trace_ready=profiler.tensorboard_trace_handler(folder),
        )
        with redirect_stdout(StringIO()), recorded:  # it tells its progress
            call()
        tables = [*Path(folder).rglob(_TABLE)]
        return _read(tables[0]) if tables else {}


def _read(table: Path) -> dict[str, int]:
    with table.open(encoding="utf-8", newline="") as lines:
        rows = csv.DictReader(lines)
        return {row["op_type"]: int(row["type_occurrences"]) for row in rows}
