"""The states of each endpoint, in order, beside what the kernel went through.

The timeline has one state of an endpoint a row; where it passes two in one frame, the `states` table has both.
"""

from __future__ import annotations

from collections import Counter
from itertools import groupby, pairwise
from typing import TYPE_CHECKING, Any, NamedTuple

import tcptrace_py as tt
from scripts.truth_table import STATES

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence
    from pathlib import Path

TOO_SHORT_NS = 100_000  # the truth's scorer leaves out a FIN_WAIT_2 that the kernel left again so soon

TWO_IN_A_FRAME = "two states passed in one frame: a row holds one, the `states` table has both"
BRIEF = "FIN_WAIT_2 for less than 0.1 ms: the kernel was in it, the row of the ACK shows it, the score leaves it out"
NOT_SHOWN = (
    "no packet at this point shows it: a vanished peer, an abort by timeout, a segment lost before the point or behind"
)


def collapsed(states: Sequence[str]) -> list[str]:
    """Without the same state twice in a row."""
    return [state for state, _ in groupby(states)]


class Endpoint(NamedTuple):
    """One end of a connection at one capture point: what our two tables say, and what its kernel did."""

    tap: str
    side: str
    timeline: list[str]
    states: list[str]
    kernel: Kernel


class Kernel:
    """The states that a kernel went through, and when."""

    def __init__(self, changes: Any) -> None:
        self.states = ["CLOSED", *([] if changes is None else changes.new)]
        self.times = [0, *([] if changes is None else changes.t)]

    def all(self) -> list[str]:
        """Every state."""
        return collapsed(self.states)

    def long_enough(self) -> list[str]:
        """Without a FIN_WAIT_2 that was left too soon."""
        stay = [later - time for time, later in pairwise(self.times)] + [TOO_SHORT_NS]
        return collapsed(
            [
                state
                for state, lasted in zip(self.states, stay, strict=True)
                if state != "FIN_WAIT2" or lasted >= TOO_SHORT_NS
            ]
        )


def endpoints(runs: Path) -> Iterator[Endpoint]:
    """Both ends of every connection, at every capture point."""
    import pandas as pd

    kernel = dict(iter(pd.read_parquet(runs / "states.parquet").groupby(["run", "conn", "side"])))
    ports = pd.read_parquet(runs / "conns.parquet").set_index(["run", "conn"])["cport"]
    for capture in sorted(runs.glob("*.pcap")):
        run, tap, _ = capture.name.split(".")
        trace = tt.analyze(capture, tables=["connections", "timeline", "states"])
        stays = trace.arrow("states").to_pylist()
        for conn in trace:
            exchanged = conn.record["client_port"] != ports[run, conn.conn_id]  # in a simultaneous open either may be
            for end, other in (("client", "server"), ("server", "client")):
                side = other if exchanged else end
                rows = sequence(row[f"{end}_state"] for row in conn.rows())
                said = sequence(s["state"] for s in stays if s["conn_id"] == conn.conn_id and s["endpoint"] == end)
                yield Endpoint(tap, side, rows, said, Kernel(kernel.get((run, conn.conn_id, side))))


def sequence(states: Iterable[str]) -> list[str]:
    """In the words of the truth, from CLOSED on."""
    return collapsed(["CLOSED", *(STATES.get(state, state) for state in states)])


def right_sequences(ends: Sequence[Endpoint]) -> dict[str, dict[str, float]]:
    """Row of the accuracy table -> capture point -> share of endpoints whose `states` are those of their kernel."""
    asked = Counter((end.tap, end.side) for end in ends)
    right = Counter((end.tap, end.side) for end in ends if end.states in (end.kernel.all(), end.kernel.long_enough()))
    rows: dict[str, dict[str, float]] = {}
    for (tap, side), n in asked.items():
        rows.setdefault(f"the same for the {side}, by the `states` table", {})[tap] = right[tap, side] / n
    return rows


def why_not(end: Endpoint) -> str:
    """Why the timeline's states of this end are not the kernel's as the truth's scorer counts them; empty: they are."""
    if end.timeline == end.kernel.long_enough():
        return ""
    if end.timeline == end.kernel.all():
        return BRIEF
    if end.states in (end.kernel.all(), end.kernel.long_enough()):
        return TWO_IN_A_FRAME
    return NOT_SHOWN


def reasons(ends: Sequence[Endpoint]) -> dict[str, dict[tuple[str, str], int]]:
    """Reason -> (capture point, side) -> how many endpoints."""
    found = Counter((why_not(end), end.tap, end.side) for end in ends)
    return {
        reason: {(tap, side): found[reason, tap, side] for tap, side in dict.fromkeys((e.tap, e.side) for e in ends)}
        for reason in (TWO_IN_A_FRAME, BRIEF, NOT_SHOWN)
    }
