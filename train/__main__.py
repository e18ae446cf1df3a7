"""`python -m train`."""

from __future__ import annotations

import os
import sys

from train.cli import main

if __name__ == "__main__":
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")  # TensorFlow's own remarks on the machine
    sys.exit(main())
