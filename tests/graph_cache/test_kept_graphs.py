"""Training with graphs from before: bit by bit what it is without."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import mindspore as ms
import numpy as np
import pytest
from mindspore import Tensor, nn
from mindspore.graph.api import _cell_graph_executor
from tiny_training import TinyLoader, TinyRun

from focus_detr.config.schema import ParameterGroup
from focus_detr.data.batch import Batch
from focus_detr.graph_cache.identity import graph_name
from focus_detr.graph_cache.kept_graphs import KeptGraphs
from focus_detr.graph_cache.store import GraphStore
from focus_detr.training.accumulation import BatchGroup
from focus_detr.training.trainer import Trainer

PLAIN: dict[str, Any] = {}
EVERYTHING: dict[str, Any] = {
    "accumulate": 2,
    "precision": "fp16",
    "ema_decay": 0.9,
    "groups": (ParameterGroup("embed", lr_factor=0.5),),
    "freeze": ("norm",),
}


class _WatchedStore(GraphStore):
    """Remembers what it could give."""

    def __init__(self, folder: Path) -> None:
        super().__init__(folder, "run")
        self.found: list[bool] = []

    def load(self, name: str) -> bytes | None:
        graph = super().load(name)
        self.found.append(graph is not None)
        return graph


def _batch(images: int, count: int) -> Batch | BatchGroup:
    batch = next(TinyLoader(images=images).epoch(0))
    return batch if count == 1 else BatchGroup((batch,) * count)


def _trainer(run: TinyRun, store: GraphStore) -> Trainer:
    trainer = run.trainer()
    trainer.parts.step.keep_graphs(store)
    trainer.parts.step.set_train(True)
    return trainer


def _train(trainer: Trainer, order: Sequence[int], count: int) -> dict[str, np.ndarray]:
    """Weights and the update's memory after steps over batches of these sizes."""
    parts = trainer.parts
    for number, images in enumerate(order):
        parts.step(Tensor(0.01, ms.float32), *parts.inputs(_batch(images, count), number))
    weights = {p.name: p.asnumpy().copy() for p in parts.model.get_parameters()}
    return weights | parts.step.update.state()


@pytest.mark.parametrize(
    ("options", "graphs"), [(PLAIN, 2), (EVERYTHING, 3)], ids=["plain", "everything"]
)
def test_graphs_from_before_train_the_same_weights_in_any_order(
    options: dict[str, Any], graphs: int, tmp_path: Path
) -> None:
    count = options.get("accumulate", 1)
    filling, filled = _WatchedStore(tmp_path), _WatchedStore(tmp_path)
    first = _trainer(TinyRun(tmp_path, **options), filling)
    compiled = [_train(first, (2, 3, 2), count), _train(first, (3, 2), count)]
    assert filling.found == [False] * graphs

    second = _trainer(TinyRun(tmp_path, model_seed=1, **options), filled)
    state = TinyRun(tmp_path, **options).trainer().parts
    for parameter, start in zip(
        second.parts.model.get_parameters(), state.model.get_parameters(), strict=True
    ):
        parameter.set_data(Tensor(start.asnumpy()))
    kept = [_train(second, (2, 3, 2), count), _train(second, (3, 2), count)]
    assert filled.found == [True] * graphs
    for expected, got in zip(compiled, kept, strict=True):
        assert got.keys() == expected.keys()
        for name, value in expected.items():
            np.testing.assert_array_equal(got[name], value, err_msg=name)


class _Doubling(KeptGraphs):
    def construct(self, values: Tensor) -> Tensor:
        return values * 2


def test_a_graph_that_mindspore_rejects_is_replaced(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    values = Tensor([1.0, 2.0], ms.float32)
    store = GraphStore(tmp_path, "run")
    name = graph_name(_Doubling(), (values,))
    store.save(name, b"of another MindSpore")
    for _ in range(2):
        cell = _Doubling()
        cell.keep_graphs(store)
        np.testing.assert_array_equal(cell(values).asnumpy(), [2.0, 4.0])
    assert [record.message for record in caplog.records] == [
        f"MindSpore rejected the kept graph {name}: it is replaced"
    ]
    assert store.load(name) not in (None, b"of another MindSpore")


class _TwoBuckets(TinyLoader):
    """Batches of two and of three images by turns."""

    def _batch(self, epoch: int, index: int) -> Batch:
        return TinyLoader(images=2 + index % 2)._batch(epoch, index)


@pytest.fixture
def compiled(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """Gets the name of each cell whose graph MindSpore compiles from now on."""
    names: list[str] = []
    executor = type(_cell_graph_executor._graph_executor)
    plain = executor.compile

    def _counted(self: object, cell: nn.Cell, *rest: object) -> bool:
        names.append(type(cell).__name__)
        return plain(self, cell, *rest)

    monkeypatch.setattr(executor, "compile", _counted)
    return names


def test_a_run_with_evaluations_compiles_each_bucket_once(
    tmp_path: Path, compiled: list[str]
) -> None:
    def evaluate() -> dict[str, float]:
        model = trainer.parts.model.set_train(False)
        for images in (2, 3):
            model(Tensor(np.ones((images, 3, 4, 4), np.float32)))
        return {"AP": 0.5}

    run = TinyRun(tmp_path, epochs=3, loader=_TwoBuckets(batches=4), evaluate=evaluate)
    trainer = run.trainer()
    trainer.parts.step.keep_graphs(GraphStore(tmp_path, "run"))
    assert trainer.run().step == 12
    assert sorted(compiled) == ["TinyModel"] * 2 + ["TrainStep"] * 2
