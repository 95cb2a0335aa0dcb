"""Which pictures are found and what their results are called."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from focus_detr.errors import FocusDetrError
from focus_detr.inference.inputs import collect_images, token_picture


def touch(folder: Path, *names: str) -> None:
    for name in names:
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).touch()


def test_folders_are_searched_with_their_structure(tmp_path: Path) -> None:
    touch(tmp_path / "in", "b.JPG", "a.png", "deep/er/c.bmp", "notes.txt")
    found = collect_images([tmp_path / "in"], tmp_path / "out")
    assert [str(item.result) for item in found] == ["a.png", "b.jpg", "deep/er/c.png"]
    assert not any(item.named for item in found)


def test_pictures_that_are_not_read_are_told(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    inner, out = tmp_path / "in", tmp_path / "in" / "drawn"
    touch(inner, "a.jpg", "b.HEIC", "deep/c.gif", "._d.heic", "e.mp4", "f.AVI", "g.mov")
    touch(out, "e.mp4", "._h.mov")
    for given in (inner, inner / "**" / "*"):
        caplog.clear()
        found = collect_images([given], out)
        assert [item.path.name for item in found] == ["a.jpg"]
        assert f"left out 2 pictures of a kind that is not read, such as {inner}" in caplog.text
        assert f"left out 3 films, such as {inner}" in caplog.text
    caplog.clear()
    collect_images([inner / "a.jpg"], out)
    assert not caplog.text


def test_what_is_named_is_no_stray(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    touch(tmp_path, "a.jpg", "b.heic")
    found = collect_images([tmp_path, tmp_path / "b.heic"], tmp_path / "out")
    assert [(item.path.name, item.named) for item in found] == [("a.jpg", False), ("b.heic", True)]
    assert not caplog.text


def test_results_never_share_a_name(tmp_path: Path) -> None:
    touch(tmp_path, "one/a.png", "two/a.png", "two/a.jpg")
    found = collect_images([tmp_path / "one", tmp_path / "two"], tmp_path / "out")
    assert [str(item.result) for item in found] == ["a.png", "a_2.jpg", "a_3.png"]


def test_a_picture_does_not_get_the_name_of_anothers_tokens(tmp_path: Path) -> None:
    touch(tmp_path, "x.1.png", "x.1_tokens.png")
    paths = [tmp_path / "x.1.png", tmp_path / "x.1_tokens.png"]
    for order in (paths, paths[::-1]):
        results = [item.result for item in collect_images(order, tmp_path / "out")]
        assert len({*results, *map(token_picture, results)}) == 4


def test_a_picture_given_twice_is_taken_once(tmp_path: Path) -> None:
    touch(tmp_path, "a.png")
    found = collect_images([tmp_path / "a.png", tmp_path], tmp_path / "out")
    assert [(item.path.name, item.named) for item in found] == [("a.png", True)]


def test_links_are_pictures_of_their_own(tmp_path: Path) -> None:
    touch(tmp_path, "store/0001", "set/plain.jpg", "set/._plain.jpg", "set/@eaDir/plain.jpg")
    for name in ("one.jpg", "two.jpg"):
        (tmp_path / "set" / name).symlink_to(tmp_path / "store" / "0001")
    found = collect_images([tmp_path / "set"], tmp_path / "out")
    assert [item.path for item in found] == [
        tmp_path / "set" / name for name in ("one.jpg", "plain.jpg", "two.jpg")
    ]
    assert [item.result.name for item in found] == ["one.jpg", "plain.jpg", "two.jpg"]
    with pytest.raises(FocusDetrError, match="overwrite"):  # writing would go through the link
        (tmp_path / "out").mkdir()
        (tmp_path / "out" / "plain.jpg").symlink_to(tmp_path / "set" / "plain.jpg")
        collect_images([tmp_path / "set"], tmp_path / "out")


def test_a_hidden_file_that_is_named_is_taken(tmp_path: Path) -> None:
    touch(tmp_path, ".cache/a.jpg", ".cache/.b.jpg")
    for path in (tmp_path / ".cache" / ".b.jpg", tmp_path / ".cache"):
        found = collect_images([path], tmp_path / "out")
        assert [item.path.name for item in found] == [".b.jpg" if path.is_file() else "a.jpg"]


def test_earlier_results_are_no_input(tmp_path: Path) -> None:
    touch(tmp_path, "a.png", "out/a.png", "out/in/b.png")
    for given in (tmp_path, tmp_path / "*", tmp_path / "**" / "*.png"):
        found = collect_images([given], tmp_path / "out")
        assert [item.path for item in found] == [tmp_path / "a.png"], given
    found = collect_images([tmp_path / "out" / "in"], tmp_path / "out")
    assert [str(item.result) for item in found] == ["b.png"]  # beside out/in/b.png


def test_a_picture_is_never_overwritten(tmp_path: Path) -> None:
    touch(tmp_path, "a.png")
    with pytest.raises(FocusDetrError, match="overwrite"):
        collect_images([tmp_path / "a.png"], tmp_path)


def test_nothing_found_is_one_sentence(tmp_path: Path) -> None:
    touch(tmp_path, "notes.txt")
    with pytest.raises(FocusDetrError, match="no pictures"):
        collect_images([tmp_path], tmp_path / "out")
    with pytest.raises(FocusDetrError, match=r"no file or folder .*absent"):
        collect_images([tmp_path / "absent"], tmp_path / "out")


def test_patterns_find_pictures_and_folders(tmp_path: Path) -> None:
    touch(tmp_path, "a/one.png", "a/two.jpg", "a/notes.txt", "b/deep/three.png", "[odd].png")
    out = tmp_path / "out"
    found = collect_images([tmp_path / "a" / "*"], out)
    assert [str(item.result) for item in found] == ["one.png", "two.jpg"]
    assert not any(item.named for item in found)
    found = collect_images([tmp_path / "**" / "*.png"], out)
    assert {item.path.name for item in found} == {"one.png", "three.png", "[odd].png"}
    assert [str(item.result) for item in collect_images([tmp_path / "?"], out)] == [
        "one.png",
        "two.jpg",
        "deep/three.png",
    ]
    # a name that exists is no pattern
    assert collect_images([tmp_path / "[odd].png"], out)[0].named


def test_what_cannot_be_read_never_hangs(tmp_path: Path) -> None:
    (tmp_path / "self.jpg").symlink_to("self.jpg")
    (tmp_path / "gone.jpg").symlink_to("nowhere.jpg")
    os.mkfifo(tmp_path / "pipe.jpg")
    (tmp_path / "a.jpg").touch()
    for source in (tmp_path, tmp_path / "*.jpg"):
        found = collect_images([source], tmp_path / "out")
        assert [item.path.name for item in found] == ["a.jpg", "gone.jpg", "self.jpg"]
        assert not any(item.named for item in found)
    for name in ("pipe.jpg", "gone.jpg", "self.jpg"):
        with pytest.raises(FocusDetrError, match=f"{name} is neither a file nor a folder"):
            collect_images([tmp_path / name], tmp_path / "out")
