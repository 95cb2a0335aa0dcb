"""What detects: a checkpoint, or a file that ``export.py`` wrote."""

from __future__ import annotations

from dataclasses import dataclass

from focus_detr.deploy.engine_options import USUAL, EngineOptions
from focus_detr.deploy.sidecar import SUFFIXES
from focus_detr.errors import FocusDetrError
from focus_detr.inference.session import PicturePredictor
from focus_detr.process.runtime import prepare_runtime

USUAL_THRESHOLD = 0.3
CHECKPOINT_SUFFIX = ".safetensors"


@dataclass(frozen=True)
class Source:
    """What to load; either checkpoint or model."""

    checkpoint: str | None
    model: str | None  # an exported file, or the folder of several
    short_side: int | None = None  # pixels; None: as trained
    max_side: int | None = None
    tokens: bool = False  # whether the kept tokens are wanted
    looks: bool = False  # and what else the network looked at, which only a checkpoint tells
    device: str | None = None  # None: the best that is here
    options: EngineOptions = USUAL  # what else is asked of what runs it

    def __post_init__(self) -> None:
        """Refuse what does not go together.

        Raises:
            FocusDetrError: a side is not positive, the short one exceeds the longest, a checkpoint
                and an exported model are mistaken for each other, or the latter cannot follow an
                option.
        """
        short, longest = self.short_side, self.max_side
        for option, side in (("--short-side", short), ("--max-side", longest)):
            if side is not None and side < 1:
                raise FocusDetrError(f"{option} {side} must be positive")
        if short is not None and longest is not None and short > longest:
            raise FocusDetrError(f"--short-side {short} must be at most --max-side {longest}")
        refuse_mistaken(self.checkpoint, self.model)
        if self.model is not None and (short or longest):
            raise FocusDetrError(
                "the sizes of an exported model are fixed: leave --short-side and --max-side out, "
                "or export with other ones"
            )
        if self.model is None:
            self.options.refuse_for_checkpoint()

    def open(self) -> tuple[PicturePredictor, float]:
        """Load it.

        Returns:
            What detects, and the score that it usually shows from.

        Raises:
            FocusDetrError: it cannot be loaded, does not tell the tokens that are wanted, or there
                is no such device.
        """
        # imported here, so that bad arguments and Ctrl-C do not wait for MindSpore, and so that
        # exported models need nothing of the network
        if self.model is not None:
            from focus_detr.deploy.runner import ExportedPredictor

            exported = ExportedPredictor.from_path(self.model, self.device, self.options)
            if self.tokens and not exported.tells_tokens:
                raise FocusDetrError(
                    f"{self.model} does not tell which tokens it kept: use --checkpoint, or export "
                    "again with --tokens"
                )
            exported.load_first()
            return exported, exported.sidecar.score_threshold
        prepare_runtime(self.device)
        from focus_detr.inference.predictor import Predictor

        predictor = Predictor.from_checkpoint(
            self.checkpoint or "",
            short_side=self.short_side,
            max_side=self.max_side,
            graphs=self.options.graphs,
            precision=self.options.precision,
            looks=self.looks,
        )
        return predictor, USUAL_THRESHOLD


def refuse_mistaken(checkpoint: str | None, model: str | None) -> None:
    """Refuse a file whose ending says that it belongs to the other option.

    Raises:
        FocusDetrError: naming the option that it belongs to.
    """
    if model is not None and model.endswith(CHECKPOINT_SUFFIX):
        raise FocusDetrError(f"{model} is a checkpoint, no exported model: use --checkpoint")
    if checkpoint is not None and checkpoint.endswith(SUFFIXES):
        raise FocusDetrError(f"{checkpoint} is an exported model, no checkpoint: use --model")
