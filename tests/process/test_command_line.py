"""Words on both sides of options, and words that look like options."""

from __future__ import annotations

import argparse
import sys

import pytest

from focus_detr.process.command_line import parse_intermixed


@pytest.fixture
def parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser()
    parser.add_argument("--out")
    parser.add_argument("inputs", nargs="+")
    return parser


@pytest.mark.parametrize(
    ("words", "inputs"),
    [
        ("a --out x b", ["a", "b"]),
        ("a --out x -- b", ["a", "b"]),
        ("--out x -- -a.jpg --b", ["-a.jpg", "--b"]),
        ("--out x a -- -b", ["a", "-b"]),
    ],
)
def test_words_of_no_option(
    monkeypatch: pytest.MonkeyPatch, parser: argparse.ArgumentParser, words: str, inputs: list[str]
) -> None:
    given = parse_intermixed(parser, words.split())
    assert (given.out, given.inputs) == ("x", inputs)
    monkeypatch.setattr(sys, "argv", ["command", *words.split()])
    assert parse_intermixed(parser, None) == given


def test_a_command_takes_no_unknown_option(parser: argparse.ArgumentParser) -> None:
    with pytest.raises(SystemExit):
        parse_intermixed(parser, ["a", "-b"])
