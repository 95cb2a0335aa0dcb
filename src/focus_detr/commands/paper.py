"""Draw the paper's figures and tables from any checkpoint and any photographs.

    focus-detr paper tokens --checkpoint best.safetensors --out figures photos/
    focus-detr paper tokens --checkpoint A=a.safetensors --checkpoint B=b.safetensors photos/
    focus-detr paper objects --checkpoint best.safetensors --annotations val.json --images val
    focus-detr paper labels --annotations val.json --images val
    focus-detr paper quality --checkpoint a.safetensors --annotations val.json --images val
    focus-detr paper costs
    focus-detr paper costs --time 100 --checkpoint best.safetensors --pictures photos/ -- ROW...

Each writes figures (PNG and PDF) and the numbers behind them (JSON) into the folder. docs/paper.md
shows one of each and says what was computed. `focus-detr paper tokens --help` explains a kind.
"""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from pathlib import Path

from focus_detr.deploy.source_options import score
from focus_detr.errors import FocusDetrError
from focus_detr.io.files import check_folder
from focus_detr.io.user_paths import path_text, user_path
from focus_detr.paper.drawing import require_matplotlib
from focus_detr.paper.published import find_rows
from focus_detr.process.command_line import build_parser
from focus_detr.process.runtime import command, prepare_runtime

MOST_PICTURES = 100  # that costs are means over, as in the paper
_KINDS = {
    "tokens": "kept tokens by layer and level (figures 1, 4, 6a, 9, 10)",
    "objects": "object tokens and foreground scores (figure 6b), with statistics",
    "labels": "which tokens boxes make foreground (figure 8)",
    "quality": "recall and precision of kept tokens, and Corr (table 3)",
    "costs": "weights, multiply-adds, time (figures 2, 7, tables 1, 6, 9, section 3.4)",
}


def parse_arguments(argv: Sequence[str] | None) -> argparse.Namespace:
    """Command line of this program."""
    parser = build_parser("paper", __doc__)
    kinds = parser.add_subparsers(dest="kind", required=True, metavar="KIND")
    parsers = {name: kinds.add_parser(name, help=about) for name, about in _KINDS.items()}
    for name, each in parsers.items():
        each.description = _KINDS[name]
        each.add_argument("--out", type=user_path, default=Path("figures"), help="folder (figures)")
        each.add_argument("--device", help="CPU, GPU or Ascend; default: the best that is here")
        _add_sides(each, name)
    for name in ("tokens", "objects", "labels", "quality"):
        _add_pictures(parsers[name], photographs=name in ("tokens", "objects"))
    for name in ("tokens", "objects", "quality", "costs"):
        several = {} if name == "objects" else {"action": "append"}
        what = "[NAME=]FILE" if name == "objects" else "[NAME=]FILE, may be repeated"
        needed = name != "costs"
        names = ("--checkpoint",) if name == "objects" else ("--checkpoint", "--beside")
        parsers[name].add_argument(
            *names, dest="checkpoint", required=needed, metavar="FILE", help=what, **several
        )
        if needed:
            graphs = "keep compiled graphs here: later starts take seconds"
            parsers[name].add_argument("--graphs", type=path_text, metavar="FOLDER", help=graphs)
    _add_own(parsers)
    return parser.parse_args(argv)


def _add_pictures(parser: argparse.ArgumentParser, *, photographs: bool) -> None:
    """What to draw on, and its size; ``photographs``: these may be instead of a data set."""
    add = parser.add_argument
    if photographs:
        add("photographs", nargs="*", type=user_path, help="files, folders and patterns")
    needed = "" if photographs else " (needed)"
    add("--annotations", type=user_path, help=f"of a data set in any format{needed}")
    add("--images", type=user_path, help="its pictures; default: where the format has them")


def _add_sides(parser: argparse.ArgumentParser, kind: str) -> None:
    short_side, max_side = (800, 1333) if kind == "labels" else ("as trained",) * 2
    add, help_short = parser.add_argument, f"resize the short side to this ({short_side})"
    add("--short-side", type=_positive, help=help_short)
    add("--max-side", type=_positive, help=f"but keep the other side within ({max_side})")


def _add_own(parsers: dict[str, argparse.ArgumentParser]) -> None:
    """Options of one kind or two."""
    for name, count in (("tokens", 4), ("objects", 4), ("labels", 1)):
        parsers[name].add_argument(
            "--count", type=_positive, default=count, help=f"pictures to draw ({count})"
        )
    for name in ("objects", "labels", "quality"):
        parsers[name].add_argument("--limit", type=_positive, help="pictures to measure (all)")
    add = parsers["tokens"].add_argument
    add("--layer", type=_positive, default=1, help="of patches and levels (1)")
    add("--threshold", type=score, default=0.3, help="smallest score of a box (0.3)")
    add = parsers["costs"].add_argument
    add("rows", nargs="*", help="such as focus_detr_r50_36ep@30; default: all of the family")
    add("--pictures", nargs="+", type=user_path, help="count the mean of the first 100")
    add("--height", type=_positive, help="of one image that all detectors see as it is (800)")
    add("--width", type=_positive, help="likewise (1066); with neither, each resizes 800 x 1066")
    add("--time", type=_positive, default=0, metavar="N", help="time each row on N pictures")
    add("--warm-up", type=_positive, metavar="N", help="pictures before those (10)")
    add("--no-check", action="store_true", help="do not count the built networks too")


def _positive(text: str) -> int:
    if not text.isdecimal() or int(text) < 1:
        raise argparse.ArgumentTypeError(f"{text!r} is no whole number above 0")
    return int(text)


@command
def main(argv: Sequence[str] | None = None) -> None:
    """Run the command."""
    given = parse_arguments(argv)
    _refuse(given)
    require_matplotlib()
    prepare_runtime(given.device)
    files = _draw_costs(given) if given.kind == "costs" else _draw(given)
    for file in files:
        print(file)


def _refuse(given: argparse.Namespace) -> None:
    """Raise a ``FocusDetrError`` for what does not go together, before anything is loaded."""
    check_folder(given.out)
    if given.short_side and given.max_side and given.short_side > given.max_side:
        sides = f"--short-side {given.short_side} must be at most --max-side {given.max_side}"
        raise FocusDetrError(sides)
    if given.kind == "costs":
        _refuse_costs(given)
        return
    photographs = getattr(given, "photographs", ())
    if bool(photographs) == bool(given.annotations):
        either = "either photographs or --annotations" if photographs != () else "--annotations"
        raise FocusDetrError(f"give {either}")
    if given.images and not given.annotations:
        raise FocusDetrError("--images goes with --annotations")


def _refuse_costs(given: argparse.Namespace) -> None:
    if given.time and not given.pictures:
        raise FocusDetrError("--time needs --pictures")
    if given.warm_up and not given.time:
        raise FocusDetrError("--warm-up goes with --time")
    resizing = ("pictures", "short_side", "max_side")
    other = [f"--{name.replace('_', '-')}" for name in resizing if getattr(given, name)]
    if (given.height or given.width) and other:
        raise FocusDetrError(
            f"--height and --width are of an image that is taken as it is: without {other[0]}"
        )
    find_rows(given.rows)


def _draw(given: argparse.Namespace) -> list[Path]:
    from focus_detr.paper import session
    from focus_detr.paper.detectors import Viewing, named_files

    pictures = session.Pictures(
        tuple(getattr(given, "photographs", ())), given.annotations, given.images
    )
    if given.kind == "labels":
        short_side = given.short_side or 800
        sides = {"short_side": short_side, "max_side": given.max_side or max(1333, short_side)}
        shown = {"count": given.count, "limit": given.limit}
        return session.draw_label_figures(pictures, given.out, **shown, **sides)
    viewing = Viewing(given.short_side, given.max_side, given.graphs)
    if given.kind == "tokens":
        shown = {"count": given.count, "layer": given.layer, "threshold": given.threshold}
        files = named_files(given.checkpoint)
        return session.draw_token_figures(files, pictures, given.out, viewing=viewing, **shown)
    if given.kind == "objects":
        (file,) = named_files([given.checkpoint])
        shown = {"count": given.count, "limit": given.limit}
        return session.draw_object_figures(file, pictures, given.out, viewing=viewing, **shown)
    files = named_files(given.checkpoint)
    drawn, table = session.draw_quality_figures(
        files, pictures, given.out, limit=given.limit, viewing=viewing
    )
    print(table)
    return drawn


def _draw_costs(given: argparse.Namespace) -> list[Path]:
    from focus_detr.paper.costs_session import USUAL_SIZE, CostRequest, draw_cost_figures
    from focus_detr.paper.detectors import named_files
    from focus_detr.paper.photographs import picture_files
    from focus_detr.paper.timing import WARM_UP

    paths, whole = given.pictures, given.time > 0
    request = CostRequest(
        rows=find_rows(given.rows) if given.rows or not given.checkpoint else (),
        checkpoints=named_files(given.checkpoint or ()),
        pictures=picture_files(paths, given.out, MOST_PICTURES, whole=whole) if paths else (),
        size=_exact_size(given, USUAL_SIZE),
        short_side=given.short_side,
        max_side=given.max_side,
        check=not given.no_check,
        timed=given.time,
        warm_up=given.warm_up or WARM_UP,
    )
    files, table = draw_cost_figures(request, given.out)
    print(table)
    return files


def _exact_size(given: argparse.Namespace, usual: tuple[int, int]) -> tuple[int, int] | None:
    if given.height is None and given.width is None:
        return None
    return given.height or usual[0], given.width or usual[1]
