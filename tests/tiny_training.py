"""A training set-up that compiles in a second: three weights, made-up batches."""

from __future__ import annotations

from collections.abc import Callable, Generator, Mapping
from dataclasses import dataclass, field
from hashlib import sha256
from pathlib import Path
from typing import ClassVar, Literal

import numpy as np
from mindspore import Parameter, Tensor, nn, ops

from focus_detr.config.schema import (
    OptimizerConfig,
    ParameterGroup,
    ScheduleConfig,
    TrainConfig,
)
from focus_detr.data.batch import Batch
from focus_detr.distributed.world import SINGLE, World
from focus_detr.graph_cache.store import GraphStore
from focus_detr.training.accumulation import build_step, grouped, grouped_inputs
from focus_detr.training.inputs import StepInputs
from focus_detr.training.run_folder import RunFolder
from focus_detr.training.run_log import RunLog, Sink
from focus_detr.training.state import TrainingState, load_state
from focus_detr.training.trainer import Trainer, TrainerParts
from focus_detr.training.update import build_update

DESCRIPTION = {"class_names": ["cat", "dog"], "category_ids": [1, 2], "model": {"width": 8}}
BATCHES = 3


class _Weights(nn.Cell):
    """One parameter; the attribute that holds it gives it its first name."""

    def __init__(self, name: str, values: np.ndarray) -> None:
        """Hold the values."""
        super().__init__()
        self.insert_param_to_cell(name, Parameter(Tensor(values.astype(np.float32)), name=name))


class TinyModel(nn.Cell):
    """Weights named as in the detector: a backbone, a norm, a class head."""

    def __init__(self, seed: int = 0, classes: int = 2) -> None:
        """Draw the weights."""
        super().__init__()
        rng = np.random.default_rng(seed)
        self.backbone = _Weights("kernel", rng.normal(size=3))
        self.norm = _Weights("gamma", rng.normal(size=3))
        self.class_heads = _Weights("weight", rng.normal(size=(classes, 3)))
        values = rng.normal(size=(classes, 4)).astype(np.float32)
        self.label_embed = Parameter(Tensor(values), name="label_embed")

    def construct(self, images: Tensor) -> Tensor:
        """Logits [B, classes]."""
        feature = images.mean((2, 3)) * self.backbone.kernel * self.norm.gamma  # [B, 3]
        return ops.matmul(feature, self.class_heads.weight.T)  # [B, classes]


class TinyLoss(nn.Cell):
    """Two parts, one of which depends on the noise."""

    loss_names = ("loss_class", "loss_bbox")
    branches = 0

    def __init__(self, model: TinyModel) -> None:
        """Wrap the model."""
        super().__init__(auto_prefix=False)
        self.model = model

    def construct(self, *batch: Tensor) -> tuple[Tensor, Tensor]:
        """Total and parts."""
        return self.losses(None, *batch)

    def losses(
        self,
        box_count: Tensor | None,
        images: Tensor,
        image_sizes: Tensor,
        boxes: Tensor,
        labels: Tensor,
        box_valid: Tensor,
        dn_uniform: Tensor,
        dn_label: Tensor,
        dn_sign: Tensor,
        dn_part: Tensor,
    ) -> tuple[Tensor, Tensor]:
        """Total and parts; the second part is divided by the box count."""
        classification = ops.square(self.model(images) - 1.0).mean()
        noise = (dn_sign * dn_part).mean() + dn_uniform.mean()
        count = box_valid.sum() if box_count is None else box_count
        regression = ops.square(self.model.label_embed.sum() - noise) / count
        parts = ops.stack((classification, regression))
        return parts.sum(), parts


@dataclass
class TinyLoader:
    """Batches that depend on seed, epoch and place alone."""

    seed: int = 0
    poison: tuple[int, int] | None = None  # (epoch, batch) whose images are NaN
    before: Callable[[int, int], None] = lambda epoch, batch: None  # called ahead of each batch
    closed: int = 0
    images: int = 2  # in a batch
    batches: int = BATCHES
    outlier: int | None = None  # batch whose images are much too bright

    def __len__(self) -> int:
        """Batches per epoch."""
        return self.batches

    def epoch(self, epoch: int, start: int = 0) -> Generator[Batch, None, None]:
        """The batches from ``start`` on."""
        try:
            for index in range(start, self.batches):
                self.before(epoch, index)
                yield self._batch(epoch, index)
        finally:
            self.closed += 1

    def _batch(self, epoch: int, index: int) -> Batch:
        rng = np.random.default_rng((self.seed, epoch, index))
        count = self.images
        images = rng.normal(size=(count, 3, 4, 4)).astype(np.float32)
        if (epoch, index) == self.poison:
            images[0] = np.nan
        if index == self.outlier:
            images += 1000.0
        sizes = np.full((count, 2), 4, np.int32)
        return Batch(
            images=images,
            image_sizes=sizes,
            boxes=np.full((count, 1, 4), 0.5, np.float32),
            labels=np.zeros((count, 1), np.int32),
            box_valid=np.ones((count, 1), np.float32),
            image_ids=tuple(100 * epoch + count * index + image for image in range(count)),
            original_sizes=sizes,
        )


@dataclass
class TinyRun:
    """What tests set and look at."""

    graphs: ClassVar[Path | None] = None  # folder in which runs of equal settings share theirs

    folder: Path
    epochs: int = 2
    checkpoint_every: int = 0
    eval_every: int = 1
    loader: TinyLoader = field(default_factory=TinyLoader)
    evaluate: Callable[[], Mapping[str, float]] | None = None
    pictures: Callable[[], Mapping[str, np.ndarray]] = dict
    sinks: tuple[Sink, ...] = ()
    model_seed: int = 0
    world: World = SINGLE
    accumulate: int = 1
    keep_checkpoints: int = 0
    precision: Literal["fp32", "fp16", "bf16"] = "fp32"
    ema_decay: float = 0.0
    groups: tuple[ParameterGroup, ...] = ()
    freeze: tuple[str, ...] = ()

    def trainer(self, state: TrainingState | None = None) -> Trainer:
        """A trainer at ``state``, or at the start."""
        config = TrainConfig(
            output_dir=str(self.folder),
            checkpoint_every=self.checkpoint_every,
            eval_every=self.eval_every,
            accumulate=self.accumulate,
            keep_checkpoints=self.keep_checkpoints,
            precision=self.precision,
            optimizer=self._optimizer(),
            schedule=ScheduleConfig(epochs=self.epochs, milestones=(1,)),
        )
        loss = TinyLoss(TinyModel(self.model_seed))
        step = build_step(loss, build_update(loss.model, config), self.accumulate)
        step.keep_graphs(self._graph_store())
        parts = TrainerParts(
            model=loss.model,
            step=step,
            loss_names=loss.loss_names,
            loader=grouped(self.loader, self.accumulate),
            inputs=grouped_inputs(StepInputs(0, 1, 2), self.accumulate),
            evaluate=self.evaluate,
            log=RunLog(self.sinks, 1),
            folder=RunFolder(self.folder),
            description=DESCRIPTION,
            world=self.world,
            pictures=self.pictures,
        )
        return Trainer(config, parts, state or TrainingState(0, len(parts.loader)))

    def resumed(self) -> Trainer:
        """A trainer as after ``--resume``: whatever the weights were, they are the saved ones."""
        trainer = self.trainer()
        parts = trainer.parts
        state = load_state(parts.folder.last, parts.model, parts.step.update, DESCRIPTION)
        return Trainer(trainer.config, parts, state)

    def _graph_store(self) -> GraphStore | None:
        if self.graphs is None:
            return None
        settings = repr((self._optimizer(), self.accumulate, self.precision))
        return GraphStore(self.graphs, sha256(settings.encode()).hexdigest()[:16], keep=99)

    def _optimizer(self) -> OptimizerConfig:
        return OptimizerConfig(
            lr=0.01,
            clip_norm=10.0,
            ema_decay=self.ema_decay,
            groups=self.groups,
            freeze=self.freeze,
        )
