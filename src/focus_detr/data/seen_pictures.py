"""Whether pictures of a validation are trained on as well, so that its numbers say too much."""

from __future__ import annotations

import logging
from os.path import abspath

from focus_detr.data.dataset import DetectionDataset
from focus_detr.wording import counted

_log = logging.getLogger(__name__)


def warn_of_seen(trained: DetectionDataset, validated: DetectionDataset) -> None:
    """Count pictures that both sets have; those of packed sets are not known by name.

    Args:
        trained: the set that is learnt.
        validated: the set that is measured.
    """
    learnt = {abspath(record.path) for record in trained.records if record.stored is None}
    seen = [record.path for record in validated.records if abspath(record.path) in learnt]
    if seen:
        _log.warning(
            "%s: %d of %s trained on as well, such as %s: AP does not tell of others",
            *(validated.annotations.source, len(seen)),
            *(counted(len(validated.records), "validation picture"), seen[0]),
        )
