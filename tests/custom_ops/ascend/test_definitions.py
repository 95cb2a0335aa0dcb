"""The operators' host side against a stand-in for CANN's headers."""

from __future__ import annotations

import subprocess
from pathlib import Path

import pytest
from ascend_emulation import OPERATORS, SOURCES, EmulatedKernels, Shape, compiler

VALUE, FLOAT, INT32 = "0,1,27", "0,0,0", "3,3,3"  # numbers of CANN's DataType
BFLOAT16 = "27"  # type of the value in host/check_definitions.cpp


@pytest.fixture(scope="module")
def told(tmp_path_factory: pytest.TempPathFactory) -> dict[tuple[str, str], list[str]]:
    """What the definitions say, by operator and key."""
    if compiler() is None:
        pytest.skip("no g++ to compile the definitions with")
    program = tmp_path_factory.mktemp("host") / "check"
    host = OPERATORS / "op_host"
    command = [str(compiler()), "-std=c++17", "-Wall", "-Wextra", "-Werror"]
    command += [f"-I{SOURCES / 'host'}", f"-I{host}", *map(str, sorted(host.glob("*.cpp")))]
    command += [str(SOURCES / "host" / "check_definitions.cpp"), "-o", str(program)]
    subprocess.run(command, check=True)
    lines = subprocess.run([program], capture_output=True, text=True, check=True).stdout
    words = [line.split() for line in lines.splitlines()]
    return {(operator, key): values for operator, key, *values in words}


def test_tensors_and_types(told: dict[tuple[str, str], list[str]]) -> None:
    inputs = [
        *(f"value:{VALUE}", f"spatial_shapes:{INT32}", f"level_start_index:{INT32}"),
        *(f"sampling_locations:{FLOAT}", f"attention_weights:{FLOAT}"),
    ]
    assert told["FocusDetrMsda", "inputs"] == inputs
    assert told["FocusDetrMsda", "outputs"] == [f"output:{VALUE}"]
    assert told["FocusDetrMsdaGrad", "inputs"] == [*inputs, f"grad_output:{VALUE}"]
    gradients = ("grad_value", "grad_locations", "grad_weights")
    assert told["FocusDetrMsdaGrad", "outputs"] == [f"{name}:{FLOAT}" for name in gradients]


def test_inferred_shapes_and_types(told: dict[tuple[str, str], list[str]]) -> None:
    assert told["FocusDetrMsda", "shape_type_0"] == ["2", "7", "32", BFLOAT16]
    for index, expected in enumerate(("2 65 4 8 0", "2 7 4 4 3 2 0", "2 7 4 4 3 0")):
        assert told["FocusDetrMsdaGrad", f"shape_type_{index}"] == expected.split()


@pytest.mark.parametrize("operator", ["FocusDetrMsda", "FocusDetrMsdaGrad"])
def test_tiling_data_is_the_plan(
    told: dict[tuple[str, str], list[str]], library: Path, operator: str
) -> None:
    shape = Shape(2, 65, 4, 8, 7, 4, 3, 2)
    plan = EmulatedKernels(library).plan(shape, operator.endswith("Grad"), cores=48)
    assert plan is not None
    done, blocks, workspace, *numbers = map(int, told[operator, "tiling"])
    assert done == 1
    assert blocks == plan.cores
    assert workspace > 0  # the barrier of all cores needs some
    assert numbers == [getattr(plan, name) for name, _ in plan._fields_]
    assert told[operator, "other_heads"] == ["0"]  # refused
