"""Home folders in paths: in every option that takes one, and in every setting that is one."""

from __future__ import annotations

import argparse
import importlib
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, get_args, get_type_hints

import pytest
from script_module import load_script

from focus_detr.config.loading import load_config
from focus_detr.config.schema import Config
from focus_detr.config.values import full_keys
from focus_detr.errors import FocusDetrError
from focus_detr.inference.inputs import named_path
from focus_detr.io.user_paths import PathText, check_utf8, path_text, user_path

ROOT = Path(__file__).resolve().parents[2]
PARSERS = [
    *(f"focus_detr.commands.{name}" for name in ("train", "eval", "predict", "export", "demo")),
    *("focus_detr.commands.convert", "focus_detr.commands.browse"),
    *("scripts/pack_mindrecord.py", "scripts/plot_run.py", "scripts/check_device.py"),
    *("scripts/convert_lite.py", "scripts/fetch_sample_data.py", "scripts/matching_counts.py"),
]
# options that are words; plot_run.py splits its groups of folders at their commas
NO_PATHS = {
    *("class_names", "device", "groups", "host", "labels", "overrides", "skip", "soc"),
    "thresholds",
}


@pytest.fixture
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A home, and another folder to be in."""
    (tmp_path / "here").mkdir()
    monkeypatch.chdir(tmp_path / "here")
    monkeypatch.setenv("HOME", str(tmp_path / "home"))
    return tmp_path / "home"


def test_the_home_is_replaced_at_the_start_only(home: Path) -> None:
    assert user_path("~/x y/[1].jpg") == home / "x y/[1].jpg"
    assert user_path(Path("~/x")) == home / "x"
    assert path_text("~") == str(home)
    assert path_text("a/~/b") == "a/~/b"
    assert path_text("./~/b") == "./~/b"
    assert named_path("~/photos/*.jpg") == home / "photos/*.jpg"


def test_a_folder_that_is_called_like_the_home_is_not_meant(home: Path) -> None:
    Path("~").mkdir()
    assert path_text("~/x") == f"{home}/x"


def test_a_file_may_begin_with_a_tilde(home: Path) -> None:
    assert path_text("~notes.txt") == "~notes.txt"
    Path("~root").mkdir()
    assert path_text("~root/x") == "~root/x"


@pytest.mark.parametrize("text", ["~no_such_user/x", "~no_such_user/"])
def test_a_home_that_is_not_there_is_refused(home: Path, text: str) -> None:
    with pytest.raises(FocusDetrError, match=r"^~no_such_user/x?: there is no home folder ~no_"):
        path_text(text)


def test_variables_of_the_environment(home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SETS", "/big/sets")
    monkeypatch.setenv("EMPTY", "")
    assert path_text("$SETS/a b.json") == path_text("${SETS}/a b.json") == "/big/sets/a b.json"
    assert path_text("$HOME") == path_text("~") == str(home)
    assert path_text("runs/${SETS}_2/$SETS") == "runs//big/sets_2//big/sets"
    for name in (
        "price$SETS.jpg",
        "a$SETS/b",
        "$SETS.jpg",
        "$5.jpg",
        "$5/a",
        "$RECYCLE.BIN/a",
        "${",
        "$",
    ):
        assert path_text(name) == name
    for name in ("$ABSENT/a", "in/${ABSENT}_1", "${ABSENT}"):
        with pytest.raises(FocusDetrError, match="there is no environment variable ABSENT"):
            path_text(name)
    with pytest.raises(FocusDetrError, match="no environment variable EMPTY"):
        path_text("$EMPTY/a")
    Path("$ABSENT").mkdir()
    assert path_text("$ABSENT") == "$ABSENT"


def test_an_empty_home_is_not_the_root(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HOME", "")
    with pytest.raises(FocusDetrError, match="there is no home folder ~"):
        path_text("~/x")


def _hints(cls: type) -> Iterator[tuple[str, Any]]:
    for key in full_keys(cls):
        section, hint = cls, None
        for name in key.split("."):
            hint = get_type_hints(section)[name]
            section = hint
        yield key, hint


def test_every_setting_of_any_text_is_a_path_or_known_not_to_be() -> None:
    texts = [key for key, hint in _hints(Config) if str in (hint, *get_args(hint))]
    assert texts == ["train.optimizer.freeze"]
    paths = [key for key, hint in _hints(Config) if PathText in (hint, *get_args(hint))]
    assert {"data.train_annotations", "train.output_dir", "model.backbone.weights"} <= set(paths)


def test_settings_lead_home(home: Path) -> None:
    home.mkdir()
    (home / "under.yaml").write_text("train: {output_dir: ~/runs/x}\n")
    Path("mine.yaml").write_text("base: ~/under.yaml\n")
    config = load_config("mine.yaml", ["data.train_annotations=~/a b", "train.compile_cache=./~/c"])
    assert config.train.output_dir == f"{home}/runs/x"
    assert config.data.train_annotations == f"{home}/a b"
    assert config.train.compile_cache == "./~/c"
    assert load_config("~/under.yaml").train.output_dir == f"{home}/runs/x"
    with pytest.raises(FocusDetrError) as caught:
        load_config("mine.yaml", ["train.output_dir=~no_such_user/x"])
    assert str(caught.value) == (
        "override 'train.output_dir=~no_such_user/x': train.output_dir is ~no_such_user/x: there "
        "is no home folder ~no_such_user"
    )


@pytest.mark.parametrize("name", PARSERS)
def test_every_option_that_takes_a_path_knows_homes(
    name: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    taken: list[argparse.Action] = []
    original = argparse._ActionsContainer._add_action

    def _add(container: Any, action: argparse.Action) -> argparse.Action:
        taken.append(action)
        return original(container, action)

    monkeypatch.setattr(argparse._ActionsContainer, "_add_action", _add)
    module = load_script(ROOT / name) if "/" in name else importlib.import_module(name)
    with pytest.raises(SystemExit):
        getattr(module, "parse_arguments", module.main)(["--help"])
    words = [action for action in taken if action.nargs != 0 and action.choices is None]
    assert [action.dest for action in words if action.type is Path] == []
    plain = {action.dest for action in words if action.type in (None, str)}
    assert plain <= NO_PATHS


def test_bytes_outside_utf8_are_refused_where_mindspore_gets_the_path(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = tmp_path / "f\udcff"
    folder.mkdir()
    check_utf8(tmp_path / "\xe9 [1]")
    monkeypatch.chdir(folder)
    with pytest.raises(FocusDetrError, match=r"^MindSpore cannot use .*f\udcff/x: "):
        check_utf8(Path("x"))


@pytest.mark.parametrize("read", [path_text, user_path])
def test_an_empty_path_is_none(read: Callable[[str], object]) -> None:
    """As of a variable of the shell that is not set: an option would count as not given."""
    with pytest.raises(FocusDetrError, match="the path of a file or folder is empty"):
        read("")
