"""The launch scripts with real workers: msrun, two processes on this CPU, a small network.

It has a gathering decoder and the IoU-aware loss, so that these are shared among workers too.
"""

from __future__ import annotations

import json
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import psutil
import pytest
from safetensors.numpy import load_file
from worker_runs import (
    GRAPHS,
    SCRIPTS,
    SIZES,
    busy_port,
    environment,
    run,
    started,
    write_settings,
)

from focus_detr.launch.checks import free_port
from focus_detr.training.state import TrainingState
from focus_detr.weights.checkpoint import load_checkpoint

LEAST_STEPS = 6  # among them an evaluation
GIVEN_TO_SAVE = 120  # seconds, to the workers of a launcher that was killed
# in front of a norm over one channel: no gradient, and Adam makes steps of its rounding
WITHOUT_GRADIENT = tuple(f"neck.lateral.{level}.conv.bias" for level in range(3))


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("workers")
    write_settings(folder)
    return folder


@dataclass(frozen=True)
class _Killed:
    """What a killed launcher left."""

    seconds: float  # that its processes had to themselves
    survivors: list[psutil.Process]
    step: int  # of the checkpoint
    graphs: dict[str, int]


@pytest.fixture(scope="module")
def killed(folder: Path) -> _Killed:
    """Two workers with a batch of one compile, train and evaluate; kill -9 ends their launcher."""
    output = folder / "two"
    with started("run_distribute_train.sh", *_endless(output)) as process:
        _until(lambda: (output / "last.safetensors").exists(), process)
        _until(lambda: _logged_step(output) >= LEAST_STEPS, process)
        below = psutil.Process(process.pid).children(recursive=True)
        assert len(below) >= 5  # a guard, msrun, its scheduler, two workers
        process.kill()
        start = time.monotonic()
        survivors = _survivors(below, GIVEN_TO_SAVE)
        seconds = time.monotonic() - start
    return _Killed(seconds, survivors, _step(output), _graphs(folder))


@pytest.fixture(scope="module")
def two(folder: Path, killed: _Killed) -> Path:
    """The same run gone on with, by graphs from before and beyond an evaluation; Ctrl-C ends it."""
    output = folder / "two"
    evaluated = len(_records(output, "evaluation"))
    with started("run_distribute_train.sh", *_endless(output, "--resume")) as process:
        _until(lambda: len(_records(output, "evaluation")) > evaluated, process)
        below = psutil.Process(process.pid).children(recursive=True)
        process.send_signal(signal.SIGINT)
        out, error = process.communicate(timeout=60)
    assert process.returncode == 130, out + error
    assert "stopping all workers" in error
    assert "on request after step" in out
    assert f"step {killed.step + 1}/" in out  # the first worker's log is on the screen
    assert "[INFO]" not in out  # without what MindSpore notes at its end
    assert not _survivors(below)
    return output


@pytest.fixture(scope="module")
def one(two: Path) -> Path:
    """One worker with a batch of two and as many steps (an epoch has one), never interrupted.

    It neither keeps graphs nor has any from before.
    """
    output = two.parent / "one"
    steps = _step(two)
    done = run(
        *("run_standalone_train.sh", two.parent / "settings.yaml", "train.batch_size=2"),
        *(f"train.output_dir={output}", f"train.schedule.epochs={steps}"),
        "train.compile_cache=null",
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return output


def _endless(output: Path, *more: str) -> tuple[object, ...]:
    """Arguments of a run that somebody has to end."""
    settings = (f"train.output_dir={output}", "train.schedule.epochs=100000")
    return (2, output.parent / "settings.yaml", *settings, *more)


def _records(folder: Path, kind: str) -> list[dict]:
    text = (folder / "metrics.jsonl").read_text()
    whole = text[: text.rfind("\n") + 1]  # of a run that is writing
    records = map(json.loads, whole.splitlines())
    return [record for record in records if record["kind"] == kind]


def _until(condition: Callable[[], bool], process: subprocess.Popen, seconds: float = 300) -> None:
    end = time.monotonic() + seconds
    while not condition():
        assert process.poll() is None, process.communicate()
        assert time.monotonic() < end
        time.sleep(0.1)


def _survivors(processes: list[psutil.Process], seconds: float = 5) -> list[psutil.Process]:
    _, alive = psutil.wait_procs(processes, timeout=seconds)
    return [process for process in alive if process.status() != psutil.STATUS_ZOMBIE]


def _graphs(folder: Path) -> dict[str, int]:
    """The kept graphs, each with the time when it was written."""
    return {path.name: path.stat().st_mtime_ns for path in (folder / GRAPHS).rglob("*.graph")}


def _logged_step(output: Path) -> int:
    return max((record["step"] for record in _records(output, "train")), default=0)


def _step(folder: Path) -> int:
    return int(load_file(folder / "last.safetensors")["optimizer.step"])


def test_workers_of_a_killed_launcher_save_and_end(folder: Path, killed: _Killed) -> None:
    assert not killed.survivors
    assert killed.seconds < GIVEN_TO_SAVE
    logs = min((folder / "two" / "logs").iterdir())
    assert "the launcher is gone: asking its workers" in (logs / "msrun.log").read_text()
    for rank in range(2):
        said = (logs / f"worker_{rank}.log").read_text()
        assert f"stopped on request after step {killed.step} of" in said
    (message,) = _held(folder / "two", killed.step)
    assert message == f"after step {killed.step} all 2 workers hold the same weights"


def test_graphs_from_before_are_used_as_they_are(two: Path, killed: _Killed) -> None:
    kinds = sorted(name.partition("-")[0] + name[-len("-0.graph") :] for name in killed.graphs)
    assert kinds == [
        f"{cell}-{rank}.graph" for cell in ("Detector", "TrainStep") for rank in (0, 1)
    ]
    assert _graphs(two.parent) == killed.graphs
    assert "rejected" not in "".join(log.read_text() for log in two.rglob("worker_*.log"))


def test_a_stop_saves_the_step_that_it_ends_with(two: Path) -> None:
    assert _records(two, "train")[-1]["step"] == _step(two)


def test_all_workers_hold_the_same_weights(two: Path) -> None:
    (said,) = _held(two, _step(two))
    assert said == f"after step {_step(two)} all 2 workers hold the same weights"


def _held(output: Path, step: int) -> list[str]:
    """What was said about the workers' weights after a step."""
    texts = (record["text"] for record in _records(output, "message"))
    return [text for text in texts if "workers hold" in text and f"step {step} " in text]


def test_one_checkpoint_and_a_log_for_each_worker(two: Path) -> None:
    names = {path.name for path in two.iterdir()}
    assert {"last.safetensors", "best.safetensors", "config.yaml", "logs"} <= names
    assert not [name for name in names if name.endswith(".part")]
    for logs in (two / "logs").iterdir():  # of both launches
        assert {"worker_0.log", "worker_1.log", "scheduler.log"} <= {p.name for p in logs.iterdir()}
        assert "loss" in (logs / "worker_0.log").read_text()
        assert "loss" not in (logs / "worker_1.log").read_text()


def test_two_workers_equal_one_with_the_whole_batch(one: Path, two: Path) -> None:
    """Although their launcher was killed, and although the second half had graphs from before."""
    alone, shared = (load_file(folder / "last.safetensors") for folder in (one, two))
    assert alone.keys() == shared.keys()
    assert alone["optimizer.step"] == shared["optimizer.step"] >= LEAST_STEPS
    moved = [name for name in alone if name.startswith("optimizer.first.")]
    assert max(np.abs(alone[name]).max() for name in moved) > 1e-3
    for name in alone.keys() - set(WITHOUT_GRADIENT):
        np.testing.assert_allclose(shared[name], alone[name], rtol=0, atol=1e-6, err_msg=name)


def test_either_run_may_go_on_with_the_workers_of_the_other(one: Path, two: Path) -> None:
    alone, shared = (load_checkpoint(run / "last.safetensors").metadata for run in (one, two))
    first, second = (
        TrainingState(**metadata.pop("training_state")) for metadata in (alone, shared)
    )
    assert alone == shared
    assert (first.seed, first.batches_per_epoch) == (second.seed, second.batches_per_epoch)
    assert first.step == second.step
    assert first.best == pytest.approx(second.best, abs=1e-4)


def test_the_log_tells_the_losses_of_all_images(one: Path, two: Path) -> None:
    """And by name those of both decoders, their slots and the encoder."""
    for alone, shared in zip(_records(one, "train"), _records(two, "train"), strict=True):
        assert shared["loss"] == pytest.approx(alone["loss"], rel=1e-5)
        assert shared["parts"] == pytest.approx(alone["parts"], rel=1e-4, abs=1e-6)
        streams = ("", "_dn", "_many", "_dn_many", "_enc")
        assert all(alone["parts"][f"loss_giou{stream}"] > 0 for stream in streams)
        assert shared["gradient_norm"] == pytest.approx(alone["gradient_norm"], rel=1e-4)


def test_evaluation_between_epochs_is_one_worker_s(one: Path, two: Path) -> None:
    alone = {record["epoch"]: record["metrics"] for record in _records(one, "evaluation")}
    shared = {record["epoch"]: record["metrics"] for record in _records(two, "evaluation")}
    assert len(shared) >= 2  # the first with a graph of its own, the last with one from before
    for epoch, metrics in shared.items():
        assert metrics == pytest.approx(alone[epoch], abs=1e-4)


def test_evaluation_on_two_machines_is_one_worker_s(one: Path) -> None:
    results, metrics = one / "results.json", one / "metrics.json"
    words = (one.parent / "settings.yaml", one / "last.safetensors", "--json", metrics)
    meeting = ("--nodes", 2, "--master", "127.0.0.1", "--port", free_port())
    command = ("run_distribute_eval.sh", 1, *words, "--results-out", results, *meeting)
    with (  # both machines are this one
        started(*command, "--node-rank", 0) as first,
        started(*command, "--node-rank", 1) as second,
    ):
        machines = (first, second)
        said = [machine.communicate(timeout=120) for machine in machines]
    assert [machine.returncode for machine in machines] == [0, 0], said
    assert [out.count("COCO box metrics") for out, _ in said] == [1, 0]
    trained = _records(one, "evaluation")[-1]  # by one worker, after the last epoch
    assert json.loads(metrics.read_text())["metrics"] == trained["metrics"]
    found = json.loads(results.read_text())
    assert [d["image_id"] for d in found] == sorted(d["image_id"] for d in found)
    assert {d["image_id"] for d in found} == set(range(1, len(SIZES) + 1))
    assert len({(d["image_id"], d["score"], *d["bbox"]) for d in found}) == len(found)


def test_a_worker_s_death_ends_the_job_with_its_last_words(two: Path, one: Path) -> None:
    before = _step(two)  # after the comparison with the other run
    said = f"last.safetensors after step {before}"
    with started("run_distribute_train.sh", *_endless(two, "--resume")) as process:
        _until(lambda: said in (two / "metrics.jsonl").read_text(), process)
        below = psutil.Process(process.pid).children(recursive=True)
        (victim,) = [p for p in below if p.environ().get("MS_NODE_ID") == "1"]
        log = max((two / "logs").iterdir()) / "worker_1.log"
        with log.open("a") as file:
            file.write("the last words\n")
        victim.send_signal(signal.SIGKILL)
        died = time.monotonic()
        _, error = process.communicate(timeout=60)
        assert time.monotonic() - died < 60
    assert process.returncode == 1
    assert "worker 1 was killed by SIGKILL" in error
    assert "the last words" in error
    assert not _survivors(below)
    assert _step(two) >= before  # the checkpoint is whole


def test_evaluation_on_one_device_says_what_is_missing(folder: Path) -> None:
    done = run("run_eval.sh", folder / "settings.yaml", folder / "missing.safetensors")
    assert done.returncode == 2
    assert "missing.safetensors" in done.stderr and done.stderr.count("\n") == 1


def test_what_a_user_can_mend_is_said_once(folder: Path) -> None:
    settings, output = folder / "settings.yaml", f"train.output_dir={folder / 'bad'}"
    words = (settings, output, "train.batch_size=100")
    done = run("run_distribute_train.sh", 2, *words)
    assert done.returncode == 2
    assert "too few for one batch of 100 on 2 workers" in done.stderr


@pytest.mark.parametrize("script", sorted(path.name for path in SCRIPTS.glob("run_*[ln].sh")))
def test_without_arguments_a_script_explains_itself(script: str) -> None:
    for words in ((), ("--help",)):
        command = ["bash", str(SCRIPTS / script), *words]
        done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=10)
        assert done.returncode == 2
        assert f"scripts/{script}" in done.stderr
        assert "set -euo" not in done.stderr


def _refused(*words: str, scripts: Path = SCRIPTS, **variables: str) -> str:
    """What the script says instead of starting."""
    done = subprocess.run(
        ["bash", str(scripts / "run_distribute_train.sh"), *words],
        env=environment(**variables),
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert done.returncode == 2, done.stderr
    assert done.stderr.count("\n") == 1
    return done.stderr


def test_bad_launches_are_one_sentence(folder: Path) -> None:
    settings = str(folder / "settings.yaml")
    with busy_port() as listener:
        port = str(listener.getsockname()[1])
        assert f"port {port}" in _refused("2", settings, "--port", port, "--device", "CPU")
    assert "missing.yaml" in _refused("2", "missing.yaml", "--device", "CPU")
    assert "8 workers on this machine" in _refused("8", settings, "--device", "Ascend")
    assert not (folder / "run").exists()


def _scripts_with_python(folder: Path, command: str) -> None:
    """Copy the scripts away from an environment beside them, and put a ``python`` there."""
    shutil.copytree(SCRIPTS, folder / "scripts")
    (folder / "python").write_text(f"#!/bin/sh\n{command}\n")
    (folder / "python").chmod(0o755)


@pytest.mark.parametrize(
    ("script", "words", "expected"),
    [
        ("run_eval", "C K", "--config C --checkpoint K"),
        ("run_eval", "C --device CPU K a=1", "--config C --device CPU --checkpoint K a=1"),
        (
            "run_eval",
            "--json=m C K --device CPU",
            "--json=m --config C --checkpoint K --device CPU",
        ),
        ("run_standalone_train", "--resume C a=1 --device CPU b=2", None),
        ("run_standalone_train", "--no-progress --device CPU C a=1", None),
        ("run_standalone_train", "b=1 C a=1", None),
        ("run_standalone_train", "C a=1 -- b=2 c=3", None),
        ("run_standalone_train", "a=1 ./lr=2/C", "a=1 --config ./lr=2/C"),
        ("run_standalone_train", "--config C --device CPU a", "--config C --device CPU a"),
        ("run_eval", "--config C a=1 K", "--config C a=1 --checkpoint K"),
        ("run_eval", "C --checkpoint=K a=1 b", "--config C --checkpoint=K a=1 b"),
    ],
)
def test_words_of_no_option_may_stand_anywhere(
    tmp_path: Path, script: str, words: str, expected: str | None
) -> None:
    _scripts_with_python(tmp_path, 'shift; echo "$@"')
    command = ["bash", str(tmp_path / "scripts" / f"{script}.sh"), *words.split()]
    variables = {"PATH": f"{tmp_path}:/usr/bin:/bin"}
    done = subprocess.run(command, env=variables, capture_output=True, text=True, check=True)
    assert done.stdout.strip() == (expected or words.replace("C a=1", "--config C a=1"))


def test_without_msrun_a_launch_is_refused(folder: Path, tmp_path: Path) -> None:
    _scripts_with_python(tmp_path, f'exec "{sys.executable}" "$@"')
    sentence = _refused(
        *("2", str(folder / "settings.yaml")),
        scripts=tmp_path / "scripts",
        PATH=f"{tmp_path}:/usr/bin:/bin",
        PYTHONPATH=str(SCRIPTS.parent / "src"),
    )
    assert "msrun is not on PATH" in sentence
