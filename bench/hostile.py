"""What a packet of a flood costs, beside a packet of the ordinary mix: CPU time and memory of `tcpflows analyze`."""

from __future__ import annotations

import subprocess
import sys
from typing import TYPE_CHECKING

from bench.measure import interleaved
from bench.programs import HERE, own

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

ORDINARY = "medium"
PACKETS = {
    "syns": 10_000_000,
    "scattered-syns": 2_000_000,
    "holes": 1_000_000,
    "scattered-holes": 1_000_000,
    "octets": 2_000_000,
    "resets": 1_000_000,
    "fins": 1_000_000,
    "reuses": 1_000_000,
    "sacks": 1_000_000,
}
"""Floods (`floods.FLOODS`), and how many packets of each."""


def costs(folder: Path, made: Callable[[str], Path], packets: int, rounds: int, *, quick: bool) -> list[list[str]]:
    """Rows of text; a flood is made in `folder`, and goes when it is measured. `packets` are in the ordinary mix."""
    rows = [["capture", "packets", "CPU s", "us a packet", "ordinary = 1", "peak MB"]]
    unit = 0.0
    for name, number in {ORDINARY: packets, **PACKETS}.items():
        n = number // 500 if quick and name != ORDINARY else number
        path = made(ORDINARY) if name == ORDINARY else _flood(name, n, folder)
        try:
            cost = interleaved({name: [*own(), "analyze", "-q", str(path)]}, rounds)[name]
        finally:
            if name != ORDINARY:
                path.unlink()
        each = cost.cpu_s / n * 1e6
        unit = unit or each
        rows.append([name, f"{n:,}", f"{cost.cpu_s:.2f}", f"{each:.2f}", f"{each / unit:.2f}", f"{cost.peak_mb:.0f}"])
    return rows


def _flood(name: str, packets: int, folder: Path) -> Path:
    """The flood in a file: through a pipe its maker would be measured, too."""
    path = folder / f"flood-{name}.pcap"
    with path.open("wb") as file:
        subprocess.run(
            [sys.executable, "-m", "bench.floods", name, str(packets)], cwd=HERE.parent, stdout=file, check=True
        )
    return path
