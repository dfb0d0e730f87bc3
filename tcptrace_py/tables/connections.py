"""The `connections` table: a row out of what the tracker knows of a connection when it ends.

Knows where each column stands in the tracker's objects.  Infers nothing about TCP.
"""

from __future__ import annotations

import math
from functools import lru_cache
from typing import TYPE_CHECKING, Any

from tcptrace_py.tables import addresses
from tcptrace_py.tracker import closed_first, handshake_shape, teardown_shape
from tcptrace_py.vocabulary import (
    ANOMALIES,
    BY_NAME,
    SEGMENT_ANOMALIES,
    Anomaly,
    Handshake,
    RolesFrom,
    Severity,
    State,
    Step,
    Teardown,
)

if TYPE_CHECKING:
    from collections.abc import Callable

HANDSHAKES, TEARDOWNS, ROLES = list(Handshake), list(Teardown), list(RolesFrom)
CLOSER = ("client", "server", None, "both")
OPENING = 1 << Step.handshake_1 | 1 << Step.handshake_2 | 1 << Step.handshake_3
NO_LAST_ACK = BY_NAME["td_no_last_ack"].code - SEGMENT_ANOMALIES
WORST_FIRST = sorted(ANOMALIES, key=lambda anomaly: (-anomaly.severity, anomaly.code))


def known(value: int) -> int | None:
    """The tracker writes -1 for what it has not seen."""
    return None if value < 0 else value


def span(begin: int, end: int) -> int | None:
    """From one time to another, where both were seen."""
    return None if begin < 0 or end < 0 else end - begin


@lru_cache(maxsize=4096)
def worst_first(word: int) -> tuple[Anomaly, ...]:
    """The anomalies of a word of bits, the worst first."""
    return tuple(anomaly for anomaly in WORST_FIRST if word >> anomaly.code & 1)


def found(conn: Any) -> tuple[Anomaly, ...]:
    """What was found on the connection and its segments, worst first."""
    return worst_first(conn.found | conn.found_conn << SEGMENT_ANOMALIES)


def closer(conn: Any) -> tuple[Any, Any]:
    """(first closer, other): the client where neither or both closed first."""
    return (conn.server, conn.client) if closed_first(conn) == 1 else (conn.client, conn.server)


def _half_close(conn: Any, value: Callable[[Any, Any], int | None]) -> int | None:
    return value(*closer(conn)) if closed_first(conn) in (0, 1) else None


def _half_close_span(first: Any, other: Any) -> int | None:
    return span(first.fin_acked_time, other.fin_time)


FACTS: dict[str, Callable[[Any], Any]] = {
    "conn_id": lambda c: c.conn_id,
    "community_id": lambda c: addresses.community_id(c.pair[0], c.pair[1]),
    "client_ip": lambda c: addresses.text(*c.pair[c.client_side][:2]),
    "client_port": lambda c: c.pair[c.client_side][2],
    "server_ip": lambda c: addresses.text(*c.pair[1 - c.client_side][:2]),
    "server_port": lambda c: c.pair[1 - c.client_side][2],
    "client_addr": lambda c: addresses.packed(*c.pair[c.client_side][:2]),
    "server_addr": lambda c: addresses.packed(*c.pair[1 - c.client_side][:2]),
    "roles_from": lambda c: ROLES[c.roles_from],
    "start": lambda c: c.start if c.timed else None,
    "end": lambda c: c.end if c.timed else None,
    "duration_ns": lambda c: c.end - c.start if c.timed else None,
    "handshake": lambda c: HANDSHAKES[handshake_shape(c)],
    "handshake_ok": lambda c: not c.steps_failed & OPENING if c.steps_checked & OPENING else None,
    "syn_time": lambda c: known(c.syn_time) if c.timed else None,
    "syn_ack_time": lambda c: known(c.syn_ack_time) if c.timed else None,
    "hs_ack_time": lambda c: known(c.hs_ack_time) if c.timed else None,
    "syn_rtt_ns": lambda c: span(c.syn_time, c.syn_ack_time) if c.syns == c.syn_acks == 1 and c.timed else None,
    "ack_rtt_ns": lambda c: span(c.syn_ack_time, c.hs_ack_time) if c.syn_acks == 1 and c.timed else None,
    "syn_count": lambda c: c.syns,
    "syn_ack_count": lambda c: c.syn_acks,
    "teardown": lambda c: TEARDOWNS[teardown_shape(c)],
    "closed_first": lambda c: CLOSER[closed_first(c)],
    "reset_by": lambda c: CLOSER[c.reset_by],
    "last_ack_missing": lambda c: bool(c.found_conn >> NO_LAST_ACK & 1),
    "half_close_octets": lambda c: _half_close(c, lambda first, _: first.after_fin_octets),
    "half_close_ns": lambda c: _half_close(c, _half_close_span) if c.timed else None,
    "fin_1_time": lambda c: known(closer(c)[0].fin_time) if c.timed else None,
    "ack_1_time": lambda c: known(closer(c)[0].fin_acked_time) if c.timed else None,
    "fin_2_time": lambda c: known(closer(c)[1].fin_time) if c.timed else None,
    "ack_2_time": lambda c: known(closer(c)[1].fin_acked_time) if c.timed else None,
    "client_state": lambda c: State(c.client.state).name,
    "server_state": lambda c: State(c.server.state).name,
    "client_proved": lambda c: State(c.client.proved).name,
    "server_proved": lambda c: State(c.server.proved).name,
    "retry_of": lambda c: known(c.retry_of),
    "reuse_gap_ns": lambda c: known(c.reuse_gap) if c.timed else None,
    "findings": lambda c: [anomaly.name for anomaly in found(c)],
    "severity": lambda c: next((Severity(anomaly.severity).name for anomaly in found(c)), None),
    "evicted": lambda c: c.evicted,
    "continues": lambda c: known(c.continues),
}
"""Column of `connections` -> its value from a finished `Connection` of the tracker."""


def _stdev(end: Any) -> int | None:
    if end.rtt_n == 0:
        return None
    return int(math.sqrt(max(end.rtt_squares / end.rtt_n - (end.rtt_sum / end.rtt_n) ** 2, 0)))


def _missing(end: Any) -> int:
    """Acknowledged but never captured, and holes still open."""
    holes = end.ranges or []
    open_holes = sum(lo - hi for hi, lo in zip([end.front, *holes[1::2]], holes[::2], strict=False))
    return int(end.missing_octets + open_holes)


def _throughput(conn: Any, end: Any) -> float | None:
    return end.unique_octets * 1e9 / (conn.end - conn.start) if conn.timed and conn.end > conn.start else None


EACH_WAY: dict[str, Callable[[Any, Any], Any]] = {
    "segments": lambda _, e: e.segments,
    "wire_bytes": lambda _, e: e.wire_bytes,
    "octets": lambda _, e: e.octets,
    "unique_octets": lambda _, e: e.unique_octets,
    "resent_octets": lambda _, e: e.resent_octets,
    "missing_octets": lambda _, e: _missing(e),
    "data_segments": lambda _, e: e.data_segments,
    "retransmissions": lambda _, e: e.retransmissions,
    "loss_events": lambda _, e: e.recoveries,
    "out_of_order": lambda _, e: e.out_of_order,
    "lost_segments": lambda _, e: e.lost_segments,
    "duplicate_packets": lambda _, e: e.copies,
    "duplicate_acks": lambda _, e: e.duplicate_acks,
    "syns": lambda _, e: e.syns,
    "fins": lambda _, e: e.fins,
    "rsts": lambda _, e: e.rsts,
    "rtt_samples": lambda _, e: e.rtt_n,
    "rtt_min_ns": lambda _, e: e.rtt_min if e.rtt_n else None,
    "rtt_avg_ns": lambda _, e: round(e.rtt_sum / e.rtt_n) if e.rtt_n else None,
    "rtt_max_ns": lambda _, e: e.rtt_max if e.rtt_n else None,
    "rtt_stdev_ns": lambda _, e: _stdev(e),
    "window_min": lambda _, e: known(e.window_min),
    "window_max": lambda _, e: known(e.window_max),
    "zero_windows": lambda _, e: e.zero_windows,
    "zero_window_ns": lambda c, e: e.zero_window_ns if c.timed else None,
    "mss": lambda _, e: known(e.mss),
    "wscale": lambda _, e: known(e.wscale),
    "sack_permitted": lambda _, e: e.sack_permitted if e.syns else None,
    "timestamps": lambda _, e: e.timestamps if e.syns else None,
    "ttl": lambda _, e: e.ttl or None,
    "initial_window": lambda _, e: known(e.initial_window),
    "max_in_flight": lambda _, e: e.max_in_flight if e.seen else None,
    "max_segment": lambda _, e: e.max_segment,
    "first_data_time": lambda c, e: known(e.first_data) if c.timed else None,
    "last_data_time": lambda c, e: known(e.last_data) if c.timed else None,
    "idle_max_ns": lambda c, e: known(e.idle_max) if c.timed else None,
    "throughput": _throughput,
}
"""The same for the columns of one direction, from the connection and the endpoint that sends."""


BOTH_WAYS = [(f"c2s_{name}", fact, f"s2c_{name}") for name, fact in EACH_WAY.items()]


def record(conn: Any, capture: str, network: str, instance: int | None) -> dict[str, Any]:
    """A connection as a row: column -> value, None for null."""
    row: dict[str, Any] = {"capture": capture, "network": network, "instance": instance}
    for name, fact in FACTS.items():
        row[name] = fact(conn)
    client, server = conn.client, conn.server
    for c2s, fact_of_end, s2c in BOTH_WAYS:
        row[c2s] = fact_of_end(conn, client)
        row[s2c] = fact_of_end(conn, server)
    return row
