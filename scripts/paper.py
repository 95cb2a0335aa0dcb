"""Draw the paper's figures and tables; the same as ``focus-detr paper``.

    python scripts/paper.py tokens --checkpoint runs/sample/best.safetensors data/sample/val

Expect figures (PNG, PDF) and the numbers behind them (JSON) in the folder ``figures``.
"""

import sys

from focus_detr.commands.choice import script

main = script("paper")

if __name__ == "__main__":
    sys.exit(main())
