"""Draw what the model is fed; the same as ``focus-detr browse``.

    python scripts/browse_data.py --config config/mine.yaml --out browsed --count 24

Expect a summary of the data, and a picture for each image in the folder.
"""

import sys

from focus_detr.commands.choice import script

main = script("browse")

if __name__ == "__main__":
    sys.exit(main())
