"""Keys in another style mean what they mean in the format's."""

from __future__ import annotations

import pytest

from focus_detr.data.key_styles import KeyStyles
from focus_detr.errors import FocusDetrError

STYLES = KeyStyles(("image_id", "file_name", "bbox"), {"bounding_box": "bbox"}, ("iscrowd",))


@pytest.mark.parametrize("key", ["imageId", "image-id", "Image ID", "IMAGE_ID", "imageid"])
def test_styles_of_words(key: str) -> None:
    assert STYLES.plain({key: 5, "other": 6}, "here") == {key: 5, "image_id": 5, "other": 6}


@pytest.mark.parametrize("key", ["isCrowd", "is_crowd", "crowd", "Is-Crowd"])
def test_styles_of_flags(key: str) -> None:
    assert STYLES.plain({key: 1}, "here")["iscrowd"] == 1


def test_another_name_counts_only_where_the_own_one_is_missing() -> None:
    both = {"file_name": "in/1.jpg", "filename": "1.jpg", "ImageID": "a", "image_id": 1}
    assert STYLES.plain(both, "here") == both
    box, corners = [1, 2, 3, 4], [1, 2, 4, 6]
    assert STYLES.plain({"boundingBox": box}, "here")["bbox"] == box
    both = {"bbox": box, "boundingBox": corners}
    assert STYLES.plain(both, "here") == both


def test_two_styles_of_a_flag_must_agree() -> None:
    agreed = {"iscrowd": 1, "isCrowd": True}
    assert STYLES.plain(agreed, "here") == agreed
    with pytest.raises(FocusDetrError, match="here: 'iscrowd' and 'isCrowd' contradict"):
        STYLES.plain({"isCrowd": 1, "iscrowd": 0}, "here")
    with pytest.raises(FocusDetrError, match="here: 'iscrowd' and 'is_crowd' contradict"):
        STYLES.plain({"isCrowd": 1, "is_crowd": 0}, "here")


def test_keys_of_yaml_may_be_no_texts() -> None:
    assert STYLES.plain({0: "cat", None: 1}, "here") == {0: "cat", None: 1}
