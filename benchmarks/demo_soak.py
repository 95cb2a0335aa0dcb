"""Send many requests to the demo, and watch its memory and its answers.

    python benchmarks/demo_soak.py --checkpoint best.safetensors photo.jpg other.png
    python benchmarks/demo_soak.py --checkpoint best.safetensors --requests 2000 --people 8 photos/*

Starts demo.py on a free port of this machine. Several people ask at once; each tenth request is a
broken picture. Every answer must be what the same picture got at first. Expect one line per part of
the run; status 1 if an answer was lost or differed, or if memory grew by more than --growth
megabytes from the second quarter of the run to the last.
"""

from __future__ import annotations

import argparse
import http.client
import json
import subprocess
import sys
import time
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from functools import partial
from pathlib import Path
from typing import Any

import psutil

from focus_detr.errors import FocusDetrError
from focus_detr.io.files import write_json
from focus_detr.io.user_paths import path_text, user_path
from focus_detr.process.command_line import parse_intermixed
from focus_detr.process.runtime import command
from focus_detr.wording import counted

PARTS = 20
MEGABYTE = 1 << 20
BROKEN_EVERY = 10
OPEN = ("--per-minute=1000000", "--at-once=32")  # as all requests come from this machine
PROGRAM = Path(__file__).resolve().parents[1] / "demo.py"


@dataclass(frozen=True)
class Part:
    """What happened in one part of the run."""

    requests: int  # since the start
    wrong: int  # answers in this part that were lost or differed
    per_second: float
    memory: float  # megabytes of the server after it


def parse_arguments(argv: Sequence[str] | None) -> argparse.Namespace:
    """Command line of this program."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    add = parser.add_argument
    add("pictures", nargs="+", type=user_path, help="picture files to send")
    source = parser.add_mutually_exclusive_group(required=True)
    source.add_argument("--checkpoint", type=path_text, help="weights to use")
    source.add_argument("--model", type=path_text, help="what export.py wrote")
    add("--requests", type=int, default=2000, help="in all (2000)")
    add("--people", type=int, default=4, help="that ask at once (4)")
    add("--growth", type=float, default=20, help="megabytes that memory may grow (20)")
    add("--json", type=user_path, help="also write the numbers here")
    return parse_intermixed(parser, argv)


@contextmanager
def server(arguments: Sequence[str]) -> Iterator[tuple[subprocess.Popen[str], int]]:
    """``demo.py`` and its port, while the block runs.

    Raises:
        FocusDetrError: it did not start.
    """
    whole = [sys.executable, str(PROGRAM), *arguments, "--port=0", *OPEN]
    with subprocess.Popen(whole, stdout=subprocess.PIPE, text=True) as process:
        try:
            assert process.stdout is not None
            process.stdout.readline()  # that it loads
            ready = process.stdout.readline()
            if not ready.startswith("ready: "):
                raise FocusDetrError("demo.py did not start")
            yield process, int(ready.split()[1].rpartition(":")[2])
        finally:
            process.terminate()


def ask(port: int, body: bytes) -> dict[str, Any]:
    """The server's answer without its timing; what is no answer at all becomes ``lost``."""
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=120)
    try:
        connection.request("POST", "/api/detections?threshold=0", body)
        answer = json.loads(connection.getresponse().read())
    except (OSError, ValueError, http.client.HTTPException) as error:
        return {"lost": repr(error)}
    finally:
        connection.close()
    answer.pop("milliseconds", None)
    return answer


def run(port: int, process: psutil.Process, bodies: Sequence[bytes], arguments: Any) -> list[Part]:
    """Ask in parts, and look at the server after each."""
    expected = {body: ask(port, body) for body in set(bodies)}
    size = -(-arguments.requests // PARTS)
    parts: list[Part] = []
    with ThreadPoolExecutor(arguments.people) as people:
        for start in range(0, arguments.requests, size):
            numbers = range(start, min(start + size, arguments.requests))
            chosen = [bodies[number % len(bodies)] for number in numbers]
            started = time.perf_counter()
            answers = people.map(partial(ask, port), chosen)
            pairs = zip(chosen, answers, strict=True)
            wrong = sum(answer != expected[body] for body, answer in pairs)
            speed = len(chosen) / (time.perf_counter() - started)
            memory = process.memory_info().rss / MEGABYTE
            parts.append(Part(numbers.stop, wrong, round(speed, 2), round(memory, 1)))
            print("{:>6} requests  {} wrong  {:>7.2f}/s  {:>8.1f} MB".format(*_row(parts[-1])))
    return parts


def growth(parts: Sequence[Part]) -> float:
    """Megabytes between the highest memory of the second quarter and that of the last."""
    quarter = max(1, len(parts) // 4)
    second, last = parts[quarter : 2 * quarter] or parts, parts[-quarter:]
    return max(part.memory for part in last) - max(part.memory for part in second)


def with_broken(bodies: Sequence[bytes]) -> list[bytes]:
    """The pictures in turn; each tenth is the first half of one."""
    turns = [bodies[number % len(bodies)] for number in range(BROKEN_EVERY * len(bodies))]
    return [
        body[: len(body) // 2] if number % BROKEN_EVERY == BROKEN_EVERY - 1 else body
        for number, body in enumerate(turns)
    ]


@command
def main(argv: Sequence[str] | None = None) -> int:
    """Run the command."""
    arguments = parse_arguments(argv)
    try:
        bodies = with_broken([path.read_bytes() for path in arguments.pictures])
    except OSError as error:
        raise FocusDetrError(f"cannot read {error.filename}: {error.strerror}") from error
    source = (
        ("--checkpoint", arguments.checkpoint)
        if arguments.checkpoint
        else ("--model", arguments.model)
    )
    with server(source) as (process, port):
        parts = run(port, psutil.Process(process.pid), bodies, arguments)
    grown, wrong = growth(parts), sum(part.wrong for part in parts)
    print(f"{counted(wrong, 'answer')} lost or different; memory grew by {grown:.1f} MB")
    if arguments.json:
        write_json(arguments.json, [asdict(part) for part in parts], indent=1)
    return int(wrong > 0 or grown > arguments.growth)


def _row(part: Part) -> tuple[int, int, float, float]:
    return part.requests, part.wrong, part.per_second, part.memory


if __name__ == "__main__":
    sys.exit(main(None))
