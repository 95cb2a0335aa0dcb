"""What a data set holds, in a few lines to read before a training."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator

import numpy as np

from focus_detr.data.dataset import DetectionDataset
from focus_detr.wording import counted

_SMALL, _LARGE = 32, 96  # pixels; COCO's limits for the square root of a box's area
_MOST_CLASSES = 20  # further ones are summed up


def summarise(dataset: DetectionDataset, name: str) -> str:
    """Images, boxes of each class, sizes, and boxes that were dropped and why.

    Args:
        dataset: with at least one image.
        name: what to call it, such as "training data".
    """
    return "\n".join([f"{name}: {dataset.annotations.source}", *_lines(dataset)])


def _lines(dataset: DetectionDataset) -> Iterator[str]:
    records = dataset.records
    per_image = [len(record.boxes) for record in records]
    empty = per_image.count(0)
    yield (
        f"  {counted(len(records), 'image')} ({empty} without boxes), "
        f"{counted(sum(per_image), 'box')}, at most {max(per_image)} in one image"
    )
    yield f"  image sizes (width x height): {_image_sizes(dataset)}"
    if sum(per_image):
        yield f"  box sizes (root of the area, pixels): {_box_sizes(dataset)}"
    if any(dataset.dropped.values()):
        reasons = sorted(dataset.dropped.items())
        yield "  boxes left out: " + ", ".join(f"{count} {reason}" for reason, count in reasons)
    yield from _class_lines(dataset)


def _image_sizes(dataset: DetectionDataset) -> str:
    ordered = sorted(dataset.records, key=lambda record: record.height * record.width)
    chosen = ordered[0], ordered[len(ordered) // 2], ordered[-1]
    smallest, middle, largest = (f"{record.width}x{record.height}" for record in chosen)
    if smallest == largest:
        return f"all {smallest}"
    return f"smallest {smallest}, median {middle}, largest {largest}"


def _box_sizes(dataset: DetectionDataset) -> str:
    boxes = np.concatenate([record.boxes for record in dataset.records])  # [n, 4]
    sizes = np.sqrt(np.prod(boxes[:, 2:] - boxes[:, :2], axis=1, dtype=np.float64))  # [n]
    low, middle, high = np.percentile(sizes, (5, 50, 95))
    small, large = np.mean(sizes < _SMALL), np.mean(sizes >= _LARGE)
    return (
        f"5 % below {low:.0f}, median {middle:.0f}, 5 % above {high:.0f}; "
        f"{small:.0%} below {_SMALL}, {large:.0%} from {_LARGE}"
    )


def _class_lines(dataset: DetectionDataset) -> Iterator[str]:
    """Boxes and images of each class, the most frequent first."""
    boxes: Counter[int] = Counter()
    images: Counter[int] = Counter()
    for record in dataset.records:
        boxes.update(record.labels.tolist())
        images.update(set(record.labels.tolist()))
    order = [label for label, _ in boxes.most_common()]
    shown, rest = order[:_MOST_CLASSES], order[_MOST_CLASSES:]
    for label in shown:
        name = dataset.class_names[label]
        there = f"{counted(boxes[label], 'box')} in {counted(images[label], 'image')}"
        yield f"  class {name}: {there}"
    if rest:
        others = counted(sum(boxes[label] for label in rest), "box")
        yield f"  {counted(len(rest), 'more class')}: {others}"
    absent = [name for label, name in enumerate(dataset.class_names) if label not in boxes]
    if absent:
        yield f"  no boxes of: {', '.join(absent)}"
