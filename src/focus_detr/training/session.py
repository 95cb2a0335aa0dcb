"""Puts a training run together from the settings."""

from __future__ import annotations

import json
import sys
from collections.abc import Callable, Mapping
from contextlib import ExitStack
from dataclasses import replace
from pathlib import Path

from mindspore import nn

from focus_detr.config.loading import dump_yaml, to_dict
from focus_detr.config.schema import Config
from focus_detr.data.annotations import Annotations
from focus_detr.data.build import build_eval_loader, build_train_loader, divided_annotations
from focus_detr.data.classes import ClassMap
from focus_detr.data.dataset import DetectionDataset
from focus_detr.data.loader import DataLoader
from focus_detr.data.seen_pictures import warn_of_seen
from focus_detr.data.summary import summarise
from focus_detr.distributed.reducers import GradientMean
from focus_detr.distributed.world import World, join_world
from focus_detr.errors import FocusDetrError
from focus_detr.evaluation.evaluator import Evaluator
from focus_detr.evaluation.gallery import Gallery
from focus_detr.graph_cache.opening import open_graphs
from focus_detr.graph_cache.store import GraphStore
from focus_detr.inference.postprocess import Suppression
from focus_detr.io.files import write_whole, writing
from focus_detr.losses.factory import build_training_loss
from focus_detr.models.factory import detector_of
from focus_detr.training.accumulation import AccumulatedStep, build_step, grouped, grouped_inputs
from focus_detr.training.fine_tune import initialise_from, load_backbone
from focus_detr.training.inputs import step_inputs
from focus_detr.training.metrics_file import JsonLinesSink
from focus_detr.training.run_folder import RunFolder
from focus_detr.training.run_log import RunLog
from focus_detr.training.run_record import record_start
from focus_detr.training.state import TrainingState, fingerprint, load_state, with_record
from focus_detr.training.tensorboard import TensorBoardSink
from focus_detr.training.text_sinks import ConsoleSink, LogFileSink
from focus_detr.training.train_step import TrainStep
from focus_detr.training.trainer import Trainer, TrainerParts
from focus_detr.training.update import Update, build_update
from focus_detr.weights.stored_settings import stored_test_size
from focus_detr.wording import counted


def open_session(config: Config, *, resume: bool = False, progress: bool | None = None) -> Trainer:
    """Build model, data and outputs, and restore the state of an earlier part of the run.

    If a launcher started this process, it becomes one of the workers of the run. The run's
    folder is taken until ``trainer.parts.log.close()``, which ``trainer.run()`` does not call.

    Args:
        config: all settings.
        resume: go on from the output folder's state, if there is one.
        progress: whether to draw progress bars; None: only on a terminal.

    Raises:
        FocusDetrError: bad data or settings, or the output folder holds a run and ``resume`` is
            false, or another process or session trains there, or the workers do not start from the
            same state.
    """
    world = join_world()
    folder = RunFolder(Path(config.train.output_dir))
    if world.first:
        folder.refuse_second_run()
    folder.refuse_overwriting(resume)
    progress = sys.stdout.isatty() if progress is None else progress
    loader, taken = _training_data(config, world)
    num_classes = config.model.num_classes or len(loader.dataset.classes)
    config = replace(config, model=replace(config.model, num_classes=num_classes))
    trainer, note = _assemble(config, num_classes, loader, taken, folder, world, resume, progress)
    log = trainer.parts.log
    with ExitStack() as on_error:
        on_error.callback(log.close)
        if world.first:
            _open_outputs(config, trainer, progress)
        log.message(summarise(loader.dataset, "training data"))
        log.message(note)
        on_error.pop_all()
    return trainer


def _assemble(
    config: Config,
    num_classes: int,
    loader: DataLoader,
    taken: Annotations | None,
    folder: RunFolder,
    world: World,
    resume: bool,
    progress: bool,
) -> tuple[Trainer, str]:
    """A trainer that has written and said nothing yet, and a sentence about its state."""
    batches = grouped(loader, config.train.accumulate)
    classes = loader.dataset.classes
    loss = build_training_loss(config, num_classes, world=world)
    graphs = open_graphs(config.train.compile_cache, config, world)
    gallery = Gallery(config.train.pictures if world.first else 0, classes.names, config.model)
    evaluate = _evaluation(
        config, loss.model, loader.dataset, taken, progress, world, gallery, graphs
    )
    update = build_update(loss.model, config.train)
    description = describe(config, classes)
    if resume and folder.last.exists():
        state = with_record(load_state(folder.last, loss.model, update, description), folder.best)
        note = _going_on(config, folder, state)
    else:
        state = TrainingState(config.train.seed, len(batches))
        note = _begin(config, loss.model, classes)
        note = f"nothing to resume in {folder.path}; {note}" if resume else note
    _require_one_start(world, state, loss.model, folder)
    inputs = step_inputs(config, num_classes, world, branches=loss.branches)
    parts = TrainerParts(
        model=loss.model,
        step=_step(config, loss, update, world, graphs),
        loss_names=loss.loss_names,
        loader=batches,
        inputs=grouped_inputs(inputs, config.train.accumulate, shared=world.size > 1),
        evaluate=evaluate,
        log=RunLog((), config.train.log_every),
        folder=folder,
        description=description,
        world=world,
        pictures=gallery.take,
    )
    return Trainer(config.train, parts, state), note


def _step(
    config: Config, loss: nn.Cell, update: Update, world: World, graphs: GraphStore | None
) -> TrainStep | AccumulatedStep:
    gradient_mean = GradientMean(world.size) if world.size > 1 else None
    step = build_step(loss, update, config.train.accumulate, gradient_mean)
    step.keep_graphs(graphs)
    return step


def describe(config: Config, classes: ClassMap) -> dict[str, object]:
    """What a checkpoint says about its model: classes, network settings and test size."""
    return {
        "class_names": list(classes.names),
        "category_ids": list(classes.category_ids),
        "model": to_dict(config)["model"],
        "data": stored_test_size(config.data),
    }


def _training_data(config: Config, world: World) -> tuple[DataLoader, Annotations | None]:
    """The training images, and those that validation takes from the same set."""
    chosen, taken = divided_annotations(config.data)
    loader = build_train_loader(
        config,
        seed=config.train.seed,
        rank=world.rank,
        world_size=world.size,
        annotations=chosen,
    )
    if lack := loader.dataset.lack_of_boxes():
        raise FocusDetrError(f"there is nothing to learn: {lack}")
    return loader, taken


def _going_on(config: Config, folder: RunFolder, state: TrainingState) -> str:
    """A sentence about a state that was loaded."""
    if state.epoch >= config.train.schedule.epochs:
        steps = counted(state.step, "step")
        return f"{folder.last} is of a finished training ({steps}): nothing to do"
    return f"resuming {folder.last} after step {state.step}"


def _begin(config: Config, model: nn.Cell, classes: ClassMap) -> str:
    """Fill a fresh model; returns a sentence about it."""
    source, backbone = config.train.init_checkpoint, config.model.backbone.weights
    if source is None:
        if backbone is None:
            frozen = any(not weight.requires_grad for weight in model.backbone.get_parameters())
            also = ", also in the backbone's frozen parts" if frozen else ""
            return f"starting from freshly drawn weights{also}"
        load_backbone(backbone, model, config.model)
        return f"starting from freshly drawn weights, the backbone's from {backbone}"
    fresh = initialise_from(source, model, config.model, classes.names)
    if not fresh:
        return f"starting from {source}"
    return f"starting from {source}; another class count, hence new: {', '.join(fresh)}"


def _require_one_start(
    world: World, state: TrainingState, model: nn.Cell, folder: RunFolder
) -> None:
    if world.size > 1:
        world.require_equal(
            (state, fingerprint(model)),
            f"the workers do not start from the same weights and step: {folder.path}, and every "
            "file that the settings name, must be the same for all machines",
        )


def _open_outputs(config: Config, trainer: Trainer, progress: bool) -> None:
    """Open the log, which keeps other sessions out, and write down how the run starts."""
    folder, state, log = trainer.parts.folder, trainer.state, trainer.parts.log
    with writing(folder.path):
        folder.path.mkdir(parents=True, exist_ok=True)
    log.add(ConsoleSink(progress=progress))
    log.add(LogFileSink(folder.log))
    log.add(JsonLinesSink(folder.path / "metrics.jsonl"))
    log.add(TensorBoardSink(folder.path / "tensorboard", state.step))
    if not trainer.finished:
        _record(config, folder, state, trainer.parts.world)


def _record(config: Config, folder: RunFolder, state: TrainingState, world: World) -> None:
    """Write down how the run starts; it has not saved anything yet."""
    write_whole(folder.config, dump_yaml(config).encode())
    fresh = (config.train.init_checkpoint or config.model.backbone.weights,)
    sources = (folder.last,) if folder.last.exists() else fresh
    files = [Path(source) for source in sources if source is not None]
    record_start(folder.record, config, step=state.step, workers=world.size, files=files)


def _evaluation(
    config: Config,
    model: nn.Cell,
    trained: DetectionDataset,
    taken: Annotations | None,
    progress: bool,
    world: World,
    gallery: Gallery,
    graphs: GraphStore | None,
) -> Callable[[], Mapping[str, float]] | None:
    if config.train.eval_every == 0:
        return None
    classes = trained.classes
    loader = build_eval_loader(
        config,
        batch_size=config.eval.batch_size,
        classes=classes,
        rank=world.rank,
        world_size=world.size,
        annotations=taken,
    )
    if world.first:
        warn_of_seen(trained, loader.dataset)
    detector = detector_of(model, config.model)
    detector.keep_graphs(graphs)

    def _evaluate() -> Mapping[str, float]:
        detector.set_train(False)  # a bucket seen for the first time compiles as it stands now
        evaluator = Evaluator(
            loader.epoch(0),
            detector,
            classes.category_ids,
            loader.dataset.annotations,
            len(loader),
            suppression=Suppression(config.model.overlap_limit, config.model.max_detections),
            world=world,
            watch=gallery.watch,
            max_detections=config.eval.max_detections,
        )
        result = evaluator.run(progress=progress and world.first)
        metrics = None if result is None else result.metrics
        return json.loads(world.from_first(json.dumps(metrics).encode()))

    return _evaluate
