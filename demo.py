"""Show a detector on a web page, and serve it over HTTP; the same as ``focus-detr demo``.

    python demo.py --checkpoint best.safetensors
    python demo.py --model served --host 0.0.0.0 --port 80 --per-minute 20

Expect the page's address after some seconds; Ctrl-C stops.
"""

import sys

from focus_detr.commands.choice import script

main = script("demo")

if __name__ == "__main__":
    sys.exit(main())
