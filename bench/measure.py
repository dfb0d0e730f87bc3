"""Run commands in turn, several rounds, and take what each process cost.

Imports nothing large: a child inherits its parent's peak memory until it executes.
"""

from __future__ import annotations

import os
import statistics
import subprocess
import tempfile
import time
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Cost:
    """What one run of a whole process took, children included."""

    cpu_s: float
    wall_s: float
    peak_mb: float


class FailedError(Exception):
    """A command did not do its work; a figure of it would mean nothing."""


def run(command: list[str]) -> Cost:
    """Run one command, its output thrown away."""
    with tempfile.TemporaryFile() as complaints:
        start = time.monotonic()
        process = subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=complaints)
        _, status, usage = os.wait4(process.pid, 0)
        wall = time.monotonic() - start
        process.returncode = os.waitstatus_to_exitcode(status)  # wait4 has reaped it: Popen must not try
        if process.returncode:
            complaints.seek(0)
            told = complaints.read()[-300:].decode(errors="replace")
            raise FailedError(f"{' '.join(command)} ended with {process.returncode}: {told}")
    return Cost(usage.ru_utime + usage.ru_stime, wall, usage.ru_maxrss / 1024)


def interleaved(commands: dict[str, list[str]], rounds: int) -> dict[str, Cost]:
    """Medians by name; each round runs every command once, so that load falls on all alike."""
    taken: dict[str, list[Cost]] = {name: [] for name in commands}
    for _ in range(rounds):
        for name, command in commands.items():
            taken[name].append(run(command))
    return {
        name: Cost(
            statistics.median(cost.cpu_s for cost in costs),
            statistics.median(cost.wall_s for cost in costs),
            max(cost.peak_mb for cost in costs),
        )
        for name, costs in taken.items()
    }
