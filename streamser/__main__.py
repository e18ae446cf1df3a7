"""The `streamser` command; `python -m streamser` is the same."""

from __future__ import annotations

import os
import sys


def main() -> int:
    """Run the command line on one BLAS thread, unless the user chose otherwise.

    numpy's BLAS reads its thread count once, when it is loaded, so this comes before all else.
    Only the command does it: who imports the library decides for the whole process.
    """
    if not {"OPENBLAS_NUM_THREADS", "OMP_NUM_THREADS"} & set(os.environ):
        os.environ["OPENBLAS_NUM_THREADS"] = "1"
    try:
        from streamser.cli import main as run

        return run()
    except KeyboardInterrupt:  # so early that nothing else could take it
        raise SystemExit("streamser: interrupted") from None


if __name__ == "__main__":
    sys.exit(main())
