"""What a picture cost the network, beside the same network with a dense encoder."""

from __future__ import annotations

from functools import cache

from focus_detr.config.schema import ModelConfig
from focus_detr.models.flops import count_multiply_adds, with_all_tokens


class PictureCosts:
    """Multiply-adds by the size of a picture."""

    def __init__(self, model: ModelConfig, classes: int) -> None:
        """Take what decides them.

        Args:
            model: the network's settings.
            classes: number of object classes.
        """
        self._configs = {"multiply_adds": model, "dense": with_all_tokens(model)}
        self._classes = classes
        self.of = cache(self._count)

    def _count(self, size: tuple[int, int]) -> dict[str, int]:
        """For a picture of (height, width) pixels, as the network sees it without padding.

        Returns:
            ``multiply_adds`` of the whole network, and ``dense``: if its encoder took all tokens.
        """
        return {
            name: count_multiply_adds(config, self._classes, *size).total
            for name, config in self._configs.items()
        }
