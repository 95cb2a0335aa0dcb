"""The store of a training run."""

from __future__ import annotations

import logging
from pathlib import Path

import mindspore as ms

from focus_detr.config.schema import Config
from focus_detr.distributed.world import World
from focus_detr.graph_cache.identity import run_identity
from focus_detr.graph_cache.store import GraphStore

_log = logging.getLogger(__name__)


def open_graphs(config: Config, world: World) -> GraphStore | None:
    """Where this run's compiled graphs are kept; None if they are not.

    Args:
        config: with the number of classes filled in.
        world: this worker among the others.
    """
    folder = config.train.compile_cache
    if folder is None:
        return None
    device = ms.get_context("device_target")
    if device != "CPU":
        _log.warning("train.compile_cache is proven on a CPU only and not used on %s", device)
        return None
    identity = run_identity(config, world.size)
    return GraphStore(Path(folder).expanduser(), identity, worker=world.rank)
