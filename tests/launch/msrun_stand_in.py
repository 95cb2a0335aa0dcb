"""Stands in for msrun: starts workers that end as told, and then behaves as told itself.

    python msrun_stand_in.py MANNER CODE...

Workers end with the codes after a second, or by a signal where a code is negative.
"""

from __future__ import annotations

import os
import subprocess
import sys
import time

WORKER = """
import os, sys, time
time.sleep(1)
code = int(sys.argv[1])
os.kill(os.getpid(), -code) if code < 0 else sys.exit(code)
"""
SLOW = 60  # seconds of a scheduler that does not end


def start(rank: int, code: str) -> subprocess.Popen:
    return subprocess.Popen(
        [sys.executable, "-c", WORKER, code],
        env={**os.environ, "MS_NODE_ID": str(rank)},
        start_new_session=True,
    )


def main(manner: str, *codes: str) -> int:
    workers = [start(rank, code) for rank, code in enumerate(codes)]
    if manner == "asleep":  # it never looks at its workers
        time.sleep(SLOW)
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
