"""One detector that pictures wait for."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass
from types import TracebackType
from typing import TYPE_CHECKING, TypeVar

import numpy as np

from focus_detr.demo.refusals import RefusalError
from focus_detr.deploy.opening import Source
from focus_detr.inference.session import PicturePredictor
from focus_detr.wording import counted

if TYPE_CHECKING:
    from focus_detr.demo.costs import PictureCosts

Result = TypeVar("Result")

_FIRST_PICTURE = (480, 640, 3)


@dataclass(frozen=True)
class DemoModel:
    """A loaded detector."""

    predictor: PicturePredictor
    threshold: float  # score that it usually shows from
    tokens: bool  # whether it tells which tokens it kept
    costs: PictureCosts | None = None  # of a checkpoint; exported files do not say what they are


def open_model(source: Source) -> DemoModel:
    """Load a detector and let it see a grey picture, as the first one takes long.

    Raises:
        FocusDetrError: it cannot be loaded.
    """
    predictor, threshold = source.open()
    first = predictor.predict(np.full(_FIRST_PICTURE, 127, np.uint8))
    costs = None if source.checkpoint is None else _costs_of(predictor)
    return DemoModel(predictor, threshold, first.tokens is not None, costs)


def _costs_of(predictor: PicturePredictor) -> PictureCosts:
    # here, since exported models need no MindSpore
    from focus_detr.demo.costs import PictureCosts
    from focus_detr.inference.predictor import Predictor

    assert isinstance(predictor, Predictor)
    return PictureCosts(predictor.model, len(predictor.class_names))


class ModelQueue:
    """Gives pictures to a detector one at a time, first come, first served."""

    def __init__(self, load: Callable[[], DemoModel], longest: int) -> None:
        """Load the detector.

        Args:
            load: is called once, in the thread in which the detector will run, since MindSpore
                keeps its mode for each thread.
            longest: requests that may be under way at once.

        Raises:
            FocusDetrError: it cannot be loaded.
        """
        self._longest = longest
        self._thread = ThreadPoolExecutor(1, thread_name_prefix="detector")
        self.under_way = 0
        self.done = 0
        try:
            self.model = self._thread.submit(load).result()
        except BaseException:
            self._thread.shutdown(cancel_futures=True)
            raise

    def __enter__(self) -> ModelQueue:
        """Nothing more to do."""
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        """Drop what waits and end the thread."""
        self._thread.shutdown(cancel_futures=True)

    @contextmanager
    def place(self) -> Iterator[None]:
        """Stand in the queue while the block runs.

        Raises:
            RefusalError: the queue is full.
        """
        if self.under_way >= self._longest:
            raise RefusalError(
                503,
                f"{counted(self.under_way, 'picture')} in the queue already; try again in a few "
                "seconds",
                {"Retry-After": "5"},
            )
        self.under_way += 1
        try:
            yield
        finally:
            self.under_way -= 1

    async def run(self, job: Callable[[DemoModel], Result]) -> Result:
        """Let ``job`` have the detector, after all that came before."""
        result = await asyncio.wrap_future(self._thread.submit(job, self.model))
        self.done += 1
        return result
