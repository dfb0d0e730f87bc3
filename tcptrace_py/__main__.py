"""The command ``tcpflows``, also as ``python -m tcptrace_py``."""

from __future__ import annotations

import gc
import os


def main() -> None:
    """Set the process up, before anything large is loaded, and run the command line."""
    gc.disable()  # one run makes no garbage cycles that matter, and the collector would walk every connection again
    os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")  # numpy would start threads that spin; nothing here is for them
    from tcptrace_py.views.cli import run

    run()


if __name__ == "__main__":
    main()
