"""From the launcher's command line to msrun's."""

from __future__ import annotations

from pathlib import Path

import pytest

from focus_detr.errors import FocusDetrError
from focus_detr.launch import command
from focus_detr.launch.job import Job
from focus_detr.training.line_file import LineFile


@pytest.fixture(autouse=True)
def _msrun(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(command, "find_msrun", lambda: "msrun")


@pytest.fixture
def settings(tmp_path: Path) -> str:
    path = tmp_path / "settings.yaml"
    path.write_text(f"train: {{output_dir: {tmp_path / 'run'}}}\n")
    return str(path)


def _job(kind: str, *words: str) -> Job:
    arguments = [kind, "--script", f"{kind}.py", "--device", "cpu", *words]
    return command.build_job(command.parse_arguments(arguments))


def test_training_on_one_machine(settings: str, tmp_path: Path) -> None:
    job = _job("train", "2", settings, "train.seed=3", "--resume", "train.batch_size=1")
    overrides = ("train.seed=3", "train.batch_size=1")
    assert job.script == (
        *("train.py", "--config", settings, "--device", "CPU", "--no-progress", "--resume"),
        *overrides,
    )
    assert job.logs.parent == tmp_path / "run" / "logs"
    words = job.command()
    assert words[0] == "msrun" and words[-len(job.script) :] == list(job.script)
    for option in ("--worker_num=2", "--local_worker_num=2", "--master_addr=127.0.0.1"):
        assert option in words
    assert job.worker_log(1) == job.logs / "worker_1.log"


def test_training_on_several_machines(settings: str) -> None:
    nodes = ("--nodes", "4", "--node-rank", "3", "--master", "10.0.0.7")
    job = _job("train", "8", settings, *nodes)
    for option in (
        *("--worker_num=32", "--local_worker_num=8", "--node_rank=3", "--master_addr=10.0.0.7"),
        f"--master_port={command.MULTI_NODE_PORT}",
    ):
        assert option in job.command()
    assert job.ranks == range(24, 32)
    assert job.logs.name.endswith("-node3")


def test_one_machine_may_be_spelled_out(settings: str) -> None:
    nodes = ("--nodes", "1", "--node-rank", "0", "--master", "10.0.0.7")
    job = _job("train", "2", settings, *nodes)
    assert job.nodes == 1 and "--master_addr=10.0.0.7" in job.command()


def test_a_folder_with_a_run_is_refused_before_workers_start(settings: str, tmp_path: Path) -> None:
    (tmp_path / "run").mkdir()
    (tmp_path / "run" / "last.safetensors").touch()
    with pytest.raises(FocusDetrError, match=r"run already holds a run; add --resume"):
        _job("train", "2", settings)
    assert "--resume" in _job("train", "2", settings, "--resume").script


def test_a_folder_where_another_process_trains_is_refused(settings: str, tmp_path: Path) -> None:
    (tmp_path / "run").mkdir()
    log = LineFile(tmp_path / "run" / "log.txt")
    for words in ((), ("--resume",)):
        with pytest.raises(FocusDetrError, match=r"session trains in .*run and writes log"):
            _job("train", "2", settings, *words)
    nodes = ("--nodes", "2", "--node-rank", "1", "--master", "10.0.0.7")
    assert _job("train", "2", settings, *nodes).ranks == range(2, 4)  # it may be machine 0's worker
    log.close()
    assert _job("train", "2", settings).ranks == range(2)


def test_evaluation(settings: str, tmp_path: Path) -> None:
    checkpoint = str(tmp_path / "best.safetensors")
    with pytest.raises(FocusDetrError, match=r"there is no checkpoint .*best\.safetensors"):
        _job("eval", "3", settings, checkpoint)
    Path(checkpoint).touch()
    with pytest.raises(SystemExit):
        _job("eval", "3", settings, checkpoint, "--batch-size", "four")
    words = ("data.workers=0", "--json", "metrics.json", "--batch-size", "4")
    job = _job("eval", "3", settings, checkpoint, *words)
    assert job.script[1:] == (
        *("--config", settings, "--device", "CPU", "--checkpoint", checkpoint),
        *("--batch-size", "4", "--json", "metrics.json", "data.workers=0"),
    )
    assert job.logs.parent == tmp_path / "logs"


@pytest.mark.parametrize(
    ("words", "sentence"),
    [
        (("0",), "N must be at least 1, got 0"),
        (("1", "--nodes", "0"), "--nodes must be at least 1"),
        (("1", "--nodes", "2"), "also needs --node-rank .* and --master"),
        (("1", "--nodes", "2", "--node-rank", "0"), "also needs"),
        (("1", "--nodes", "2", "--node-rank", "2", "--master", "a"), "must be 0 to 1"),
        (("1", "--node-rank", "1"), "are for several machines; say with --nodes how many"),
        (("1", "--node-rank", "0"), "are for several machines"),
        (("1", "--master", "10.0.0.7"), "are for several machines"),
        (("1", "--nodes", "2", "--node-rank", "-1", "--master", "a"), "must be 0 to 1"),
        (("1", "--port", "80"), "--port must be 1024"),
        (("1", "train.sed=1"), "train.sed"),
    ],
)
def test_words_that_contradict(settings: str, words: tuple[str, ...], sentence: str) -> None:
    with pytest.raises(FocusDetrError, match=sentence) as caught:
        _job("train", words[0], settings, *words[1:])
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    ("outer", "least"),
    [
        ({}, "1"),
        ({"GLOG_v": "3"}, "1"),
        ({"GLOG_v": "1"}, None),
        ({"GLOG_v": "3", "GLOG_minloglevel": "2"}, "2"),
    ],
)
def test_workers_write_notes_only_if_asked_to(
    outer: dict[str, str], least: str | None, tmp_path: Path
) -> None:
    job = Job(("train.py",), "CPU", 1, tmp_path, 9000)
    assert job.environment(outer).get("GLOG_minloglevel") == least


def test_cpu_workers_share_the_cores(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr("os.cpu_count", lambda: 8)
    job = Job(("train.py",), "CPU", 3, tmp_path, 9000)
    assert job.environment({"PATH": "/bin"})["OMP_NUM_THREADS"] == "2"
    assert job.environment({"OMP_NUM_THREADS": "5"})["OMP_NUM_THREADS"] == "5"
    assert job.environment({"PATH": "/bin"})["PATH"].endswith(":/bin")
    other = Job(("train.py",), "GPU", 3, tmp_path, 9000)
    assert "OMP_NUM_THREADS" not in other.environment({})
