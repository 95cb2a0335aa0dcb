"""What ``focus-detr train`` and ``focus_detr.train`` do."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from focus_detr.config.loading import load_config
from focus_detr.process.runtime import prepare_runtime

if TYPE_CHECKING:
    from focus_detr.training.state import TrainingState


@dataclass(frozen=True)
class TrainingRequest:
    """Settings and options, as the command line names them."""

    config: str
    overrides: Sequence[str] = ()  # key=value
    resume: bool = False  # go on from the output folder's state
    device: str | None = None  # None: the best that is here
    progress: bool | None = None  # None: draw bars on a terminal only

    def run(self) -> TrainingState:
        """Train to the end.

        Returns:
            Where the run stands.

        Raises:
            TrainingStopped: a signal asked for an end; the state is saved.
            FocusDetrError: bad settings, data or weights, no such device, the output folder holds
                another run, or a loss that is not finite.
        """
        config = load_config(self.config, self.overrides)
        prepare_runtime(self.device)
        # here, so that Ctrl-C while MindSpore loads ends as later
        from focus_detr.training.session import open_session
        from focus_detr.training.token_counts import refuse_few_tokens

        refuse_few_tokens(config)
        trainer = open_session(config, resume=self.resume, progress=self.progress)
        try:
            return trainer.run()
        finally:
            trainer.parts.log.close()
