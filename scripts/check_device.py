"""Check that a device computes what a CPU computes, before a long training on it.

    python scripts/check_device.py --device Ascend
    python scripts/check_device.py --device GPU --checkpoint runs/sample/best.safetensors

Compares deformable attention by each of its implementations, forward and backward; with a
checkpoint also its detections on a drawn picture, where the CPU takes the device's choices so that
near ties do not matter, and losses and gradients of a batch. Expect a line for each, "equal" or
"not here" with the reason, within some minutes; status 1 says that one differs or fails, or that
nothing was here to compare. On a CPU the native operator is compared with MindSpore's operations.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence

from focus_detr.device_check.comparison import EQUAL, MISSING, check_device
from focus_detr.io.user_paths import path_text
from focus_detr.launch.checks import check_devices, choose_device
from focus_detr.process.runtime import command


def parse_arguments(argv: Sequence[str] | None) -> argparse.Namespace:
    """Command line of this program."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    add = parser.add_argument
    add("--device", help="CPU, GPU or Ascend; default: the best that is here")
    add("--checkpoint", type=path_text, help="a detector to compare as a whole too")
    add("--tolerance", type=float, default=1e-3, help="largest relative difference (1e-3)")
    return parser.parse_args(argv)


@command
def main(argv: Sequence[str] | None = None) -> int:
    """Run the command."""
    arguments = parse_arguments(argv)
    device = choose_device(arguments.device)
    check_devices(device, workers=1)
    print(f"{device} beside a CPU", flush=True)
    verdicts = set()
    for finding in check_device(device, arguments.checkpoint, arguments.tolerance):
        print(finding, flush=True)
        verdicts.add(finding.verdict)
    return 0 if EQUAL in verdicts and verdicts <= {EQUAL, MISSING} else 1


if __name__ == "__main__":
    sys.exit(main())
