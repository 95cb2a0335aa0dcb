"""Cells whose compiled graphs are kept for later processes."""

from __future__ import annotations

import functools
import logging
from typing import Any

from mindspore import Tensor, nn

from focus_detr.graph_cache.exchange import compile_with
from focus_detr.graph_cache.identity import graph_name
from focus_detr.graph_cache.store import GraphStore

_log = logging.getLogger(__name__)


class KeptGraphs(nn.Cell):
    """A cell that asks a store before it compiles, once it has one; inputs are tensors only."""

    graph_store: GraphStore | None = None

    def keep_graphs(self, store: GraphStore | None) -> None:
        """Use the store, or none, from now on."""
        self.graph_store = store
        self._met: set[tuple[Any, ...]] = set()  # shapes that are compiled, or being compiled

    def compile(self, *inputs: Tensor, **options: Any) -> None:
        """Compile for the shapes of these inputs; MindSpore calls this before each run."""
        compilation = functools.partial(super().compile, *inputs, **options)
        store = self.graph_store
        shapes = (self.training, *((value.shape, value.dtype) for value in inputs))
        if store is None or shapes in self._met:
            compilation()
            return
        self._met.add(shapes)
        name = graph_name(self, inputs)
        kept = store.load(name)
        new = compile_with(compilation, kept)
        if new is None:
            return
        if kept is not None:
            _log.warning("MindSpore rejected the kept graph %s: it is replaced", name)
        store.save(name, new)
