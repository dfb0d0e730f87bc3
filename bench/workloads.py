"""The captures that are measured on: how large, and what of.  `generator` makes them."""

from __future__ import annotations

from dataclasses import dataclass, replace

WHOLE = 262144  # octets kept of a packet: all


@dataclass(frozen=True, slots=True)
class Workload:
    """A capture to be made: so many packets, and what of."""

    kind: str  # mix: every sort of connection; flow: a single one; scan: one SYN each
    packets: int
    snap: int = WHOLE
    per_second: int = 1500  # new connections
    without: tuple[str, ...] = ()  # programs that are not run on it: tcptrace would take 16 GB, tshark 30 GB or an hour


WORKLOADS = {
    "small": Workload("mix", 10_000),
    "medium": Workload("mix", 1_000_000),
    "one-flow": Workload("flow", 2_000_000, snap=96),
    "many-flows": Workload("scan", 2_000_000, per_second=100_000, without=("tcptrace", "tshark")),
    "large-snap96": Workload("mix", 10_000_000, snap=96, without=("tshark",)),
    "large": Workload("mix", 10_000_000, without=("tshark",)),
}
USUAL = ("small", "medium", "one-flow", "many-flows", "large-snap96")


def quick(workload: Workload) -> Workload:
    """The same in small: does it work at all."""
    return replace(workload, packets=max(2_000, workload.packets // 500))
