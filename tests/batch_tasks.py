"""Tasks for workers that are processes of their own: they import this."""

import os
import signal
import time
from pathlib import Path

from tcptrace_py.dataset.share import Share
from tcptrace_py.dataset.splitting import do


def square(number):
    return number * number


def fatal(number):
    """One number kills its worker every time; one only the first time."""
    folder = Path(os.environ["BATCH_TASKS"])
    if number == 3:
        os.kill(os.getpid(), signal.SIGKILL)
    if number == 5 and not (folder / "five").exists():
        (folder / "five").touch()
        os.kill(os.getpid(), signal.SIGKILL)
    return number * number


def slow(_number):
    """Longer than anybody waits."""
    (Path(os.environ["BATCH_TASKS"]) / str(os.getpid())).touch()
    time.sleep(600)


def fatal_share(step):
    """One share of a capture kills its worker: the first time, or always where a file says so."""
    folder = Path(os.environ["BATCH_TASKS"])
    if (
        isinstance(step, Share)
        and step.number == 1
        and ((folder / "always").exists() or not (folder / "once").exists())
    ):
        (folder / "once").touch()
        os.kill(os.getpid(), signal.SIGKILL)
    return do(step)
