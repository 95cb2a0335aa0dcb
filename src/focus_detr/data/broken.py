"""What becomes of pictures that turn out to be broken while an epoch is loaded."""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable

from focus_detr.data.collate import LoadedImage, blank_image
from focus_detr.errors import FocusDetrError
from focus_detr.wording import counted

_log = logging.getLogger(__name__)
_ENOUGH = 20  # pictures after which more than half broken ones end the epoch at once


class BrokenImages:
    """Counts the pictures of an epoch that cannot be read; used by several threads."""

    def __init__(self, skip: bool) -> None:
        """Begin an epoch.

        Args:
            skip: put a blank image in the place of a broken one; otherwise it ends the epoch.
        """
        self._skip = skip
        self._lock = threading.Lock()
        self._problems: list[str] = []
        self._seen = 0

    def guard(self, load: Callable[[], LoadedImage], bucket: tuple[int, int]) -> LoadedImage:
        """The loaded image, or a blank one of the bucket's (height, width).

        Raises:
            FocusDetrError: it is broken, and broken ones are not skipped or more than half.
        """
        try:
            image = load()
        except FocusDetrError as error:
            if not self._skip:
                raise
            self._count(str(error))
            return blank_image(bucket)
        self._count(None)
        return image

    def check_share(self) -> None:
        """Refuse a set of which most is broken: then the settings are wrong, not the pictures.

        Raises:
            FocusDetrError: more than half of the pictures were broken.
        """
        if 2 * len(self._problems) > self._seen:
            raise FocusDetrError(
                f"{len(self._problems)} of {counted(self._seen, 'image')} cannot be read; the "
                f"first: {self._problems[0]}"
            )

    def warn(self, epoch: int) -> None:
        """Say how many were left out, and why the first one was."""
        if self._problems:
            _log.warning(
                "epoch %d: left out %s; the first: %s",
                *(epoch, counted(len(self._problems), "broken image"), self._problems[0]),
            )

    def _count(self, problem: str | None) -> None:
        with self._lock:
            self._seen += 1
            if problem is not None:
                self._problems.append(problem)
            if self._seen >= _ENOUGH:
                self.check_share()
