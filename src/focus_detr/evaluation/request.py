"""What ``eval.py`` measures: a checkpoint on the data of the settings, or saved detections."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from focus_detr.config.loading import load_config
from focus_detr.errors import FocusDetrError
from focus_detr.evaluation.coco_metrics import CocoResult, evaluate_detections
from focus_detr.evaluation.results_io import read_results
from focus_detr.runtime import prepare_runtime


@dataclass(frozen=True)
class EvaluationRequest:
    """Files and options, as the command line names them; None where nothing was said."""

    config: str | None = None  # settings
    checkpoint: str | None = None
    batch_size: int | None = None  # None: that of the settings
    results_out: str | None = None  # gets the detections
    overrides: Sequence[str] = ()  # key=value, of the settings
    results: str | None = None  # saved detections
    annotations: str | None = None  # what they are compared with
    device: str | None = None  # None: the best that is here

    def __post_init__(self) -> None:
        """Refuse what does not go together.

        Raises:
            FocusDetrError: options of both kinds are given, or those of neither are complete.
        """
        of_network = {
            "--config": self.config,
            "--checkpoint": self.checkpoint,
            "--batch-size": self.batch_size,
            "--results-out": self.results_out,
            "key=value": self.overrides or None,
        }
        given = [option for option, value in of_network.items() if value is not None]
        if given and (self.results is not None or self.annotations is not None):
            raise FocusDetrError(
                f"{', '.join(given)} cannot be combined with --results and --annotations: saved "
                "detections are compared without a network"
            )
        complete = (self.results and self.annotations) or (self.config and self.checkpoint)
        if not complete:
            raise FocusDetrError("give --config and --checkpoint, or --results and --annotations")

    def measure(self, progress: bool = False) -> CocoResult | None:
        """Do what is asked for.

        Args:
            progress: whether to draw a bar.

        Returns:
            The metrics; None for workers that do not report.

        Raises:
            FocusDetrError: bad settings, weights, data or detections, or no such device.
        """
        if self.results and self.annotations:
            found = read_results(self.results)
            return evaluate_detections(self.annotations, found, self.results)
        config = load_config(self.config, self.overrides)
        prepare_runtime(self.device)
        # here, since saved detections are compared without MindSpore
        from focus_detr.evaluation.session import open_evaluation

        batch_size = config.eval.batch_size if self.batch_size is None else self.batch_size
        evaluator = open_evaluation(config, self.checkpoint or "", batch_size)
        return evaluator.run(progress, self.results_out)
