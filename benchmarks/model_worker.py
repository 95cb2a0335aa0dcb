"""One model variant in a process of its own, so that its peak memory is its own."""

from __future__ import annotations

import resource
import time
from collections.abc import Callable
from concurrent.futures import ProcessPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from dataclasses import dataclass
from multiprocessing import get_context
from typing import Any

from focus_detr.config.schema import Config
from focus_detr.errors import FocusDetrError

_KIB = 1024
_calls: dict[str, Callable[[], object]] = {}  # of this process


@dataclass(frozen=True)
class Work:
    """What a worker holds: the forward pass, or the training step as far as ``training``."""

    config: Config
    num_classes: int
    height: int
    width: int
    device: str | None
    forward_parts: bool = True  # of the forward pass, besides the whole
    training: str | None = None  # one of ``TRAINING_PARTS``


@dataclass(frozen=True)
class Started:
    """What a worker knows after its first call."""

    parts: tuple[str, ...]
    first_seconds: float  # compilation and first run
    peak_bytes: int  # largest resident size of the process so far


class Worker:
    """A process that holds one variant; runs only when asked."""

    def __init__(self) -> None:
        self._pool = ProcessPoolExecutor(max_workers=1, mp_context=get_context("spawn"))

    def __enter__(self) -> Worker:
        """The worker itself."""
        return self

    def __exit__(self, *error: object) -> None:
        """End the process."""
        self._pool.shutdown()

    def start(self, work: Work) -> Started:
        """Build and compile.

        Raises:
            FocusDetrError: the process died, as it does when memory runs out.
        """
        return self._ask(_start, work)

    def seconds(self, part: str) -> float:
        """Run a part once; raises as ``start``."""
        return self._ask(_seconds, part)

    def _ask(self, function: Callable[[Any], Any], argument: object) -> Any:
        try:
            return self._pool.submit(function, argument).result()
        except BrokenProcessPool as error:
            raise FocusDetrError(
                "a measuring process ended by itself, perhaps for lack of memory; "
                "try a smaller --height and --width or train.batch_size=1"
            ) from error


def _start(work: Work) -> Started:
    from model_forward import ForwardParts
    from model_training import TrainingParts

    from focus_detr.runtime import prepare_runtime

    prepare_runtime(work.device)
    shared = (work.config, work.num_classes, work.height, work.width)
    parts = (
        ForwardParts(*shared, parts=work.forward_parts)
        if work.training is None
        else TrainingParts(*shared, part=work.training)
    )
    first = _timed(parts.whole)
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * _KIB
    _calls.update(parts.calls())
    for call in _calls.values():
        _timed(call)
    return Started(tuple(_calls), first, peak)


def _seconds(part: str) -> float:
    return _timed(_calls[part])


def _timed(call: Callable[[], object]) -> float:
    import mindspore as ms

    begin = time.perf_counter()
    call()
    if ms.get_context("device_target") != "CPU":  # there a graph has run when its call returns
        ms.runtime.synchronize()
    return time.perf_counter() - begin
