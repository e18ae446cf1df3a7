"""Others who listen to a voice, each given the same speech in the same run on one core."""

import os

for name in ("OPENBLAS", "OMP", "MKL", "NUMBA"):  # before any of them is loaded
    os.environ[f"{name}_NUM_THREADS"] = "1"
