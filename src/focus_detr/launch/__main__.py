"""``python -m focus_detr.launch``: what ``scripts/run_distribute_*.sh`` call."""

from __future__ import annotations

import sys

from focus_detr.launch.command import main

if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
