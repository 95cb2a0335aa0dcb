"""The benchmark's tables as plain text."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass

from model_forward import BACKBONE, DECODER, ENCODING, NECK, PROPOSALS, SELECTION, WHOLE
from model_measure import DENSE, FOCUS, Timing
from model_training import TRAINING_PARTS

from focus_detr.models.flops import MultiplyAdds
from focus_detr.models.parameter_counts import ParameterCounts

ENCODER = "encoder"
FORWARD_ROWS = (BACKBONE, NECK, SELECTION, ENCODER, PROPOSALS, DECODER, WHOLE)


@dataclass(frozen=True)
class Row:
    """One part of both variants, in milliseconds."""

    part: str
    focus_median: float
    focus_min: float
    dense_median: float
    dense_min: float

    def texts(self) -> list[str]:
        """The cells of the row; the ratio is that of the shortest runs."""
        times = (self.focus_median, self.focus_min, self.dense_median, self.dense_min)
        return [self.part, *(f"{time:.1f}" for time in times), _ratio(*times[1::2])]


def table(header: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    """Columns aligned with spaces, the first to the left and the others to the right."""
    lines = [list(header), *(list(row) for row in rows)]
    widths = [max(len(cell) for cell in column) for column in zip(*lines, strict=True)]
    return "\n".join(
        "  ".join(
            cell.ljust(width) if index == 0 else cell.rjust(width)
            for index, (cell, width) in enumerate(zip(line, widths, strict=True))
        )
        for line in lines
    )


def parameter_table(counts: ParameterCounts) -> str:
    """Weights per part."""
    parts = asdict(counts) | {"total": counts.total}
    return table(("part", "parameters"), ((part, f"{n:,}") for part, n in parts.items()))


def arithmetic_table(counts: Mapping[str, MultiplyAdds]) -> str:
    """Multiply-adds per part in billions, of both variants."""
    focus, dense = (
        asdict(counts[variant]) | {"total": counts[variant].total} for variant in (FOCUS, DENSE)
    )
    rows = (
        (part, f"{focus[part] / 1e9:.2f}", f"{dense[part] / 1e9:.2f}", _ratio(n, dense[part]))
        for part, n in focus.items()
    )
    return table(("part", FOCUS, DENSE, "focus/dense"), rows)


def forward_table(timings: Mapping[str, Timing]) -> str:
    """Latency, of the parts too if measured.

    The encoder is what selection and encoder together take beyond the selection.
    """
    has_parts = ENCODING in timings[FOCUS].seconds
    return _time_table(_row(timings, part) for part in (FORWARD_ROWS if has_parts else (WHOLE,)))


def training_table(timings: Mapping[str, Timing]) -> str:
    """The training step up to its end and up to earlier points."""
    return _time_table(_row(timings, part) for part in TRAINING_PARTS)


def process_table(timings: Mapping[str, Timing]) -> str:
    """Peak memory and first call of each measuring process."""
    focus, dense = timings[FOCUS], timings[DENSE]
    rows = (
        (
            name,
            *(f"{timing.peak_bytes[name] / 2**30:.2f}" for timing in (focus, dense)),
            *(f"{timing.first_seconds[name]:.1f}" for timing in (focus, dense)),
        )
        for name in focus.peak_bytes
    )
    header = ("process", "focus GiB", "dense GiB", "focus first s", "dense first s")
    return table(header, rows)


def _time_table(rows: Iterable[Row]) -> str:
    header = ("part", "focus median", "focus min", "dense median", "dense min", "focus/dense")
    return table(header, (row.texts() for row in rows))


def _row(timings: Mapping[str, Timing], part: str) -> Row:
    focus, dense = (_milliseconds(timings[variant], part) for variant in (FOCUS, DENSE))
    return Row(part, *focus, *dense)


def _milliseconds(timing: Timing, part: str) -> tuple[float, float]:
    """Median and minimum."""
    if part != ENCODER:
        return 1e3 * timing.middle(part), 1e3 * timing.best(part)
    longer, shorter = _milliseconds(timing, ENCODING), _milliseconds(timing, SELECTION)
    return longer[0] - shorter[0], longer[1] - shorter[1]


def _ratio(focus: float, dense: float) -> str:
    return f"{focus / dense:.2f}" if dense > 0 else "-"
