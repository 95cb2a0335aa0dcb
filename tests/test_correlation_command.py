"""``eval.py`` measures Corr of a small Sparse DETR, as a user asks for it."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from coco_files import annotation, write_coco
from model_cases import scatter_weights
from script_module import load_script
from small_checkpoint import CLASSES, NETWORK, TEST_SIZE
from sparse_cases import sparse_config

from focus_detr.config.loading import dump_yaml
from focus_detr.config.schema import Config, ForegroundSelectorConfig
from focus_detr.models.factory import build_model
from focus_detr.training.session import describe
from focus_detr.weights.checkpoint import model_tensors, save_checkpoint

EVAL = Path(__file__).resolve().parents[1] / "eval.py"
SIZES = [(64, 96), (64, 96)]  # without padding, where a decoder may look too
ASKED = "eval.correlation=true"


@pytest.fixture(scope="module")
def arguments(tmp_path_factory: pytest.TempPathFactory) -> list[str]:
    """Settings of a network of one layer, a checkpoint of it, two pictures."""
    folder = tmp_path_factory.mktemp("corr")
    boxes = [annotation(1, 1, [10, 10, 30, 20]), annotation(2, 2, [5, 5, 60, 50])]
    path = write_coco(folder, SIZES, boxes)
    data = replace(TEST_SIZE, val_annotations=str(path), val_images=str(folder), workers=0)
    config = Config(
        model=sparse_config(encoder=NETWORK.encoder, decoder=NETWORK.decoder), data=data
    )
    network = build_model(config.model, len(CLASSES))
    scatter_weights(network)
    save_checkpoint(folder / "best.safetensors", model_tensors(network), describe(config, CLASSES))
    (folder / "settings.yaml").write_text(dump_yaml(config))
    return [
        *("--config", str(folder / "settings.yaml"), "--device", "CPU"),
        *("--checkpoint", str(folder / "best.safetensors")),
        *("--json", str(folder / "metrics.json")),
    ]


def _told(arguments: list[str], *overrides: str) -> dict[str, Any]:
    assert load_script(EVAL).main([*arguments, *overrides]) == 0
    return json.loads(Path(arguments[-1]).read_text())


def test_a_share_of_the_tokens_gets_a_share_of_the_looks(
    arguments: list[str], capsys: pytest.CaptureFixture[str]
) -> None:
    found = _told(arguments, ASKED)["correlation"]
    printed = capsys.readouterr().out
    assert found.keys() == {"kept", "top_kept", "top_attended"}
    for name, spread in found.items():
        assert 0 < spread["mean"] < 1 and 0 <= spread["std"] < 0.5, name
        assert f"{spread['mean']:.4f}" in printed
    assert found["top_kept"]["mean"] < found["kept"]["mean"]  # a tenth is less than three


def test_all_tokens_get_all_looks(arguments: list[str]) -> None:
    found = _told(arguments, ASKED, "model.encoder.keep_ratio=1")["correlation"]
    for name in ("kept", "top_attended"):
        assert found[name] == pytest.approx({"mean": 1.0, "std": 0.0}, abs=1e-6)


def test_without_a_selection_it_is_one_sentence(
    arguments: list[str], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    dense = replace(
        NETWORK,
        foreground_selector=ForegroundSelectorConfig(enabled=False),
        encoder=replace(NETWORK.encoder, dual_attention=False),
    )
    settings = tmp_path / "dense.yaml"
    settings.write_text(dump_yaml(Config(model=dense)))
    arguments = [arg.replace(arguments[1], str(settings)) for arg in arguments]
    assert load_script(EVAL).main([*arguments, ASKED]) == 2
    said = capsys.readouterr().err
    assert "eval.correlation needs model.foreground_selector.enabled" in said
    assert said.startswith("error: ") and said.count("\n") == 1
