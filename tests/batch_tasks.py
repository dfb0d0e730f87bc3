"""Tasks for workers that are processes of their own: they import this."""

import os
import signal
import time
from pathlib import Path


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
