"""What `--split` brings: the wall time of `tcpflows batch` over one large capture, with it and without."""

from __future__ import annotations

import shutil
from typing import TYPE_CHECKING

from bench.measure import Cost, run
from bench.programs import own

if TYPE_CHECKING:
    from pathlib import Path

WORKERS = 2
ASKED = {"default tables": [], "with the timeline": ["--timeline"]}


def speed_up(folder: Path, capture: Path, packets: int, rounds: int) -> list[list[str]]:
    """Rows of text; each round does all of it once, so that load falls on all alike."""
    dataset = folder / "dataset"
    taken: dict[tuple[str, str], list[Cost]] = {}
    for _ in range(rounds):
        for name, tables in ASKED.items():
            for how in ("", "--split"):
                shutil.rmtree(dataset, ignore_errors=True)
                options = ["-o", str(dataset), "-j", str(WORKERS), "-q", *tables, *([how] if how else [])]
                taken.setdefault((name, how), []).append(run([*own(), "batch", str(capture), *options]))
    shutil.rmtree(dataset)
    rows = [["batch of one capture", "wall s", "CPU s", "packets a second", "without = 1", "peak MB of a process"]]
    middle = {key: sorted(costs, key=lambda each: each.wall_s)[len(costs) // 2] for key, costs in taken.items()}
    for (name, how), cost in middle.items():
        times = middle[name, ""].wall_s / cost.wall_s
        wall, cpu, speed = f"{cost.wall_s:.1f}", f"{cost.cpu_s:.1f}", f"{packets / cost.wall_s:,.0f}"
        rows.append([f"{name}, {how}" if how else name, wall, cpu, speed, f"{times:.2f}", f"{cost.peak_mb:.0f}"])
    return rows
