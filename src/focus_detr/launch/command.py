"""The launcher's command line: from the user's words to a job."""

from __future__ import annotations

import argparse
import time
from collections.abc import Sequence
from pathlib import Path

from focus_detr.config.loading import load_config
from focus_detr.errors import FocusDetrError
from focus_detr.io.user_paths import path_text
from focus_detr.launch.checks import (
    check_devices,
    check_port,
    choose_device,
    find_msrun,
    free_port,
)
from focus_detr.launch.job import Job
from focus_detr.launch.supervisor import Supervisor
from focus_detr.process.command_line import CONFIG_HELP, parse_intermixed
from focus_detr.process.runtime import command
from focus_detr.training.run_folder import RunFolder

MULTI_NODE_PORT = 8118
_LOCAL = "127.0.0.1"


def parse_arguments(argv: Sequence[str] | None) -> argparse.Namespace:
    """Command line; the first word is the kind of run, ``train`` or ``eval``."""
    kind, *words = argv or ["train", "--help"]
    parser = argparse.ArgumentParser(
        prog=f"run_distribute_{kind}.sh", description=f"{kind} a network"
    )
    parser.set_defaults(kind=kind)
    _add_common(parser)
    if kind == "eval":
        parser.add_argument(
            "checkpoint", type=path_text, metavar="CHECKPOINT", help="weights to evaluate"
        )
        parser.add_argument("--batch-size", type=int, help="of a worker; default: eval.batch_size")
        parser.add_argument(
            "--results-out", type=path_text, help="save the detections here (COCO results)"
        )
        parser.add_argument("--json", type=path_text, help="save the metrics here")
    else:
        parser.add_argument("--resume", action="store_true", help="go on with the run")
    parser.add_argument("overrides", nargs="*", metavar="key=value", help="change settings")
    return parse_intermixed(parser, words)


def _add_common(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--script", required=True, help=argparse.SUPPRESS)
    parser.add_argument("workers", type=int, metavar="N", help="workers on each machine")
    parser.add_argument("config", type=path_text, metavar="CONFIG", help=CONFIG_HELP)
    parser.add_argument("--nodes", type=int, help="machines; default: 1")
    parser.add_argument("--node-rank", type=int, help="which of them this one is, from 0")
    parser.add_argument("--master", help="address of machine 0")
    parser.add_argument("--port", type=int, help="of machine 0, 1024 to 65535")
    parser.add_argument("--device", help="CPU, GPU or Ascend; default: what is here")


def build_job(arguments: argparse.Namespace) -> Job:
    """Check what the user wants against what is here.

    Raises:
        FocusDetrError: something is missing, in use, or contradicts itself.
    """
    nodes = _checked_nodes(arguments)
    find_msrun()
    config = load_config(arguments.config, arguments.overrides)
    device = choose_device(arguments.device)
    check_devices(device, arguments.workers)
    node = arguments.node_rank or 0
    folder = Path(config.train.output_dir)
    if arguments.kind == "eval":
        folder = _checkpoint(arguments).parent
    else:
        if node == 0:  # it starts the worker that writes, perhaps before the others look
            RunFolder(folder).refuse_second_run()
        RunFolder(folder).refuse_overwriting(arguments.resume)
    return Job(
        script=(arguments.script, *_script_arguments(arguments, device)),
        device=device,
        nodes=nodes,
        workers=arguments.workers,
        node_rank=node,
        master=arguments.master or _LOCAL,
        port=_port(arguments.port, nodes, node),
        logs=folder / "logs" / _log_name(arguments.kind, nodes, node),
    )


@command
def main(argv: Sequence[str] | None) -> int:
    """Run the command."""
    return Supervisor(build_job(parse_arguments(argv))).run()


def _checked_nodes(arguments: argparse.Namespace) -> int:
    """How many machines there are, after a look at what is said of this one."""
    if arguments.workers < 1:
        raise FocusDetrError(f"N must be at least 1, got {arguments.workers}")
    given = [arguments.node_rank is not None, arguments.master is not None]
    if arguments.nodes is None and any(given):
        raise FocusDetrError(
            "--node-rank and --master are for several machines; say with --nodes how many there are"
        )
    nodes = 1 if arguments.nodes is None else int(arguments.nodes)
    if nodes < 1:
        raise FocusDetrError(f"--nodes must be at least 1, got {nodes}")
    if nodes > 1 and not all(given):
        raise FocusDetrError(
            f"--nodes {nodes} also needs --node-rank (0 to {nodes - 1}, another one on each "
            "machine) and --master (the address of machine 0)"
        )
    if not 0 <= (arguments.node_rank or 0) < nodes:
        raise FocusDetrError(
            f"--node-rank must be 0 to {nodes - 1} for --nodes {nodes}, got {arguments.node_rank}"
        )
    return nodes


def _checkpoint(arguments: argparse.Namespace) -> Path:
    path = Path(arguments.checkpoint)
    if not path.exists():
        raise FocusDetrError(f"there is no checkpoint {path}")
    return path


def _port(wanted: int | None, nodes: int, node: int) -> int:
    if wanted is None and nodes == 1:
        return free_port()
    port = MULTI_NODE_PORT if wanted is None else wanted
    check_port(port, listens=node == 0)
    return port


def _script_arguments(arguments: argparse.Namespace, device: str) -> list[str]:
    words = ["--config", arguments.config, "--device", device]
    if arguments.kind == "train":
        words += ["--no-progress", *(["--resume"] if arguments.resume else [])]
    else:
        words += ["--checkpoint", arguments.checkpoint]
        for name in ("batch_size", "results_out", "json"):
            value = getattr(arguments, name)
            words += [] if value is None else [f"--{name.replace('_', '-')}", str(value)]
    return [*words, *arguments.overrides]


def _log_name(kind: str, nodes: int, node: int) -> str:
    name = time.strftime(f"{kind}-%Y%m%d-%H%M%S")
    return f"{name}-node{node}" if nodes > 1 else name
