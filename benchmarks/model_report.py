"""The benchmark's tables as plain text."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass

from model_forward import BACKBONE, DECODER, ENCODING, NECK, PROPOSALS, SELECTION, WHOLE
from model_measure import DENSE, FOCUS, Timing
from model_rate import INPUTS, OUTPUTS, PRODUCT, PRODUCT_MULTIPLY_ADDS, ROWS
from model_training import TRAINING_PARTS
from plain_table import table

from focus_detr.models.flops import MultiplyAdds
from focus_detr.models.parameter_counts import ParameterCounts

ENCODER = "encoder"
FORWARD_ROWS = (BACKBONE, NECK, SELECTION, ENCODER, PROPOSALS, DECODER, WHOLE)


@dataclass(frozen=True)
class Row:
    """One part of two variants, in milliseconds."""

    part: str
    first_median: float
    first_min: float
    second_median: float
    second_min: float

    def texts(self) -> list[str]:
        """The cells of the row; the ratio is that of the shortest runs."""
        times = (self.first_median, self.first_min, self.second_median, self.second_min)
        return [self.part, *(f"{time:.1f}" for time in times), _ratio(*times[1::2])]


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
    """Latency of two variants, of the parts too if measured.

    The encoder is what selection and encoder together take beyond the selection.
    """
    has_parts = all(ENCODING in timing.seconds for timing in timings.values())
    return _time_table(timings, FORWARD_ROWS if has_parts else (WHOLE,))


def training_table(timings: Mapping[str, Timing]) -> str:
    """The training step of two variants up to its end and, if measured, up to earlier points."""
    measured = {part for timing in timings.values() for part in timing.seconds}
    return _time_table(timings, [part for part in TRAINING_PARTS if part in measured])


def process_table(timings: Mapping[str, Timing]) -> str:
    """Peak memory, first call and, if counted, kernels of each process of two variants."""
    (first_name, first), (second_name, second) = timings.items()
    both = (first, second)
    measures = ["GiB", "first s"]
    rows = [
        [
            name,
            *(f"{timing.peak_bytes[name] / 2**30:.2f}" for timing in both),
            *(f"{timing.first_seconds[name]:.1f}" for timing in both),
        ]
        for name in first.peak_bytes
    ]
    if any(sum(kinds.values()) for timing in both for kinds in timing.kernels.values()):
        measures.append("kernels")
        for row in rows:
            counts = (sum(timing.kernels.get(row[0], {}).values()) for timing in both)
            row.extend(str(count or "-") for count in counts)
    header = ("process", *(f"{n} {what}" for what in measures for n in (first_name, second_name)))
    return table(header, rows)


def rate_table(counts: Mapping[str, MultiplyAdds], timings: Mapping[str, Timing]) -> str:
    """Multiply-adds per second of the shortest forward passes beside those of one product."""
    best = PRODUCT_MULTIPLY_ADDS / timings[PRODUCT].best(PRODUCT)
    rows = [(f"product {ROWS} x {INPUTS} x {OUTPUTS}", f"{best / 1e9:.1f}", "1.00")]
    for variant, count in counts.items():
        rate = count.total / timings[variant].best(WHOLE)
        rows.append((f"{WHOLE}, {variant}", f"{rate / 1e9:.1f}", f"{rate / best:.2f}"))
    return table(("", "billion/s", "share"), rows)


def _time_table(timings: Mapping[str, Timing], parts: Iterable[str]) -> str:
    names = tuple(timings)
    times = (f"{name} {which}" for name in names for which in ("median", "min"))
    rows = (_row(timings, part).texts() for part in parts)
    return table(("part", *times, "/".join(names)), rows)


def _row(timings: Mapping[str, Timing], part: str) -> Row:
    first, second = (_milliseconds(timing, part) for timing in timings.values())
    return Row(part, *first, *second)


def _milliseconds(timing: Timing, part: str) -> tuple[float, float]:
    """Median and minimum."""
    if part != ENCODER:
        return 1e3 * timing.middle(part), 1e3 * timing.best(part)
    longer, shorter = _milliseconds(timing, ENCODING), _milliseconds(timing, SELECTION)
    return longer[0] - shorter[0], longer[1] - shorter[1]


def _ratio(first: float, second: float) -> str:
    return f"{first / second:.2f}" if second > 0 else "-"
