"""Runs from settings: real data and files, a tiny network."""

from __future__ import annotations

import json
from collections.abc import Iterable
from dataclasses import dataclass, replace
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
from coco_files import annotation, write_coco
from tiny_training import TinyLoss, TinyModel

from focus_detr.config.loading import load_config
from focus_detr.config.schema import (
    Config,
    DataConfig,
    EvalConfig,
    OptimizerConfig,
    ScheduleConfig,
    TrainConfig,
)
from focus_detr.data.batch import Batch
from focus_detr.distributed.world import World
from focus_detr.errors import FocusDetrError
from focus_detr.evaluation.evaluator import Watch
from focus_detr.inference.postprocess import Suppression
from focus_detr.io.files import sha256_of
from focus_detr.models.detector import Detector
from focus_detr.training import session
from focus_detr.training.run_folder import RunFolder
from focus_detr.training.session import open_session
from focus_detr.weights.checkpoint import load_checkpoint, save_checkpoint

DATA = "training data"


@pytest.fixture(autouse=True)
def _tiny_network(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(
        session, "build_training_loss", lambda config, classes, **_: TinyLoss(TinyModel(0, classes))
    )


@pytest.fixture(scope="module")
def graphs(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Where the compiled graphs of all tests here are kept."""
    return tmp_path_factory.mktemp("graphs")


@pytest.fixture
def config(tmp_path: Path, graphs: Path) -> Config:
    annotations = [annotation(i, i, [10, 10, 30, 20]) for i in (1, 2, 3, 4)]
    path = write_coco(tmp_path, [(64, 64)] * 4, annotations)
    data = DataConfig(
        train_annotations=str(path),
        train_images=str(tmp_path),
        train_short_sides=(64,),
        train_max_side=64,
        crop=0.0,
        shape_buckets=((64, 64),),
        target_buckets=(2,),
        workers=0,
    )
    train = TrainConfig(
        output_dir=str(tmp_path / "run"),
        log_every=1,
        eval_every=0,
        compile_cache=str(graphs),
        optimizer=OptimizerConfig(lr=0.01),
        schedule=ScheduleConfig(epochs=1, milestones=()),
    )
    return Config(data=data, train=train)


@dataclass(frozen=True)
class _Agreeing(World):
    """The first of two workers; the other says the same."""

    size: int = 2

    def gather(self, payload: bytes) -> list[bytes]:
        return [payload, payload]


def _with_train(config: Config, **changes: object) -> Config:
    return replace(config, train=replace(config.train, **changes))


def _messages(folder: Path) -> list[str]:
    """Sentences of a run apart from those about its data."""
    return [text for text in _texts(folder) if not text.startswith(DATA)]


def _texts(folder: Path) -> list[str]:
    records = [json.loads(line) for line in (folder / "metrics.jsonl").read_text().splitlines()]
    return [record["text"] for record in records if record["kind"] == "message"]


def test_a_run_leaves_its_files_and_is_not_overwritten(config: Config, tmp_path: Path) -> None:
    open_session(config).run()
    folder = tmp_path / "run"
    checkpoint = load_checkpoint(folder / "last.safetensors")
    assert checkpoint.tensors["optimizer.step"] == 2
    assert checkpoint.metadata["class_names"] == ["cat", "dog"]
    assert checkpoint.metadata["category_ids"] == [3, 7]
    assert checkpoint.metadata["model"]["num_classes"] == 2
    stored = load_config(folder / "config.yaml")
    assert stored == replace(config, model=replace(config.model, num_classes=2))
    assert list((folder / "tensorboard").iterdir())
    assert "step 2/2" in (folder / "log.txt").read_text().splitlines()[-1]
    with pytest.raises(FocusDetrError, match=r"already holds a run.*--resume"):
        open_session(config)


def test_the_step_has_the_store_of_the_settings(
    config: Config, graphs: Path, tmp_path: Path
) -> None:
    step = open_session(config).parts.step
    assert step.graph_store is not None
    assert step.graph_store.folder.parent == graphs
    without = open_session(
        _with_train(config, compile_cache=None, output_dir=str(tmp_path / "plain"))
    )
    assert without.parts.step.graph_store is None


def test_the_data_are_summed_up_before_the_start(config: Config, tmp_path: Path) -> None:
    open_session(config)
    (text,) = (text for text in _texts(tmp_path / "run") if text.startswith(DATA))
    assert "4 images (0 without boxes), 4 boxes" in text
    assert "class cat: 4 boxes in 4 images" in text


def test_resuming_goes_on_where_the_run_was(config: Config, tmp_path: Path) -> None:
    open_session(config, resume=True).run()
    longer = _with_train(config, schedule=ScheduleConfig(epochs=2, milestones=()))
    resumed = open_session(longer, resume=True)
    assert resumed.state.step == 2
    assert resumed.run().step == 4
    first, second = _messages(tmp_path / "run")
    assert first.startswith("nothing to resume in")
    assert second.endswith("after step 2")


def test_another_number_of_workers_goes_on_with_as_many_images_in_a_step(
    config: Config, monkeypatch: pytest.MonkeyPatch
) -> None:
    open_session(config).run()
    monkeypatch.setattr(session, "join_world", _Agreeing)
    monkeypatch.setattr(session, "GradientMean", lambda workers: None)
    longer = _with_train(config, schedule=ScheduleConfig(epochs=2, milestones=()))
    resumed = open_session(_with_train(longer, batch_size=1), resume=True)
    assert (resumed.state.step, resumed.total_steps) == (2, 4)
    resumed.parts.log.close()  # frees the folder
    sentence = r"batches_per_epoch 2, but .* 2 workers now give 1.* workers x train.batch_size"
    with pytest.raises(FocusDetrError, match=sentence):
        open_session(longer, resume=True)


def _record(folder: Path) -> list[dict[str, Any]]:
    return json.loads((folder / "run.json").read_text())


def test_training_without_a_box_is_refused(config: Config, tmp_path: Path) -> None:
    write_coco(tmp_path, [(64, 64)] * 4, [])
    sentence = r"there is nothing to learn: .*\.json has 4 images and no usable box$"
    with pytest.raises(FocusDetrError, match=sentence):
        open_session(config)


def test_each_start_is_recorded_with_the_weights_it_began_from(
    config: Config, tmp_path: Path
) -> None:
    folder, source = tmp_path / "run", tmp_path / "source.safetensors"
    weights = {name: p.asnumpy() for name, p in TinyModel(1, 2).parameters_and_names()}
    save_checkpoint(source, weights, {})
    started = _with_train(config, init_checkpoint=str(source))
    open_session(started).run()
    last = sha256_of(folder / "last.safetensors")
    longer = _with_train(started, schedule=ScheduleConfig(epochs=2, milestones=()))
    open_session(longer, resume=True)
    first, second = _record(folder)
    assert first["files"] == [{"path": str(source), "sha256": sha256_of(source)}]
    assert second["files"] == [{"path": str(folder / "last.safetensors"), "sha256": last}]
    assert [entry["step"] for entry in (first, second)] == [0, 2]
    assert second["settings"]["train"]["schedule"]["epochs"] == 2


def test_a_refused_resumption_leaves_record_and_settings(config: Config, tmp_path: Path) -> None:
    open_session(config).run()
    with pytest.raises(FocusDetrError, match="seed 0"):
        open_session(_with_train(config, seed=1), resume=True)
    assert len(_record(tmp_path / "run")) == 1
    assert load_config(tmp_path / "run" / "config.yaml").train.seed == 0


def _contents(folder: Path) -> dict[Path, bytes]:
    return {path: path.read_bytes() for path in folder.rglob("*") if path.is_file()}


def test_a_refused_resumption_says_and_writes_nothing_else(
    config: Config, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    open_session(config).run()
    before = _contents(tmp_path / "run")
    capsys.readouterr()
    for change in ({"seed": 1}, {"batch_size": 4}):
        with pytest.raises(FocusDetrError, match="was trained with") as caught:
            open_session(_with_train(config, **change), resume=True)
        assert ("workers" in str(caught.value)) == ("batch_size" in change)
        assert capsys.readouterr().out == ""
        assert _contents(tmp_path / "run") == before


def test_one_session_at_a_time_writes_a_folder(
    config: Config, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    first = open_session(config)
    before = _contents(tmp_path / "run")
    refused = pytest.raises(
        FocusDetrError, match=r"process or session trains in .*run and writes log"
    )
    for resume in (False, True):
        with refused:
            open_session(config, resume=resume)
    monkeypatch.setattr(RunFolder, "refuse_second_run", lambda _: None)  # looked at once
    with refused:
        open_session(config)
    assert _contents(tmp_path / "run") == before
    first.parts.log.close()
    open_session(config)


@pytest.mark.parametrize("failing", ["JsonLinesSink", "TensorBoardSink", "_record", "summarise"])
def test_a_session_that_cannot_be_opened_frees_its_folder(
    config: Config, monkeypatch: pytest.MonkeyPatch, failing: str
) -> None:
    def _fail(*_: object, **__: object) -> None:
        raise FocusDetrError("no space left")

    with monkeypatch.context() as patch, pytest.raises(FocusDetrError, match="no space") as caught:
        patch.setattr(session, failing, _fail)
        open_session(config)
    open_session(config).parts.log.close()
    assert caught.tb is not None  # which holds on to all that was made, as in a notebook


def test_a_finished_run_is_no_start(config: Config, tmp_path: Path) -> None:
    open_session(config).run()
    folder = tmp_path / "run"
    recorded = [(folder / name).read_bytes() for name in ("run.json", "config.yaml")]
    finished = open_session(_with_train(config, log_every=7), resume=True)
    assert finished.run().step == 2
    assert recorded == [(folder / name).read_bytes() for name in ("run.json", "config.yaml")]
    assert _messages(folder)[-1].endswith("is of a finished training (2 steps): nothing to do")


def test_fine_tuning_names_the_new_heads(config: Config, tmp_path: Path) -> None:
    source = tmp_path / "source.safetensors"
    weights = {name: p.asnumpy() for name, p in TinyModel(1, 9).parameters_and_names()}
    save_checkpoint(source, weights, {})
    trainer = open_session(_with_train(config, init_checkpoint=str(source)))
    np.testing.assert_array_equal(
        trainer.parts.model.backbone.kernel.asnumpy(), weights["backbone.kernel"]
    )
    assert _messages(tmp_path / "run") == [
        f"starting from {source}; another class count, hence new: class_heads.weight, label_embed"
    ]


def test_evaluation_needs_validation_data(config: Config) -> None:
    with pytest.raises(FocusDetrError, match=r"data\.val_annotations"):
        open_session(_with_train(config, eval_every=1))


def test_a_set_in_two_parts_is_read_once_and_told_of_once(
    config: Config, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    validated: list[object] = []

    def evaluator(batches: Iterable[Batch], *_: object, **__: object) -> SimpleNamespace:
        validated.extend(image for batch in batches for image in batch.image_ids if image)
        return SimpleNamespace(run=lambda progress: SimpleNamespace(metrics={"AP": 0.0}))

    monkeypatch.setattr(session, "Evaluator", evaluator)
    source = Path(config.data.train_annotations or "")
    content = json.loads(source.read_text())
    content["images"].append(content["images"][0])
    source.write_text(json.dumps(content))
    (listed := source.parent / "val.txt").write_text("2\n")
    data = replace(config.data, val_list=str(listed), test_short_side=64, test_max_side=64)
    parts = open_session(_with_train(replace(config, data=data), eval_every=1)).parts
    assert parts.evaluate is not None
    parts.evaluate()
    assert validated == [2]
    assert caplog.text.count("1 image listed again word for word") == 1


def test_evaluation_knows_how_many_batches_follow(
    config: Config, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    totals = []

    def evaluator(*arguments: object, **_: object) -> SimpleNamespace:
        totals.append(arguments[4])
        return SimpleNamespace(run=lambda progress: SimpleNamespace(metrics={"AP": 0.0}))

    monkeypatch.setattr(session, "Evaluator", evaluator)
    data = replace(
        config.data, val_annotations=config.data.train_annotations, val_images=str(tmp_path)
    )
    checked = replace(config, data=data, eval=EvalConfig(batch_size=3))
    open_session(_with_train(checked, eval_every=1)).run()
    assert totals == [2]  # 4 images


def test_evaluation_compares_and_keeps_as_many_detections_as_the_settings_say(
    config: Config, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    used: list[object] = []

    def evaluator(
        batches: object, detector: Detector, *_: object, suppression: Suppression, **__: object
    ) -> SimpleNamespace:
        used.extend((detector.max_detections, suppression))
        return SimpleNamespace(run=lambda progress: SimpleNamespace(metrics={"AP": 0.0}))

    monkeypatch.setattr(session, "Evaluator", evaluator)
    data = replace(
        config.data, val_annotations=config.data.train_annotations, val_images=str(tmp_path)
    )
    model = replace(config.model, max_detections=7, overlap_limit=0.8, overlap_candidates=9)
    changed = replace(config, data=data, model=model)
    parts = open_session(_with_train(changed, eval_every=1)).parts
    assert parts.evaluate is not None
    parts.evaluate()
    assert used == [9, Suppression(0.8, 7)]


class _Watched:
    """An evaluator that finds nothing in an image, and shows it."""

    def __init__(self, *_: object, watch: Watch, **__: object) -> None:
        self.watch = watch

    def run(self, progress: bool) -> SimpleNamespace:
        image, size = np.zeros((1, 3, 64, 64), np.float32), np.array([[64, 64]], np.int32)
        targets = np.zeros((1, 1, 4)), np.zeros((1, 1)), np.zeros((1, 1))
        found = np.full((1, 1), -1.0), np.zeros((1, 1), int), np.zeros((1, 1, 4))
        kept = np.zeros((1, 1), int), np.ones((1, 1), int)
        self.watch(Batch(image, size, *targets, (9,), size), (*found, *kept))
        return SimpleNamespace(metrics={"AP": 0.0})


@pytest.mark.parametrize(("rank", "count", "drawn"), [(0, 1, 2), (0, 0, 0), (1, 1, 0)])
def test_the_first_worker_draws_as_many_pictures_as_are_wanted(
    config: Config,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    rank: int,
    count: int,
    drawn: int,
) -> None:
    monkeypatch.setattr(session, "Evaluator", _Watched)
    monkeypatch.setattr(session, "GradientMean", lambda workers: None)
    monkeypatch.setattr(session, "join_world", lambda: _Agreeing(rank))
    monkeypatch.setattr(_Agreeing, "from_first", lambda self, payload: payload)
    data = replace(
        config.data, val_annotations=config.data.train_annotations, val_images=str(tmp_path)
    )
    parts = open_session(
        _with_train(replace(config, data=data), eval_every=1, pictures=count)
    ).parts
    assert parts.evaluate is not None
    parts.evaluate()
    assert len(parts.pictures()) == drawn
