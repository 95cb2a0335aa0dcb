"""Check and measure the CUDA kernels of deformable sampling on a GPU, without MindSpore.

    python benchmarks/msda_gpu.py
    python benchmarks/msda_gpu.py --json out.json
    python benchmarks/msda_gpu.py --check

Builds the libraries for CPU and GPU where none is named (needs g++ and nvcc), compares every result
with the CPU's, and then measures with the events of the driver; of Python it needs NumPy alone.
The value is that of an image, by default of 800 x 1066: [1, 17821, 8, 32] with 4 levels and 4
points. Queries: all tokens and half of them, around themselves as in the encoder, and 900 that look
anywhere, as in the decoder. Times are medians in milliseconds. "cold": with other data in the
caches before each call. "floor": what has to come from or go to memory, each byte once, at the
speed of a plain copy on this GPU. "gather": bytes of neighbours per second, most of which caches
serve. If torch is installed with a GPU, its grid_sample composition is measured too. The exit
status is 1 if a result is wrong.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import asdict, dataclass, fields
from pathlib import Path
from statistics import median

import numpy as np
from cuda_driver import DRIVER, CudaError, Gpu
from msda_c_interface import (
    FLOAT32,
    HALF_UNITS,
    KINDS,
    VALUE_BYTES,
    DeviceRun,
    HostRun,
    Library,
    StatusError,
)
from msda_gpu_cases import Case, make_cases

from focus_detr.io.user_paths import user_path

BUILDERS = Path(__file__).resolve().parents[1] / "custom_ops"
WARM_UP = 5
COPY_BYTES = 2**30
FLUSH_BYTES = 2**28  # more than any L2 cache
OUTPUT_TOLERANCE, GRADIENT_TOLERANCE = 1e-5, 2e-5  # of the largest magnitude
EXIT_WRONG, EXIT_BAD_INPUT = 1, 2


class BuildFailed(Exception):
    """A library could not be built; the text is the builder's."""


@dataclass(frozen=True)
class Row:
    """Milliseconds of one operator on one set of queries; medians of all runs."""

    queries: str
    operator: str
    kind: str
    forward: float
    backward: float
    cold_forward: float | None = None
    cold_backward: float | None = None
    forward_floor: float | None = None
    backward_floor: float | None = None
    forward_gather_tb: float | None = None  # TB/s
    forward_best: float | None = None
    backward_best: float | None = None


MEASURED = tuple(field.name for field in fields(Row))[3:]  # without the names


@dataclass(frozen=True)
class Machine:
    """A GPU with the library under test."""

    gpu: Gpu
    native: Library
    copy_gb: float  # GB/s, read and written bytes together
    repeat: int


def parse_arguments(argv: Sequence[str] | None) -> argparse.Namespace:
    """Command line of this program."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument(
        "--library", dest="built", type=user_path, help="built by custom_ops/build_cuda.py"
    )
    parser.add_argument("--cpu-library", type=user_path, help="built by custom_ops/build.py")
    parser.add_argument("--height", type=int, default=800, help="of the image (800)")
    parser.add_argument("--width", type=int, default=1066, help="of the image (1066)")
    parser.add_argument("--repeat", type=int, default=30, help="timed runs (30)")
    parser.add_argument("--check", action="store_true", help="compare with the CPU only")
    parser.add_argument("--driver", default=DRIVER, help=f"library of the driver ({DRIVER})")
    parser.add_argument("--json", type=user_path, help="also write the numbers to this file")
    return parser.parse_args(argv)


@contextmanager
def built(script: str, path: Path | None) -> Iterator[Path]:
    """A named library, or one that a script of ``custom_ops`` builds.

    Raises:
        BuildFailed: the script could not.
    """
    if path is not None:
        yield path
        return
    with tempfile.TemporaryDirectory() as folder:
        command = [sys.executable, str(BUILDERS / script), "--out", folder]
        finished = subprocess.run(command, capture_output=True, text=True, check=False)
        if finished.returncode:
            raise BuildFailed(finished.stderr.strip())
        yield Path(finished.stdout.strip())


def largest_error(found: np.ndarray, expected: np.ndarray, unit: float = 0.0) -> float:
    """Beyond the rounding to a type of value, relative to the largest magnitude; NaN counts."""
    scale = float(np.abs(expected).max(initial=1e-30))
    error = np.abs(found - expected) - 1.01 * unit * np.abs(expected)
    return float("inf") if np.isnan(error).any() else max(float(error.max()) / scale, 0.0)


def check_run(run: DeviceRun, exact: HostRun) -> tuple[float, float]:
    """Largest errors of output and gradients."""
    run.forward()
    output = largest_error(run.output(), exact.output, HALF_UNITS[run.kind])
    run.backward()
    pairs = zip(run.gradients(), exact.gradients, strict=True)
    return output, max(largest_error(found, expected) for found, expected in pairs)


def check_cases(gpu: Gpu, library: Library, cpu: Library, cases: Sequence[Case]) -> bool:
    """Compare all operators, types and cases with the CPU's library; prints a line each."""
    right = True
    for case in cases:
        for fused in (False, True):
            for kind in KINDS:
                run = DeviceRun(library, gpu, case, fused, kind)
                output, gradient = check_run(run, HostRun(cpu, case, fused, kind))
                good = output <= OUTPUT_TOLERANCE and gradient <= GRADIENT_TOLERANCE
                right = right and good
                print(
                    f"{'right' if good else 'WRONG'}  {case.name:15}  {operator_name(fused):5}  "
                    f"{kind:8}  output {output:.1e}  gradients {gradient:.1e}"
                )
                gpu.free_all()
    return right


def operator_name(fused: bool) -> str:
    """As tables show it."""
    return "fused" if fused else "plain"


def copy_speed(gpu: Gpu) -> float:
    """GB/s of a plain copy, read and written bytes together."""
    source, target = (gpu.empty((COPY_BYTES,), np.uint8) for _ in range(2))
    times = gpu.time(lambda: gpu.copy(source, target), 2 * WARM_UP)
    gpu.free_all()
    return 2 * COPY_BYTES / min(times) / 1e6


def measure(machine: Machine, case: Case, fused: bool, kind: str) -> Row:
    """Warm and cold times of both passes."""
    gpu, repeat = machine.gpu, machine.repeat
    run = DeviceRun(machine.native, gpu, case, fused, kind)
    flushed = gpu.empty((FLUSH_BYTES,), np.uint8)
    warm, cold = [], []
    for call in (run.forward, run.backward):
        warm.append(gpu.time(call, WARM_UP + repeat)[WARM_UP:])
        cold.append(gpu.time(call, repeat, lambda: gpu.fill(flushed)))
    gpu.free_all()
    floors = [
        case.memory_bytes(fused, VALUE_BYTES[kind], backward) / machine.copy_gb / 1e6
        for backward in (False, True)
    ]
    medians = [median(times) for times in (*warm, *cold)]
    gather = case.gathered_bytes(VALUE_BYTES[kind]) / medians[0] / 1e9
    best = [min(times) for times in warm]
    numbers = dict(zip(MEASURED, (*medians, *floors, gather, *best), strict=True))
    return Row(case.name, operator_name(fused), kind, **numbers)


def torch_rows(cases: Sequence[Case], repeat: int) -> list[Row]:
    """The grid_sample composition, if torch is here and has a GPU."""
    try:
        from msda_gpu_torch import composition_times
    except ImportError:
        return []
    rows = []
    for case in cases:
        times = composition_times(case, repeat)
        if times is not None:
            rows.append(Row(case.name, "torch", FLOAT32, *(median(runs) for runs in times)))
    return rows


def print_table(rows: Sequence[Row]) -> None:
    """One line per row; milliseconds."""
    print(
        f"\n{'queries':15}  {'operator':8}  {'type':8}  {'forward':>8}  {'cold':>8}  {'floor':>8}  "
        f"{'backward':>8}  {'cold':>8}  {'floor':>8}  {'gather TB/s':>11}"
    )
    for row in rows:
        forward = (row.forward, row.cold_forward, row.forward_floor)
        numbers = (*forward, row.backward, row.cold_backward, row.backward_floor)
        cells = "  ".join(f"{'' if x is None else format(x, '.4f'):>8}" for x in numbers)
        gather = "" if row.forward_gather_tb is None else f"{row.forward_gather_tb:.2f}"
        print(f"{row.queries:15}  {row.operator:8}  {row.kind:8}  {cells}  {gather:>11}")


def write_report(path: Path, machine: Machine, rows: Sequence[Row]) -> None:
    """Numbers as JSON, whole or not at all."""
    report = {
        "gpu": machine.gpu.describe(),
        "copy_gb_per_second": machine.copy_gb,
        "repeat": machine.repeat,
        "rows": [asdict(row) for row in rows],
    }
    part = path.with_name(f"{path.name}.{os.getpid()}.part")
    part.write_text(json.dumps(report, indent=1) + "\n")
    os.replace(part, path)


def benchmark(arguments: argparse.Namespace, gpu: Gpu, library: Library, cpu: Library) -> int:
    """Check, then measure; the exit status."""
    cases = make_cases(arguments.height, arguments.width)
    print(gpu.describe())
    if not check_cases(gpu, library, cpu, cases):
        return EXIT_WRONG
    if arguments.check:
        return 0
    machine = Machine(gpu, library, copy_speed(gpu), arguments.repeat)
    print(f"copy: {machine.copy_gb:.0f} GB/s, read and written")
    rows = [
        measure(machine, case, fused, kind)
        for case in cases
        for fused in (False, True)
        for kind in KINDS
    ]
    rows += torch_rows(cases, arguments.repeat)
    print_table(rows)
    if arguments.json:
        write_report(arguments.json, machine, rows)
    return 0


def main(argv: Sequence[str] | None = None) -> int:
    """Run the command."""
    arguments = parse_arguments(argv)
    try:
        gpu = Gpu(arguments.driver)
        with (
            built("build_cuda.py", arguments.built) as library,
            built("build.py", arguments.cpu_library) as cpu_library,
        ):
            return benchmark(arguments, gpu, Library(library), Library(cpu_library))
    except (BuildFailed, CudaError, StatusError, OSError) as error:
        print(f"error: {error}", file=sys.stderr)
        return EXIT_BAD_INPUT


if __name__ == "__main__":
    sys.exit(main())
