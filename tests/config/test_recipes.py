"""Settings of the package by name, from any folder, and what is said of names that are unknown."""

from __future__ import annotations

from pathlib import Path

import pytest

from focus_detr.config import recipes
from focus_detr.config.loading import load_config
from focus_detr.config.recipes import recipe_names
from focus_detr.errors import FocusDetrError

CONFIG_DIR = Path(__file__).parents[2] / "config"


@pytest.fixture(autouse=True)
def elsewhere(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder without settings."""
    monkeypatch.chdir(tmp_path)
    return tmp_path


def test_the_names_are_those_of_the_files() -> None:
    files = {path.relative_to(CONFIG_DIR).with_suffix("") for path in CONFIG_DIR.rglob("*.yaml")}
    assert set(map(Path, recipe_names())) == files
    assert {"smoke", "focus_detr_r50", "ablations/keep_20"} <= set(recipe_names())


@pytest.mark.parametrize("name", ["focus_detr_r50", "ablations/keep_20", "smoke"])
def test_a_name_means_the_file_of_the_package(name: str) -> None:
    assert load_config(name) == load_config(CONFIG_DIR / f"{name}.yaml")


def test_a_file_of_the_user_wins(elsewhere: Path) -> None:
    (elsewhere / "smoke").write_text("train: {seed: 5}\n")
    assert load_config("smoke").train.seed == 5


def test_a_folder_of_that_name_hides_nothing(elsewhere: Path) -> None:
    (elsewhere / "smoke").mkdir()
    assert load_config("smoke").train.output_dir == "runs/smoke"


@pytest.mark.parametrize("written", ["ablations/keep_20", "[ablations/keep_20]"])
def test_settings_of_a_user_may_start_from_those_of_the_package(
    elsewhere: Path, written: str
) -> None:
    (elsewhere / "mine.yaml").write_text(f"base: {written}\ntrain: {{seed: 5}}\n")
    mine = load_config("mine.yaml")
    assert (mine.train.seed, mine.model.encoder.keep_ratio) == (5, 0.33333)


def test_a_name_in_a_base_means_a_file_beside_it_first(elsewhere: Path) -> None:
    (elsewhere / "inner").mkdir()
    (elsewhere / "inner" / "smoke").write_text("train: {seed: 7}\n")
    (elsewhere / "inner" / "mine.yaml").write_text("base: smoke\n")
    assert load_config("inner/mine.yaml").train.seed == 7


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("focus_detr_r5", "did you mean focus_detr_r50 or focus_detr_r"),
        ("ablations/keep_30", "did you mean ablations/keep_"),
        ("zzz", "it has ablations/category_head_decoder_layer, "),
        ("config/smoke.yaml", "no file config/smoke.yaml here; .* go by name: smoke$"),
        ("../x/config/ablations/keep_20.yaml", "go by name: ablations/keep_20$"),
        ("mine.yaml", "cannot read mine.yaml: No such file"),
        ("/smoke", "cannot read /smoke: No such file"),
    ],
)
def test_what_is_not_there_is_one_sentence(name: str, message: str) -> None:
    with pytest.raises(FocusDetrError, match=message) as caught:
        load_config(name)
    assert "\n" not in str(caught.value)


def test_a_package_with_its_own_copy_needs_no_clone(
    elsewhere: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    installed = elsewhere / "focus_detr"
    (installed / "recipes").mkdir(parents=True)
    (installed / "recipes" / "base.yaml").write_text("train: {seed: 9}\n")
    monkeypatch.setattr(recipes, "__file__", str(installed / "config" / "recipes.py"))
    assert recipe_names() == ["base"]
    assert load_config("base").train.seed == 9
