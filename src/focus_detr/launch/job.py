"""What is started on this machine, as msrun wants to hear it."""

from __future__ import annotations

import os
import sys
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from focus_detr.process.runtime import THREADS_VARIABLE

_NO_WORKER = "-2"  # msrun prints the logs of the workers listed; -1 would be all of them
_LOG_LEVEL, _TALKATIVE = "GLOG_v", ("0", "1")  # debugging, notes
_LEAST_LEVEL = "GLOG_minloglevel"  # of the library that writes MindSpore's logs; 0: notes
_MEETING_SECONDS = 600  # how long machines wait for each other


@dataclass(frozen=True)
class Job:
    """This machine's part of a run."""

    script: tuple[str, ...]  # Python file and its arguments
    device: str
    workers: int  # on each machine
    logs: Path
    port: int
    master: str = "127.0.0.1"
    nodes: int = 1
    node_rank: int = 0

    @property
    def first_rank(self) -> int:
        """Rank of this machine's first worker."""
        return self.node_rank * self.workers

    @property
    def ranks(self) -> range:
        """Ranks of this machine's workers."""
        return range(self.first_rank, self.first_rank + self.workers)

    @property
    def launcher_log(self) -> Path:
        """What msrun itself says."""
        return self.logs / "msrun.log"

    def worker_log(self, rank: int) -> Path:
        """What worker ``rank`` prints."""
        return self.logs / f"worker_{rank}.log"

    def command(self) -> list[str]:
        """The call of msrun."""
        options = {
            "worker_num": self.workers * self.nodes,
            "local_worker_num": self.workers,
            "master_addr": self.master,
            "master_port": self.port,
            "node_rank": self.node_rank,
            "cluster_time_out": _MEETING_SECONDS,
            "log_dir": self.logs,
            "tail_worker_log": _NO_WORKER,
            "join": True,
        }
        return ["msrun", *(f"--{name}={value}" for name, value in options.items()), *self.script]

    def environment(self, outer: Mapping[str, str]) -> dict[str, str]:
        """Environment of the workers: this Python, unbuffered output, a fair share of the cores.

        Nor do they end with notes of MindSpore 2.10, which asks ``GLOG_v`` about most of them only.
        """
        path = os.pathsep.join([str(Path(sys.executable).parent), outer.get("PATH", "")])
        ours = {"PATH": path, "PYTHONUNBUFFERED": "1"}
        if outer.get(_LOG_LEVEL) not in _TALKATIVE:
            ours[_LEAST_LEVEL] = outer.get(_LEAST_LEVEL, "1")  # warnings
        if self.device == "CPU":
            share = max(1, (os.cpu_count() or 1) // self.workers)
            ours[THREADS_VARIABLE] = outer.get(THREADS_VARIABLE, str(share))
        return {**outer, **ours}
