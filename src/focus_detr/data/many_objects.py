"""Pictures with more objects than a setting leaves room for."""

from __future__ import annotations

import logging
from collections import Counter
from collections.abc import Mapping

from focus_detr.data.annotations import Annotations
from focus_detr.data.json_fields import ImageId
from focus_detr.wording import counted

_log = logging.getLogger(__name__)

COMPARED = "eval.max_detections"
DETECTED = "model.max_detections"
QUERIES = "model.decoder.queries"
TARGETS = "data.target_buckets"

_MEANING = {
    COMPARED: "counting each class alone, but eval.max_detections is {limit}: metrics leave out "
    "what is found beyond that; set it to {most}",
    DETECTED: "but model.max_detections is {limit}: no more are ever found; set it to {most}",
    QUERIES: "but model.decoder.queries is {limit}: no more can be found; set it to {most} or more",
    TARGETS: "but the largest of data.target_buckets is {limit}: the smallest are not learnt; add "
    "{most} to them",
}


def warn_many_objects(annotations: Annotations, limits: Mapping[str, int]) -> None:
    """Count the pictures with more objects than each of some settings allows.

    Args:
        annotations: what is learnt or compared; crowds do not count.
        limits: name of a setting -> its number. ``eval.max_detections`` holds for each class, as
            in COCO's numbers, the others for all classes together.
    """
    objects = [(box.image_id, box.category_id) for box in annotations.boxes if not box.crowd]
    together = Counter(image_id for image_id, _ in objects)
    most_of_class: dict[ImageId, int] = {}
    for (image_id, _), count in Counter(objects).items():
        most_of_class[image_id] = max(count, most_of_class.get(image_id, 0))
    for key, limit in limits.items():
        counts = most_of_class if key == COMPARED else together
        most, images = max(counts.values(), default=0), sum(n > limit for n in counts.values())
        if images:
            _log.warning(
                "%s: up to %d objects in %s, %s",
                *(annotations.source, most, counted(images, "image")),
                _MEANING[key].format(limit=limit, most=most),
            )
