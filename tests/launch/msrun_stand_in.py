"""Stands in for msrun: starts workers that end as told, and then behaves as told itself.

    python msrun_stand_in.py MANNER END...

Workers end with a status after a second, or by a signal where the number is negative; with "done"
before the number, after saying that they succeeded. One that "saves" runs until SIGTERM and then
leaves a file in the working directory; one that "ends", with a number behind the word, then ends so
instead; one that saves "slowly" needs a moment for it, in which a second SIGTERM ends it; one that
"hangs" hears nothing, nor does one that "meets" others.
All of them leave a file there when they are ready.
"""

from __future__ import annotations

import os
import subprocess
import sys
import time

SLOW = 60  # seconds of what does not end
WORKER = f"""
import os, pathlib, signal, sys, time
from focus_detr.process.worker_marks import MEETING, SUCCESS, leave_mark, marked
end = sys.argv[1]

def note(word):
    pathlib.Path(word + os.environ["MS_NODE_ID"]).touch()

def leave(code):
    if code == 0:
        leave_mark(SUCCESS)
    os.kill(os.getpid(), -code) if code < 0 else sys.exit(code)

def save(number, frame):
    if end == "slowly":
        signal.signal(signal.SIGTERM, signal.SIG_DFL)
        note("asked_")
        time.sleep(0.6)
    if end.startswith("ends"):
        signal.signal(signal.SIGTERM, signal.SIG_DFL)
        leave(int(end.removeprefix("ends")))
    note("saved_")
    sys.exit(130)

if end == "meets":
    signal.signal(signal.SIGTERM, signal.SIG_IGN)
    with marked(MEETING):
        note("ready_")
        time.sleep({SLOW})
if end in ("saves", "slowly", "hangs") or end.startswith("ends"):
    signal.signal(signal.SIGTERM, signal.SIG_IGN if end == "hangs" else save)
    note("ready_")
    time.sleep({SLOW})
time.sleep(1)
if end.startswith("done"):
    leave_mark(SUCCESS)
leave(int(end.removeprefix("done")))
"""


def start(rank: int, end: str) -> subprocess.Popen:
    return subprocess.Popen(
        [sys.executable, "-c", WORKER, end],
        env={**os.environ, "MS_NODE_ID": str(rank)},
        start_new_session=True,
    )


def main(manner: str, *ends: str) -> int:
    if manner == "loading":
        time.sleep(SLOW)
    workers = [start(rank, end) for rank, end in enumerate(ends)]
    failed = [worker for worker in workers if worker.wait() != 0]
    if manner == "interrupted":
        print("[WARNING] msrun process received SIGINT (Ctrl+C), terminating all workers.")
        return 0
    if manner != "silent":
        for worker in failed[:1]:
            said = f"Worker process {worker.pid} exit with exception. Error code:"
            print(f"[ERROR] {said} {worker.returncode}.", flush=True)
    if manner != "prompt":
        time.sleep(SLOW)
    return int(bool(failed))


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))
