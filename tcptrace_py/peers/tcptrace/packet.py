"""A segment as the rules of tcptrace look at it, and its flags."""

from __future__ import annotations

from typing import NamedTuple

FIN, SYN, RST, PSH, ACK, URG = 1, 2, 4, 8, 16, 32
COLUMNS = (
    *("time_ns", "flags", "seq", "ack", "payload", "uncaptured", "window", "urgent", "ip_id"),
    *("options", "mss", "wscale"),
)
"""Columns of a batch that become the first fields of a `Packet`."""


class Packet(NamedTuple):
    """One segment; `time` in whole microseconds, as tcptrace keeps it."""

    time: int
    flags: int
    seq: int
    ack: int
    payload: int
    uncaptured: int
    window: int
    urgent: int
    ip_id: int
    options: int
    mss: int  # -1: no such option
    wscale: int
    blocks: list[tuple[int, int]]  # SACK
