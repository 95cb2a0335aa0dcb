"""Which cells of an image the encoder refined."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np


@dataclass(frozen=True)
class KeptTokens:
    """The ranked tokens of one image and how many of them each encoder layer refined."""

    ranked: np.ndarray  # [K] int, best first; level-major, then row-major over the padded grids
    counts: np.ndarray  # [layers] int
    level_shapes: tuple[tuple[int, int], ...]  # (rows, columns) of each padded grid
    image_size: tuple[int, int]  # (height, width) in pixels, without padding, as the network saw it
    first_stride: int = 8  # pixels per cell of level 0, doubled from level to level

    @property
    def layers(self) -> int:
        """Number of encoder layers."""
        return len(self.counts)

    @property
    def levels(self) -> int:
        """Number of feature levels."""
        return len(self.level_shapes)

    def stride(self, level: int) -> int:
        """Pixels per cell."""
        return self.first_stride * 2**level

    def image_grid(self, level: int) -> tuple[int, int]:
        """(rows, columns) of the cells that the unpadded image touches."""
        height, width = self.image_size
        stride = self.stride(level)
        return -(-height // stride), -(-width // stride)

    def kept_cells(self, layer: int, level: int) -> np.ndarray:
        """[rows, columns] bool: cells of the unpadded image that the layer refined."""
        return self.cells_of(self.ranked[: self.counts[layer]], level)

    def cells_of(self, tokens: np.ndarray, level: int) -> np.ndarray:
        """[rows, columns] bool: cells of the unpadded image with one of these tokens, [K] int."""
        start = sum(rows * columns for rows, columns in self.level_shapes[:level])
        rows, columns = self.level_shapes[level]
        cells = np.zeros(rows * columns, bool)
        places = tokens - start
        cells[places[(places >= 0) & (places < cells.size)]] = True
        image_rows, image_columns = self.image_grid(level)
        return cells.reshape(rows, columns)[:image_rows, :image_columns]
