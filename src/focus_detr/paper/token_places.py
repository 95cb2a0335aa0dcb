"""Where the tokens of an image lie, and which of them boxes cover."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from focus_detr.inference.kept_tokens import KeptTokens
from focus_detr.models.geometry import BORDER

MEDIUM, LARGE = 32.0**2, 96.0**2  # square pixels from which COCO calls an object so
SIZES = ("small", "medium", "large")


@dataclass(frozen=True)
class TokenPlaces:
    """All N tokens of a padded image, level-major and row-major."""

    levels: np.ndarray  # [N] int
    centres: np.ndarray  # [N, 2] (x, y) in pixels of the image as the network sees it
    inside: np.ndarray  # [N] bool, the cell touches the image; others are padding
    # [N] bool: inside, but so near to the image's border that the projection that is scored has a
    # constant in the token's place: the outer ring of levels with more than 50 cells to a side
    border: np.ndarray
    image_size: tuple[int, int]  # (height, width) in pixels, without padding

    @classmethod
    def of(cls, tokens: KeptTokens) -> TokenPlaces:
        """Those of what an encoder was given."""
        shapes, size = tokens.level_shapes, tokens.image_size
        return cls.of_shapes(shapes, size, tokens.first_stride)

    @classmethod
    def of_shapes(
        cls, shapes: tuple[tuple[int, int], ...], size: tuple[int, int], first_stride: int = 8
    ) -> TokenPlaces:
        """Those of grids with (rows, columns) per level, for an image of (height, width) pixels."""
        parts = [
            _level(number, shape, first_stride * 2**number, size)
            for number, shape in enumerate(shapes)
        ]
        levels, centres, inside, border = (
            np.concatenate(part) for part in zip(*parts, strict=True)
        )
        return cls(levels, centres, inside, border, size)

    @property
    def count(self) -> int:
        """Number of levels."""
        return int(self.levels[-1]) + 1

    def in_picture(self, height: int, width: int) -> np.ndarray:
        """Centres [N, 2] in pixels of the picture of this size that the image was resized from."""
        seen_height, seen_width = self.image_size
        return self.centres * np.array([width / seen_width, height / seen_height])

    def covered(self, boxes: np.ndarray) -> np.ndarray:
        """Which tokens lie strictly inside which boxes: [T, 4] x1 y1 x2 y2 -> [T, N] bool."""
        low, high = boxes[:, None, :2], boxes[:, None, 2:]  # [T, 1, 2]
        lies = (self.centres > low) & (self.centres < high)  # [T, N, 2]
        return lies.all(axis=2) & self.inside


def _level(
    number: int, shape: tuple[int, int], stride: int, size: tuple[int, int]
) -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]:
    rows, columns = (np.arange(cells) for cells in shape)
    row, column = np.meshgrid(rows, columns, indexing="ij")
    cells = [-(-side // stride) for side in size]  # that the image touches
    inside = (row < cells[0]) & (column < cells[1])
    near = _near_border(row, cells[0]) | _near_border(column, cells[1])
    centres = np.stack([column, row], axis=-1) * stride + stride // 2  # [h, w, 2]
    levels = np.full(row.size, number)
    return levels, centres.reshape(-1, 2), inside.ravel(), (near & inside).ravel()


def _near_border(index: np.ndarray, cells: int) -> np.ndarray:
    """As ``models.geometry`` has it, in whole numbers."""
    centre, limit = 100 * index + 50, round(100 * BORDER)
    return (centre <= limit * cells) | (centre >= (100 - limit) * cells)


def size_class(areas: np.ndarray) -> np.ndarray:
    """Place in ``SIZES`` of objects with these areas: [T] square pixels of the file -> [T] int."""
    return np.digitize(areas, [MEDIUM, LARGE])
