"""The store of a run, or of a detector."""

from __future__ import annotations

import logging

import mindspore as ms

from focus_detr.config.schema import Config
from focus_detr.distributed.world import World
from focus_detr.graph_cache.identity import run_identity
from focus_detr.graph_cache.store import GraphStore
from focus_detr.io.user_paths import user_path

_log = logging.getLogger(__name__)


def open_graphs(folder: str | None, config: Config, world: World) -> GraphStore | None:
    """Where compiled graphs are kept; None if they are not.

    Args:
        folder: of all graphs; None: keep none.
        config: what they depend on, with the number of classes filled in.
        world: this worker among the others.
    """
    if folder is None:
        return None
    device = ms.get_context("device_target")
    if device != "CPU":
        _log.warning("kept graphs are proven on a CPU only: on %s, %s is not used", device, folder)
        return None
    identity = run_identity(config, world.size)
    return GraphStore(user_path(folder), identity, worker=world.rank)
