"""A training whose images have fewer tokens than its network takes is refused at its start."""

from __future__ import annotations

from pathlib import Path

import pytest
from script_module import load_script

from focus_detr.config.loading import load_config
from focus_detr.config.recipes import recipe_names
from focus_detr.errors import FocusDetrError
from focus_detr.training.token_counts import refuse_few_tokens

ROOT = Path(__file__).parents[2]
PROPOSING = ("dino_r50_12ep", "deformable_detr_two_stage_r50_50ep", "sparse_detr_r50_50ep")
LEARNED = ("deformable_detr_r50_50ep", "dn_deformable_detr_r50_50ep")
SHAPES = "data.shape_buckets=[[128, 160], [800, 800]]"  # 426 tokens, and more


@pytest.mark.parametrize("name", PROPOSING)
def test_the_smallest_shape_decides(name: str) -> None:
    for queries in (100, 426):
        refuse_few_tokens(
            load_config(f"family/{name}", [SHAPES, f"model.decoder.queries={queries}"])
        )
    config = load_config(f"family/{name}", [SHAPES, "model.decoder.queries=427"])
    with pytest.raises(FocusDetrError, match="at least as many tokens as queries") as caught:
        refuse_few_tokens(config)
    said = str(caught.value)
    assert f"model.queries.source {config.model.queries.source} goes with" in said
    assert "128 x 160 pixels have 426 tokens, model.decoder.queries is 427" in said


def test_shapes_that_follow_from_sides_count_too() -> None:
    sides = ["data.train_short_sides=[96, 128]", "data.train_max_side=128"]
    with pytest.raises(FocusDetrError, match="128 x 128 pixels have 340 tokens"):
        refuse_few_tokens(load_config("focus_detr_r50", sides))


@pytest.mark.parametrize("name", LEARNED)
def test_learned_queries_need_no_tokens(name: str) -> None:
    refuse_few_tokens(load_config(f"family/{name}", ["data.shape_buckets=[[32, 32]]"]))


def test_all_settings_of_the_package_pass() -> None:
    for name in recipe_names():
        refuse_few_tokens(load_config(name))


def test_the_command_ends_before_it_looks_for_data(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    train, run = load_script(ROOT / "train.py"), f"train.output_dir={tmp_path / 'run'}"
    arguments = ["--config", "family/dino_r50_12ep", "--device", "CPU", run, SHAPES]
    assert train.main(arguments) == 2
    said = capsys.readouterr().err
    assert said.startswith("error: model.queries.source mixed goes with") and said.count("\n") == 1
    assert not (tmp_path / "run").exists()
