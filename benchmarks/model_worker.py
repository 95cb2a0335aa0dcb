"""One model variant in a process of its own, so that its peak memory is its own."""

from __future__ import annotations

import sys
import time
from collections.abc import Callable
from concurrent.futures import ProcessPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from dataclasses import dataclass, replace
from functools import partial
from multiprocessing import get_context
from typing import Any, Protocol

from process_memory import peak_bytes

from focus_detr.config.schema import Config
from focus_detr.errors import FocusDetrError

_calls: dict[str, Callable[[], float]] = {}  # of this process; each tells its seconds


class Calls(Protocol):
    """A network and what it is asked to do."""

    def whole(self) -> object:
        """The call that is compiled first, whose peak memory counts."""

    def calls(self) -> dict[str, Callable[[], object]]:
        """What is timed, by name."""


class Job(Protocol):
    """What a worker is to hold; travels to its process."""

    def build(self) -> Calls:
        """Build it, in the worker's process."""

    def as_training(self, part: str) -> Job:
        """The same network, but its training step as far as ``part``."""

    def wait(self) -> None:
        """Return when the device has done all it was told."""


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

    def build(self) -> Calls:
        """The network on its device."""
        from model_forward import ForwardParts
        from model_training import TrainingParts

        from focus_detr.process.runtime import prepare_runtime

        prepare_runtime(self.device)
        shared = (self.config, self.num_classes, self.height, self.width)
        if self.training is None:
            return ForwardParts(*shared, parts=self.forward_parts)
        return TrainingParts(*shared, part=self.training)

    def as_training(self, part: str) -> Work:
        """The training step as far as ``part``."""
        return replace(self, training=part)

    def wait(self) -> None:
        """Wait for the device."""
        wait_for_device()


def wait_for_device() -> None:
    """Return when the device has done all; on a CPU a graph has run when its call returns."""
    import mindspore as ms

    if ms.get_context("device_target") != "CPU":
        ms.runtime.synchronize()


@dataclass(frozen=True)
class Started:
    """What a worker knows after its first calls."""

    parts: tuple[str, ...]
    first_seconds: float  # compilation and first run
    peak_bytes: int  # largest resident size of the process until the end of the second run


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

    def start(self, work: Job) -> Started:
        """Build and compile.

        Raises:
            FocusDetrError: the process died, as it does when memory runs out.
        """
        return self.ask(_start, work)

    def seconds(self, part: str) -> float:
        """Run a part once; raises as ``start``."""
        return self.ask(_seconds, part)

    def kernels(self, part: str) -> dict[str, int]:
        """Kernels that a part launches, by kind; none but on a CPU. Raises as ``start``."""
        return self.ask(_kernels, part)

    def ask(self, function: Callable[[Any], Any], argument: object) -> Any:
        """What ``function`` returns for ``argument`` in the process; raises as ``start``."""
        try:
            return self._pool.submit(function, argument).result()
        except BrokenProcessPool as error:
            raise FocusDetrError(
                "a measuring process ended by itself, perhaps for lack of memory; "
                "try a smaller --height and --width or train.batch_size=1"
            ) from error


def _start(work: Job) -> Started:
    parts = work.build()
    first = _timed(parts.whole, work.wait)
    parts.whole()  # a training step's second run holds more, 4.3 GiB after 3.9 with ResNet-50
    work.wait()
    peak = peak_bytes()
    _calls.update({name: partial(_timed, call, work.wait) for name, call in parts.calls().items()})
    for call in _calls.values():
        call()
    return Started(tuple(_calls), first, peak)


def _seconds(part: str) -> float:
    return _calls[part]()


def _kernels(part: str) -> dict[str, int]:
    if "mindspore" not in sys.modules:  # another framework's process
        return {}
    import mindspore as ms
    from model_kernels import count_kernels

    return count_kernels(_calls[part]) if ms.get_context("device_target") == "CPU" else {}


def _timed(call: Callable[[], object], wait: Callable[[], None]) -> float:
    begin = time.perf_counter()
    call()
    wait()
    return time.perf_counter() - begin
