"""Focus-DETR on MindSpore."""

import os

# On AVX-512 processors oneDNN otherwise chooses its reference convolution, which is 100 times
# slower (MindSpore 2.10). It has to be set before MindSpore loads; a user's own value wins.
os.environ.setdefault("ONEDNN_MAX_CPU_ISA", "AVX2")

# 3 keeps MindSpore's errors only; also read when it loads.
os.environ.setdefault("GLOG_v", "3")

__version__ = "0.1.0"
