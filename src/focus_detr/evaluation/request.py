"""What ``eval.py`` measures: a detector on the data of the settings, or saved detections."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from focus_detr.config.loading import load_config
from focus_detr.config.schema import Config
from focus_detr.data.many_objects import COMPARED
from focus_detr.deploy.engine_options import USUAL, EngineOptions
from focus_detr.deploy.opening import refuse_mistaken
from focus_detr.errors import FocusDetrError
from focus_detr.evaluation.coco_metrics import CocoResult, evaluate_detections
from focus_detr.evaluation.results_io import read_results
from focus_detr.io.user_paths import PathText
from focus_detr.process.runtime import prepare_runtime

if TYPE_CHECKING:
    from focus_detr.evaluation.evaluator import Evaluator


@dataclass(frozen=True)
class EvaluationRequest:
    """Files and options, as the command line names them; None where nothing was said."""

    config: str | None = None  # settings
    checkpoint: str | None = None
    batch_size: int | None = None  # None: that of the settings
    results_out: str | None = None  # gets the detections
    overrides: Sequence[str] = ()  # key=value, of the settings; of both kinds, as is config
    results: str | None = None  # saved detections
    annotations: str | None = None  # what they are compared with
    device: str | None = None  # None: the best that is here
    model: str | None = None  # an exported file, or the folder of several
    options: EngineOptions = USUAL  # of what runs it; graphs of a checkpoint, too

    def __post_init__(self) -> None:
        """Refuse what does not go together.

        Raises:
            FocusDetrError: options of both kinds are given, or those of neither are complete.
        """
        of_network = {
            "--config": self.config,
            "--checkpoint": self.checkpoint,
            "--model": self.model,
            "--engine, --precision or --graphs": None if self.options == USUAL else True,
            "--batch-size": self.batch_size,
            "--results-out": self.results_out,
            "key=value": self.overrides or None,
        }
        given = [option for option, value in of_network.items() if value is not None]
        saved = self.results is not None or self.annotations is not None
        if saved and not {*given} <= self._of_both:
            raise FocusDetrError(
                f"{', '.join(given)} cannot be combined with --results and --annotations: saved "
                f"detections are compared without a network, and of the settings only {COMPARED} "
                "counts"
            )
        network = self.checkpoint or self.model
        complete = (self.results and self.annotations) or (self.config and network)
        if not complete or (self.checkpoint and self.model):
            raise FocusDetrError(
                "give --config and either --checkpoint or --model, or --results and --annotations"
            )
        refuse_mistaken(self.checkpoint, self.model)
        if self.model is None:
            self.options.refuse_for_checkpoint()

    @property
    def _of_both(self) -> set[str]:
        """Options that also say how saved detections are compared."""
        fit = all(item.partition("=")[0].strip() == COMPARED for item in self.overrides)
        return {"--config", "key=value"} if fit else {"--config"}

    def measure(self, progress: bool = False) -> CocoResult | None:
        """Do what is asked for.

        Args:
            progress: whether to draw a bar.

        Returns:
            The metrics; None for workers that do not report.

        Raises:
            FocusDetrError: bad settings, weights, data or detections, or no such device.
        """
        config = load_config(self.config, self.overrides)
        if self.results and self.annotations:
            found, limit = read_results(self.results), config.eval.max_detections
            return evaluate_detections(self.annotations, found, self.results, limit)
        evaluator = self._of_model(config) if self.model else self._of_checkpoint(config)
        return evaluator.run(progress, self.results_out)

    # imported in these, since saved detections are compared without MindSpore

    def _of_model(self, config: Config) -> Evaluator:
        from focus_detr.deploy.runner import ExportedPredictor

        predictor = ExportedPredictor.from_path(self.model or "", self.device, self.options)
        predictor.load_first()
        prepare_runtime(None if predictor.sidecar.graph.engine == "onnx" else self.device)
        from focus_detr.evaluation.exported import open_exported_evaluation

        return open_exported_evaluation(config, predictor, self.batch_size)

    def _of_checkpoint(self, config: Config) -> Evaluator:
        prepare_runtime(self.device)
        from focus_detr.evaluation.session import open_evaluation

        batch_size = config.eval.batch_size if self.batch_size is None else self.batch_size
        if graphs := self.options.graphs:
            config = replace(config, train=replace(config.train, compile_cache=PathText(graphs)))
        precision = self.options.precision
        return open_evaluation(config, self.checkpoint or "", batch_size, precision)
