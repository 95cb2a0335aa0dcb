r"""Convert an exported MINDIR file for MindSpore Lite on Ascend; needs CANN and converter_lite.

    python scripts/convert_lite.py served/detector_800x1344.mindir --device 910B --out served_910b
    python scripts/convert_lite.py served/detector_800x1344.mindir --device 310P --out served_310p \
        --print

Writes the converter's settings, calls it, and writes the sidecar with which
`python predict.py --model served_910b photo.jpg` runs the result. With --print it writes the
settings only and tells the command, to be called elsewhere or by hand; the same call with --sidecar
then writes the sidecar of the file that came of it.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence

from focus_detr.deploy.lite_conversion import CONVERTER, SOC_VERSIONS, Conversion
from focus_detr.io.user_paths import path_text, user_path
from focus_detr.process.command_line import parse_intermixed
from focus_detr.process.runtime import command


def parse_arguments(argv: Sequence[str] | None) -> argparse.Namespace:
    """Command line of this program."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    add = parser.add_argument
    add("models", nargs="+", type=user_path, metavar="FILE.mindir", help="what export.py wrote")
    add("--device", choices=sorted(SOC_VERSIONS), required=True, help="kind of device")
    add("--out", type=user_path, required=True, help="folder for the converted files")
    add("--soc", help="exact name of the device, as npu-smi info tells, such as Ascend910B3")
    add("--converter", type=path_text, default=CONVERTER, help=f"its path ({CONVERTER})")
    only = parser.add_mutually_exclusive_group().add_argument
    only("--print", action="store_true", help="write the settings and tell the command only")
    only("--sidecar", action="store_true", help="of files in --out that were converted by hand")
    return parse_intermixed(parser, argv)


@command
def main(argv: Sequence[str] | None = None) -> None:
    """Run the command."""
    arguments = parse_arguments(argv)
    for model in arguments.models:
        conversion = Conversion(
            model, arguments.out, arguments.device, arguments.soc, arguments.converter
        )
        if arguments.print:
            print(conversion.prepare())
        else:
            print(f"wrote {conversion.describe() if arguments.sidecar else conversion.run()}")


if __name__ == "__main__":
    sys.exit(main(None))
