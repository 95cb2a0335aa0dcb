"""Whether saved detections belong to the pictures and classes they are compared with.

Ids alone cannot tell: those of VOC and YOLO sets count names in their order, so that one picture
more moves all behind it. So our results carry the names as well.
"""

from __future__ import annotations

import logging
from collections import Counter
from collections.abc import Callable, Container, Iterable, Iterator
from pathlib import Path, PurePosixPath
from typing import TypeVar

from focus_detr.data.annotations import Annotations
from focus_detr.data.class_names import clean_name
from focus_detr.data.json_fields import ImageId
from focus_detr.data.named_files import plain_letters
from focus_detr.errors import FocusDetrError
from focus_detr.evaluation.results_io import Detection
from focus_detr.wording import counted

_log = logging.getLogger(__name__)

Id = TypeVar("Id", ImageId, int)


class NameMatcher:
    """Gives detections the ids that their pictures and classes have in a set."""

    def __init__(self, annotations: Annotations, source: str | Path) -> None:
        """Keep names and ids.

        Args:
            annotations: what the detections are compared with.
            source: where the detections come from, for messages.
        """
        self._annotations = annotations
        self._source = source
        self._names = {image.image_id: image.name for image in annotations.images}
        named = [(name, number) for number, name in self._names.items() if name]
        self._pictures = [
            (key, _unique((key(name), number) for name, number in named)) for key in _KEYS
        ]
        classes = annotations.classes
        self._classes = dict(zip(classes.category_ids, classes.names, strict=True))
        self._categories = _unique((name, number) for number, name in self._classes.items())
        self._moved = 0

    def match(self, detections: Iterable[Detection]) -> list[Detection]:
        """The detections with the ids of the set; tells what does not fit exactly.

        Raises:
            FocusDetrError: a detection is of a picture or class that the set does not have, or a
                COCO json file gives its id to another one.
        """
        matched = [
            self._one(detection, f"{self._source}: detection {place}")
            for place, detection in self._once(detections)
        ]
        named = all("file_name" in detection for detection in matched)
        if self._annotations.numbered and matched and not named:
            _log.warning(
                "%s names no pictures, and image ids of VOC and YOLO sets count names in their "
                "order: the numbers hold only if %s has the same pictures as then",
                *(self._source, self._annotations.source),
            )
        if self._moved:
            _log.warning(
                "%s: %s found by name, as %s has other pictures or classes than when they were "
                "saved",
                *(self._source, counted(self._moved, "detection"), self._annotations.source),
            )
        self._tell_repeated(matched)
        self._tell_missing(matched)
        return matched

    def _once(self, detections: Iterable[Detection]) -> Iterator[tuple[int, Detection]]:
        """With places from 1, without what a picture of several ids has under more than one."""
        first: dict[tuple[object, ...], ImageId] = {}
        other_ids = self._annotations.other_ids
        several = {*other_ids, *other_ids.values()}
        for place, detection in enumerate(detections, start=1):
            number = detection["image_id"]
            if number in several:
                picture = other_ids.get(number, number)
                key = picture, detection["category_id"], *detection["bbox"]
                if first.setdefault(key, number) != number:
                    continue
            yield place, detection

    def _one(self, detection: Detection, where: str) -> Detection:
        image_id = self._image(detection, where)
        category = self._category(detection, where)
        if (image_id, category) != (detection["image_id"], detection["category_id"]):
            self._moved += detection["image_id"] not in self._annotations.other_ids
            return {**detection, "image_id": image_id, "category_id": category}
        return detection

    def _image(self, detection: Detection, where: str) -> ImageId:
        number: ImageId = detection["image_id"]
        number = self._annotations.other_ids.get(number, number)
        name = detection.get("file_name")
        known = self._names.get(number)
        if not isinstance(name, str) or known in (name, ""):
            return self._known(number, self._names, "image_id", where)
        ways = (table.get(key(name)) for key, table in self._pictures)
        found = next((way for way in ways if way is not None), None)
        if found == number:
            return number
        if found is None or not self._annotations.numbered:
            raise FocusDetrError(
                f"{where} is of picture {name!r}, but image {number} of "
                f"{self._annotations.source} is {known!r}: the set is another one than when the "
                "detections were saved"
            )
        return found

    def _category(self, detection: Detection, where: str) -> int:
        number: int = detection["category_id"]
        name = detection.get("category_name")
        known = self._classes.get(number)
        name = clean_name(name) if isinstance(name, str) else None
        if name in (None, known):
            return self._known(number, self._classes, "category_id", where)
        found = self._categories.get(name or "")
        if found is None or not self._annotations.numbered:
            raise FocusDetrError(
                f"{where} is of class {name!r}, but category {number} of "
                f"{self._annotations.source} is {known!r}: the set is another one than when the "
                "detections were saved"
            )
        return found

    def _known(self, number: Id, known: Container[object], field: str, where: str) -> Id:
        if number not in known:
            raise FocusDetrError(f"{where}: the annotation file has no {field} {number!r}")
        return number

    def _tell_repeated(self, detections: list[Detection]) -> None:
        """Detections that come again as they are, as where files were joined; they stay."""
        seen: set[tuple[object, ...]] = set()
        again = []
        for found in detections:
            key = found["image_id"], found["category_id"], found["score"], *found["bbox"]
            if key in seen:
                again.append(found)
            seen.add(key)
        if again:
            box = "[{:g}, {:g}, {:g}, {:g}]".format(*again[0]["bbox"])
            _log.warning(
                "%s: %s written more than once, such as %s in image %s; all but the first count as "
                "wrong",
                *(self._source, counted(len(again), "detection"), box, again[0]["image_id"]),
            )

    def _tell_missing(self, detections: list[Detection]) -> None:
        found = {detection["image_id"] for detection in detections}
        expected = {box.image_id for box in self._annotations.boxes if not box.crowd}
        if missing := expected - found:
            example = next(i for i in self._annotations.images if i.image_id in missing)
            _log.warning(
                "%s: nothing is found in %d of %s with objects, such as %s",
                *(self._source, len(missing), counted(len(expected), "image")),
                example.name or f"image {example.image_id}",
            )


def _unique(pairs: Iterable[tuple[str, Id]]) -> dict[str, Id]:
    """Ids under the names that only one of them has."""
    pairs = list(pairs)
    times = Counter(name for name, _ in pairs)
    return {name: number for name, number in pairs if times[name] == 1}


def _last(name: str) -> str:
    return PurePosixPath(name.replace("\\", "/")).name


def _plain_last(name: str) -> str:
    return plain_letters(_last(name))


_KEYS: tuple[Callable[[str], str], ...] = (str, _last, _plain_last)  # the nearest first
