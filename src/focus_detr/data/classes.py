"""Which contiguous class index stands for which category of an annotation file."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from focus_detr.errors import FocusDetrError
from focus_detr.wording import counted


@dataclass(frozen=True)
class ClassMap:
    """Class index -> name and category id; both tuples are in class order.

    A model predicts indices; this map travels with its checkpoint, so that validation files and
    result files use the category ids the model was trained with.
    """

    names: tuple[str, ...]
    category_ids: tuple[int, ...]

    def __len__(self) -> int:
        """The number of classes."""
        return len(self.names)

    def labels(self) -> dict[int, int]:
        """Category id -> class index."""
        return {category: label for label, category in enumerate(self.category_ids)}


def check_classes(expected: Sequence[str], found: Sequence[str]) -> None:
    """Refuse class names that differ from the expected ones in number, order or spelling.

    Raises:
        FocusDetrError: naming the first class that differs.
    """
    for index, (wanted, actual) in enumerate(zip(expected, found, strict=False)):
        if wanted != actual:
            raise FocusDetrError(f"class {index} is '{actual}' where '{wanted}' was expected")
    if len(expected) != len(found):
        raise FocusDetrError(f"found {counted(len(found), 'class')} instead of {len(expected)}")
