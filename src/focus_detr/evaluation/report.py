"""COCO results as a plain text table and as JSON."""

from __future__ import annotations

from dataclasses import asdict
from typing import Any

from focus_detr.evaluation.coco_metrics import CocoResult
from focus_detr.evaluation.correlation import format_correlation
from focus_detr.evaluation.speed import format_speed
from focus_detr.wording import percent

_CLASS_COLUMNS = 3
_SHORT_LIST = 12  # up to here one class per line


def format_table(result: CocoResult) -> str:
    """Lay out metrics and per-class precision in percent; "-" where nothing could be measured."""
    blocks = [_metric_block(result), _class_block(result)]
    if result.correlation is not None:
        blocks.append(format_correlation(result.correlation))
    if result.speed is not None:
        blocks.append(format_speed(result.speed))
    return "\n\n".join(blocks)


def result_to_dict(result: CocoResult) -> dict[str, Any]:
    """The result as JSON-ready values; fractions in 0..1 as pycocotools has them."""
    per_class = {
        name: {"AP": precision.ap, "AP50": precision.ap50}
        for name, precision in result.per_class.items()
    }
    speed = None if result.speed is None else asdict(result.speed)
    content = {"metrics": result.metrics, "per_class": per_class, "speed": speed}
    if result.correlation is None:
        return content
    spreads = {name: spread._asdict() for name, spread in result.correlation.items()}
    return {**content, "correlation": spreads}


def _metric_block(result: CocoResult) -> str:
    every = tuple(result.metrics)
    half = len(every) // 2
    lines = []
    for names in (every[:half], every[half:]):
        lines.append("".join(f"{name:>8}" for name in names))
        lines.append("".join(f"{percent(result.metrics[name]):>8}" for name in names))
    return "\n".join(["COCO box metrics, percent", *lines])


def _class_block(result: CocoResult) -> str:
    width = max([5, *map(len, result.per_class)])
    cells = [
        f"{name:<{width}}{percent(precision.ap):>8}{percent(precision.ap50):>8}"
        for name, precision in result.per_class.items()
    ]
    columns = 1 if len(cells) <= _SHORT_LIST else _CLASS_COLUMNS
    rows = -(-len(cells) // columns)
    header = f"{'class':<{width}}{'AP':>8}{'AP50':>8}"
    lines = [(" " * 4).join([header] * columns)]
    lines += [(" " * 4).join(cells[row::rows]) for row in range(rows)]
    return "\n".join(lines)
