"""The workers of a run: who this one is, and what all of them tell each other.

A launcher (``msrun``) starts the processes and describes them in environment variables. Without it
there is one worker, and every method here gives back its argument at once.

All workers have to call the same methods in the same order: each call waits for everybody.
"""

from __future__ import annotations

import functools
import os
from collections.abc import Sequence
from dataclasses import dataclass

import mindspore as ms
import numpy as np
from mindspore import Tensor, nn, ops

from focus_detr.errors import FocusDetrError
from focus_detr.process.worker_marks import MEETING, marked

ROLE_VARIABLE = "MS_ROLE"  # msrun sets it in every process that it starts
_LENGTH_LIMIT = 2**31  # lengths are compared as int32


class _Collective(nn.Cell):
    """One collective operation as a graph of its own."""

    def __init__(self, operation: ops.Primitive) -> None:
        super().__init__()
        self.operation = operation

    def construct(self, values: Tensor) -> Tensor:
        """Values [n] of this worker -> [n], or [workers * n] when gathering."""
        return self.operation(values)


@functools.cache
def _sum() -> _Collective:
    return _Collective(ops.AllReduce(ops.ReduceOp.SUM))


@functools.cache
def _gather() -> _Collective:
    return _Collective(ops.AllGather())


@dataclass(frozen=True)
class World:
    """One worker among ``size``; rank 0 writes files and speaks for all."""

    rank: int = 0
    size: int = 1

    @property
    def first(self) -> bool:
        """Whether this worker writes files and reports."""
        return self.rank == 0

    def mean(self, values: np.ndarray) -> np.ndarray:
        """Mean over the workers of ``values`` [n] float32."""
        if self.size == 1:
            return values
        return _sum()(Tensor(values, ms.float32)).asnumpy() / np.float32(self.size)

    def any(self, flag: bool) -> bool:
        """Whether ``flag`` is true for any worker."""
        return flag if self.size == 1 else self._largest(int(flag)) > 0

    def wait(self) -> None:
        """Wait until every worker is here."""
        self.any(False)

    def gather(self, payload: bytes) -> list[bytes]:
        """The payloads of all workers by rank, on every worker.

        Raises:
            FocusDetrError: a payload has 2 GiB or more.
        """
        if self.size == 1:
            return [payload]
        length = self._largest(min(len(payload), _LENGTH_LIMIT - 1))
        if length == _LENGTH_LIMIT - 1:
            raise FocusDetrError("a worker has 2 GiB or more to share with the others")
        # every length is a graph of its own; powers of two keep them few
        words = 1 << max(0, (length + 8 - 1) // 4).bit_length()
        framed = len(payload).to_bytes(4, "little") + payload
        values = np.frombuffer(framed.ljust(4 * words, b"\0"), np.int32)
        gathered = _gather()(Tensor(values)).asnumpy().reshape(self.size, words)
        return [_unframed(row.tobytes()) for row in gathered]

    def from_first(self, payload: bytes) -> bytes:
        """Rank 0's payload, on every worker."""
        return self.gather(payload if self.first else b"")[0]

    def require_equal(self, facts: Sequence[object], sentence: str) -> None:
        """Refuse to go on when the workers do not have the same facts.

        Raises:
            FocusDetrError: they differ; its text is ``sentence``. Raised on every worker.
        """
        if not self.agree(facts):
            raise FocusDetrError(sentence)

    def agree(self, facts: Sequence[object]) -> bool:
        """Whether all workers have the same facts; the answer is the same on all of them."""
        return len(set(self.gather(repr(tuple(facts)).encode()))) == 1

    def _largest(self, value: int) -> int:
        # gathered: on a CPU, MindSpore 2.10 reduces sums of floats only
        return int(_gather()(Tensor(np.array([value], np.int32))).asnumpy().max())


SINGLE = World()


@functools.cache
def join_world() -> World:
    """Meet the other workers, if a launcher started this process; the device has to be chosen.

    MindSpore picks the means: HCCL on Ascend, NCCL on a GPU, its own sockets on a CPU. In the
    launcher's scheduler process this returns only when the workers are done, by ending the process.
    """
    if ROLE_VARIABLE not in os.environ:
        return SINGLE
    from mindspore.communication import get_group_size, get_rank, init

    with marked(MEETING):
        init()
    return World(get_rank(), get_group_size())


def _unframed(data: bytes) -> bytes:
    length = int.from_bytes(data[:4], "little")
    return data[4 : 4 + length]
