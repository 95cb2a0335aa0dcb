"""Class maps."""

from __future__ import annotations

import pytest

from focus_detr.data.classes import ClassMap, check_classes
from focus_detr.errors import FocusDetrError


def test_labels_are_positions_of_the_category_ids() -> None:
    classes = ClassMap(("cat", "dog"), (3, 7))
    assert classes.labels() == {3: 0, 7: 1}
    assert len(classes) == 2


def test_equal_names_pass() -> None:
    check_classes(("cat", "dog"), ["cat", "dog"])


@pytest.mark.parametrize(
    ("found", "message"),
    [
        (("cat", "cow"), "class 1 is 'cow' where 'dog' was expected"),
        (("dog", "cat"), "class 0 is 'dog' where 'cat' was expected"),
        (("cat",), "found 1 class instead of 2"),
        (("cat", "dog", "cow"), "found 3 classes instead of 2"),
    ],
)
def test_other_names_are_refused(found: tuple[str, ...], message: str) -> None:
    with pytest.raises(FocusDetrError, match=message):
        check_classes(("cat", "dog"), found)
