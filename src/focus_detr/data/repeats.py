"""Pictures and boxes that a source has more than once, mostly after files were merged."""

from __future__ import annotations

import logging
from collections import defaultdict
from collections.abc import Iterable
from dataclasses import replace
from os.path import abspath

from focus_detr.data.annotations import Annotations, BoxEntry, ImageEntry
from focus_detr.data.json_fields import ImageId
from focus_detr.wording import counted

_log = logging.getLogger(__name__)

_ROUNDING = 0.1  # pixels; of coordinates that one tool wrote whole and another with one decimal
_SHARE = 0.01  # of a box's smaller side, which tells tiny boxes apart


def without_repeats(annotations: Annotations) -> Annotations:
    """Each picture and each box once, the first one; a warning counts what came again.

    A picture listed under several ids keeps the first id and the boxes of all. Boxes are the same
    if picture, class, being a crowd and, up to rounding, all coordinates are.
    """
    annotations = _pictures_once(annotations)
    gone = _repeated_boxes(annotations.boxes)
    if not gone:
        return annotations
    first = annotations.boxes[min(gone)]
    _log.warning(
        "%s: left out %s of the same class at the same place, such as %s of image %s",
        *(annotations.source, counted(len(gone), "repeated box"), _in_words(first), first.image_id),
    )
    return replace(
        annotations,
        boxes=tuple(box for i, box in enumerate(annotations.boxes) if i not in gone),
        repeated=tuple(annotations.boxes[i].image_id for i in sorted(gone)),
    )


def _pictures_once(annotations: Annotations) -> Annotations:
    first: dict[str, ImageEntry] = {}
    other_ids: dict[ImageId, ImageId] = {}
    for image in annotations.images:
        if image.name:
            kept = first.setdefault(abspath(image.path), image)
            if kept is not image:
                other_ids[image.image_id] = kept.image_id
    if not other_ids:
        return annotations
    example = next(image for image in annotations.images if image.image_id in other_ids)
    _log.warning(
        "%s: %s listed under several ids, such as %s; the boxes of all go to the first",
        *(annotations.source, counted(len(set(other_ids.values())), "picture"), example.name),
    )
    return replace(
        annotations,
        images=tuple(image for image in annotations.images if image.image_id not in other_ids),
        boxes=tuple(
            replace(box, image_id=other_ids.get(box.image_id, box.image_id))
            for box in annotations.boxes
        ),
        other_ids=other_ids,
    )


def _repeated_boxes(boxes: Iterable[BoxEntry]) -> set[int]:
    """Places of the boxes that come again."""
    groups: dict[tuple[ImageId, int, bool], list[tuple[float, int, BoxEntry]]] = defaultdict(list)
    for place, entry in enumerate(boxes):
        key = entry.image_id, entry.category_id, entry.crowd
        groups[key].append((entry.box[0], place, entry))
    gone: set[int] = set()
    for group in groups.values():
        if len(group) > 1:
            gone |= _repeated_of_group(sorted(group, key=lambda item: item[:2]))
    return gone


def _repeated_of_group(group: list[tuple[float, int, BoxEntry]]) -> set[int]:
    gone: set[int] = set()
    start = 0
    for end, (x, place, entry) in enumerate(group):
        while x - group[start][0] > _ROUNDING:
            start += 1
        for _, earlier, other in group[start:end]:
            if _same(entry.box, other.box):
                gone.add(max(place, earlier))
    return gone


def _same(one: tuple[float, ...], other: tuple[float, ...]) -> bool:
    side = min(abs(number) for number in (*one[2:], *other[2:]))
    limit = min(_ROUNDING, _SHARE * side)
    return all(abs(a - b) <= limit for a, b in zip(one, other, strict=True))


def _in_words(entry: BoxEntry) -> str:
    return "[{:g}, {:g}, {:g}, {:g}]".format(*entry.box)
