"""The soak run's verdict, and a short run against a stand-in."""

from __future__ import annotations

import os
from argparse import Namespace
from pathlib import Path
from types import ModuleType

import psutil
import pytest
from demo_server import MarkPredictor, picture, running
from script_module import load_script

from focus_detr.demo.model_queue import DemoModel

BENCHMARK = Path(__file__).resolve().parents[2] / "benchmarks" / "demo_soak.py"


@pytest.fixture(scope="module")
def soak() -> ModuleType:
    return load_script(BENCHMARK)


def test_each_tenth_picture_is_broken(soak: ModuleType) -> None:
    bodies = soak.with_broken([b"aaaa", b"bbbb"])
    assert bodies[:9] == [b"aaaa", b"bbbb"] * 4 + [b"aaaa"] and bodies[9] == b"bb"
    assert len(bodies) == 20 and sum(len(body) == 2 for body in bodies) == 2


def test_growth_leaves_the_start_out(soak: ModuleType) -> None:
    memory = [100, 900, 910, 905, 912, 911, 913, 915]
    parts = [soak.Part(number, 0, 1.0, value) for number, value in enumerate(memory)]
    assert soak.growth(parts) == 915 - 910


def test_a_run_counts_what_differs(soak: ModuleType, capsys: pytest.CaptureFixture[str]) -> None:
    predictor = MarkPredictor()
    with running(lambda: DemoModel(predictor, 0.3, tokens=True)) as client:
        bodies = soak.with_broken([picture(100), picture(200)])
        here = psutil.Process(os.getpid())
        arguments = Namespace(requests=50, people=3)
        parts = soak.run(client.port, here, bodies, arguments)
        assert [part.requests for part in parts][-1] == 50
        assert sum(part.wrong for part in parts) == 0
        assert client.queue is not None and client.queue.done == 45 + 2
    assert len(capsys.readouterr().out.splitlines()) == len(parts)
    assert "lost" in soak.ask(client.port, picture())
