"""One detector, many who wait."""

from __future__ import annotations

import asyncio
import threading
from dataclasses import replace
from functools import partial

import pytest
from demo_server import MarkPredictor
from exported_files import fake_file

from focus_detr.demo.model_queue import DemoModel, ModelQueue, open_model
from focus_detr.demo.refusals import RefusalError
from focus_detr.deploy.opening import Source
from focus_detr.deploy.runner import ExportedPredictor, ModelFile
from focus_detr.errors import FocusDetrError

MODEL = DemoModel(MarkPredictor(), 0.3, tokens=True)


def test_jobs_run_one_at_a_time_in_order_in_the_thread_that_loaded() -> None:
    threads: set[int] = set()
    order: list[int] = []

    def load() -> DemoModel:
        threads.add(threading.get_ident())
        return MODEL

    def job(number: int, model: DemoModel) -> int:
        assert model is MODEL
        threads.add(threading.get_ident())
        order.append(number)
        return number * number

    async def many(queue: ModelQueue) -> list[int]:
        return await asyncio.gather(*(queue.run(partial(job, number)) for number in range(50)))

    with ModelQueue(load, 4) as queue:
        assert asyncio.run(many(queue)) == [number * number for number in range(50)]
        assert queue.done == 50
    assert order == list(range(50)) and len(threads) == 1
    assert threading.get_ident() not in threads


def test_a_full_queue_turns_away_and_places_come_back() -> None:
    with ModelQueue(lambda: MODEL, 2) as queue:
        with queue.place(), pytest.raises(ZeroDivisionError), queue.place():
            with pytest.raises(RefusalError, match="2 pictures in the queue already") as caught:
                queue.place().__enter__()
            assert caught.value.status == 503 and "Retry-After" in caught.value.headers
            raise ZeroDivisionError
        assert queue.under_way == 0


def test_what_goes_wrong_with_loading_is_told_and_leaves_no_thread() -> None:
    def load() -> DemoModel:
        raise FocusDetrError("no checkpoint x")

    before = threading.active_count()
    with pytest.raises(FocusDetrError, match="no checkpoint x"):
        ModelQueue(load, 2)
    assert threading.active_count() == before


def test_an_exported_model_is_opened_without_tokens(monkeypatch: pytest.MonkeyPatch) -> None:
    file, engine = fake_file()
    monkeypatch.setattr(ModelFile, "loaded", lambda self: engine)
    sidecar = replace(file.sidecar, score_threshold=0.45)
    exported = ExportedPredictor([ModelFile(file.path, sidecar)])
    monkeypatch.setattr(ExportedPredictor, "from_path", lambda *arguments: exported)
    model = open_model(Source(None, "served"))
    assert (model.threshold, model.tokens) == (0.45, False)
    assert model.predictor.class_names == ("cat", "dog")
    assert len(engine.calls) == 1  # the first picture, which takes long
