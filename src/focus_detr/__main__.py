"""``python -m focus_detr COMMAND``: the same as ``focus-detr COMMAND``."""

from __future__ import annotations

import sys

from focus_detr.commands.choice import main

if __name__ == "__main__":
    sys.exit(main())
