"""Bilinear resizing as Pillow does it, which the published weights were trained with."""

from __future__ import annotations

from functools import lru_cache

import cv2
import numpy as np
from scipy.sparse import csr_array

_STRIP_VALUES = 2**24  # that are in float32 at a time


def resize_bilinear_antialiased(image: np.ndarray, size: tuple[int, int]) -> np.ndarray:
    """Resize with a triangle filter that widens as the image shrinks.

    Equal to ``PIL.Image.resize(..., BILINEAR)`` within one grey level.

    Args:
        image: [H, W, 3] uint8.
        size: (height, width) wanted, both at least 1.

    Returns:
        [height, width, 3] uint8; ``image`` itself when it has that size already.
    """
    height, width = image.shape[:2]
    if (height, width) == size:
        return image
    if size[0] >= height and size[1] >= width:  # without shrinking the filter is plain bilinear
        return cv2.resize(image, size[::-1], interpolation=cv2.INTER_LINEAR)
    shrunk = cv2.transpose(_resample_rows(cv2.transpose(_resample_rows(image, size[0])), size[1]))
    return np.clip(np.rint(shrunk), 0, 255).astype(np.uint8)


def _resample_rows(image: np.ndarray, rows: int) -> np.ndarray:
    """[H, W, 3] -> [rows, W, 3] float32, in strips, as a huge image in float32 fills the memory."""
    height, width, channels = image.shape
    flat = image.reshape(height, width * channels)  # [H, W, 3] -> [H, W*3]
    weights = _weights(height, rows)
    strip = max(_STRIP_VALUES // height, 1)
    result = np.empty((rows, width * channels), np.float32)
    for start in range(0, width * channels, strip):
        part = slice(start, start + strip)
        result[:, part] = weights @ flat[:, part].astype(np.float32)
    return result.reshape(rows, width, channels)  # [rows, W*3] -> [rows, W, 3]


@lru_cache(maxsize=64)
def _weights(source: int, target: int) -> csr_array:
    """[target, source] weights of the triangle filter, each row summing to one."""
    scale = source / target
    radius = max(scale, 1.0)
    centres = (np.arange(target) + 0.5) * scale
    first = np.floor(centres - radius).astype(np.int64)
    taps = first[:, None] + np.arange(int(2 * radius) + 2)  # [target, taps]
    values = np.maximum(1 - np.abs(taps + 0.5 - centres[:, None]) / radius, 0)
    values[(taps < 0) | (taps >= source)] = 0
    values /= values.sum(axis=1, keepdims=True)
    rows, columns = np.nonzero(values)
    entries = values[rows, columns].astype(np.float32)
    return csr_array((entries, (rows, taps[rows, columns])), shape=(target, source))
