"""The options that choose what detects."""

from __future__ import annotations

import argparse

import pytest
from hypothesis import given
from hypothesis import strategies as st

from focus_detr.deploy.engine_options import EngineOptions
from focus_detr.deploy.opening import Source
from focus_detr.deploy.source_options import add_source_options, chosen_source, score


def chosen(*words: str, tokens: bool = False) -> Source:
    parser = argparse.ArgumentParser()
    add_source_options(parser)
    return chosen_source(parser.parse_args(words), tokens=tokens)


def test_every_option_reaches_its_field() -> None:
    sizes = ["--short-side", "64", "--max-side", "96"]
    found = chosen("--checkpoint", "a", *sizes, "--graphs", "kept", "--device", "CPU", tokens=True)
    kept = EngineOptions(graphs="kept")
    assert found == Source("a", None, 64, 96, tokens=True, device="CPU", options=kept)
    assert chosen("--model", "served") == Source(None, "served")
    words = ["--model", "served", "--engine", "openvino", "--precision", "bf16"]
    assert chosen(*words).options == EngineOptions("openvino", "bf16")


@pytest.mark.parametrize("words", [[], ["--checkpoint", "a", "--model", "b"]])
def test_exactly_one_of_checkpoint_and_model(words: list[str]) -> None:
    with pytest.raises(SystemExit, match="2"):
        chosen(*words)


@given(st.floats(0, 1))
def test_scores_are_read(number: float) -> None:
    assert score(repr(number)) == number


@pytest.mark.parametrize("text", ["", "half", "nan", "-0.1", "1.5", "inf"])
def test_what_is_no_score_is_refused(text: str) -> None:
    with pytest.raises(argparse.ArgumentTypeError, match=f"'{text}' is no number from 0 to 1"):
        score(text)
