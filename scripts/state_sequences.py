"""The states of each endpoint, in order, beside what the kernel went through.

The timeline has one state of an endpoint a row; where it passes two in one frame, the `states` table has both.
"""

from __future__ import annotations

from collections import Counter
from itertools import groupby
from typing import TYPE_CHECKING

import tcptrace_py as tt
from scripts.truth_table import STATES

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

TOO_SHORT_NS = 100_000  # FIN_WAIT_2 left again so soon shows in no packet; being in it or not is right


def collapsed(states: Sequence[str]) -> list[str]:
    """Without the same state twice in a row."""
    return [state for state, _ in groupby(states)]


def right_sequences(runs: Path) -> dict[str, dict[str, float]]:
    """Row of the accuracy table -> capture point -> share of endpoints whose sequence of states is the kernel's."""
    import pandas as pd

    kernel = dict(iter(pd.read_parquet(runs / "states.parquet").groupby(["run", "conn", "side"])))
    ports = pd.read_parquet(runs / "conns.parquet").set_index(["run", "conn"])["cport"]
    right: Counter[tuple[str, str]] = Counter()
    asked: Counter[tuple[str, str]] = Counter()
    for capture in sorted(runs.glob("*.pcap")):
        run, tap, _ = capture.name.split(".")
        trace = tt.analyze(capture, tables=["connections", "states"])
        stays = trace.arrow("states").to_pylist()
        for conn in trace:
            exchanged = conn.record["client_port"] != ports[run, conn.conn_id]  # in a simultaneous open either may be
            for end, other in (("client", "server"), ("server", "client")):
                said = [s["state"] for s in stays if s["conn_id"] == conn.conn_id and s["endpoint"] == end]
                side = other if exchanged else end
                asked[tap, side] += 1
                right[tap, side] += agrees(said, kernel.get((run, conn.conn_id, side)))
    rows: dict[str, dict[str, float]] = {}
    for (tap, side), n in asked.items():
        rows.setdefault(f"the same for the {side}, by the `states` table", {})[tap] = right[tap, side] / n
    return rows


def agrees(said: list[str], truth: object) -> bool:
    """Are the states those of the kernel, with or without a FIN_WAIT_2 that no packet shows?"""
    ours = collapsed(["CLOSED", *(STATES.get(state, state) for state in said)])
    if truth is None:
        return ours == ["CLOSED"]
    states, times = ["CLOSED", *truth.new], [0, *truth.t]  # type: ignore[attr-defined]
    stay = [later - time for time, later in zip(times, [*times[1:], None], strict=True) if later is not None]
    kept = [
        state
        for state, lasted in zip(states, [*stay, TOO_SHORT_NS], strict=True)
        if state != "FIN_WAIT2" or lasted >= TOO_SHORT_NS
    ]
    return ours in (collapsed(states), collapsed(kept))
