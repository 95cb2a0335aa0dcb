"""What the documents promise is there: linked files, named settings, commands and their options."""

from __future__ import annotations

import re
import shlex
from collections.abc import Iterator
from pathlib import Path

import pytest

from focus_detr.config.loading import load_config
from focus_detr.config.schema import Config
from focus_detr.config.values import full_keys

ROOT = Path(__file__).resolve().parents[1]
DOCUMENTS = sorted(
    path for pattern in ("*.md", "docs/*.md", "custom_ops/**/*.md") for path in ROOT.glob(pattern)
)
SECTIONS = "model|loss|denoising|data|train|eval"
FILE_ENDINGS = (".md", ".py", ".yaml", ".json", ".jsonl", ".txt", ".pth", ".safetensors", ".batch")
USERS_OWN = "mine.yaml"  # the settings file that docs/data.md asks for

each_document = pytest.mark.parametrize("path", DOCUMENTS, ids=lambda path: path.name)


def _anchors(path: Path) -> set[str]:
    """What a link can name after ``#``: the headings, as GitHub spells them."""
    headings = re.findall(r"^#+ (.*)$", path.read_text(encoding="utf-8"), re.MULTILINE)
    return {re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-") for heading in headings}


@each_document
def test_links_lead_somewhere(path: Path) -> None:
    for link in re.findall(r"\]\(([^)]+)\)", path.read_text(encoding="utf-8")):
        if not link.startswith("https://"):
            file, _, anchor = link.partition("#")
            target = path.parent / file if file else path
            assert target.exists(), link
            assert not anchor or anchor in _anchors(target), link


@each_document
def test_named_settings_exist(path: Path) -> None:
    known = set(full_keys(Config))
    sections = {key.rsplit(".", depth)[0] for key in known for depth in range(1, key.count("."))}
    named = re.findall(rf"(?<![\w/.])(?:{SECTIONS})(?:\.[a-z_]+)+", path.read_text("utf-8"))
    assert [
        name for name in named if name not in known | sections and not name.endswith(FILE_ENDINGS)
    ] == []


def _source(script: Path) -> str:
    """Text of a script, of the arguments that scripts beside it share, and of its command's."""
    text = script.read_text(encoding="utf-8")
    imported = re.findall(r"^from (focus_detr\.\S+_options) import", text, re.MULTILINE)
    imported += [f"focus_detr.commands.{name}" for name in re.findall(r'= script\("(\w+)"\)', text)]
    modules = [_source(ROOT / "src" / f"{name.replace('.', '/')}.py") for name in imported]
    shared = script.parent.glob("*_arguments.py")
    return "".join([text, *modules, *(path.read_text(encoding="utf-8") for path in shared)])


def _commands() -> Iterator[tuple[str, list[str]]]:
    """Script and arguments of every ``python SCRIPT ...`` in a code block or a code span."""
    for path in DOCUMENTS:
        text = path.read_text(encoding="utf-8").replace("\\\n", " ")
        for line in re.findall(r"(?:^|`)python ([\w/]+\.py[^`\n]*)", text, re.MULTILINE):
            script, *arguments = shlex.split(line, comments=True)
            yield script, arguments


def test_there_are_commands() -> None:
    scripts = {script for script, _ in _commands()}
    assert {"train.py", "eval.py", "predict.py", "scripts/convert_weights.py"} <= scripts


@pytest.mark.parametrize(
    ("script", "arguments"), [pytest.param(*each, id=" ".join(each[1])) for each in _commands()]
)
def test_commands_have_their_script_options_and_settings(script: str, arguments: list[str]) -> None:
    source = _source(ROOT / script)
    options = [argument.split("=")[0] for argument in arguments if argument.startswith("--")]
    assert [option for option in options if f'"{option}"' not in source] == []
    overrides = [argument for argument in arguments if re.match(rf"({SECTIONS})\.\S+=", argument)]
    config = next((argument for argument in arguments if argument.endswith(".yaml")), None)
    if config is not None and not config.endswith(USERS_OWN):
        load_config(ROOT / config, overrides)


def test_picture_and_table_of_the_parts_name_the_same_classes() -> None:
    text = (ROOT / "docs/architecture.md").read_text(encoding="utf-8")
    table = dict(
        re.findall(r"^\| (selection|encoder|queries|denoising) \| (`[A-Z].*?) \| `", text, re.M)
    )
    picture = (ROOT / "docs/images/network_parts.svg").read_text(encoding="utf-8")
    named = {name for kinds in table.values() for name in re.findall(r"`([A-Z]\w+)`", kinds)}
    assert len(table) == 4 and len(named) == 14
    drawn = set(
        re.findall(r"\b[A-Z]\w+(?:Tokens|Selection|Encoder|Queries|Points|Anchors)\b", picture)
    )
    assert drawn == named
