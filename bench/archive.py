"""What a second worker brings: the wall time of `tcpflows batch` over many files, with one worker and with two."""

from __future__ import annotations

import shutil
from typing import TYPE_CHECKING

from bench.measure import interleaved
from bench.programs import own

if TYPE_CHECKING:
    from pathlib import Path

FILES = 200
WORKERS = (1, 2)


def speed_up(folder: Path, capture: Path, packets: int, rounds: int, *, files: int = FILES) -> list[list[str]]:
    """Rows of text; the files are copies of one capture of so many `packets`."""
    archive, dataset = folder / "archive", folder / "dataset"
    shutil.rmtree(archive, ignore_errors=True)
    archive.mkdir()
    for number in range(files):
        shutil.copy(capture, archive / f"copy{number:03d}.pcap")
    rows = [["workers", "wall s", "CPU s", "packets a second", "one worker = 1", "peak MB of a process"]]
    unit = 0.0
    for workers in WORKERS:
        command = [*own(), "batch", str(archive), "-o", str(dataset), "-j", str(workers), "-q"]
        costs = []
        for _ in range(rounds):
            shutil.rmtree(dataset, ignore_errors=True)
            costs.append(interleaved({"batch": command}, 1)["batch"])
        cost = sorted(costs, key=lambda each: each.wall_s)[len(costs) // 2]
        unit = unit or cost.wall_s
        speed = files * packets / cost.wall_s
        wall, cpu, ratio = f"{cost.wall_s:.1f}", f"{cost.cpu_s:.1f}", f"{unit / cost.wall_s:.2f}"
        rows.append([str(workers), wall, cpu, f"{speed:,.0f}", ratio, f"{cost.peak_mb:.0f}"])
    shutil.rmtree(archive)
    shutil.rmtree(dataset)
    return rows
