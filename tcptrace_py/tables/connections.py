"""The `connections` table: a row out of what the tracker knows of a connection when it ends.

Knows where each column stands in the tracker's objects.  Infers nothing about TCP.

What a column means is stated once, as a `Fact`: arithmetic on attributes of a connection, or of one of its ends.  It
reads alike for one of them, where an attribute is a number, and for many at once (`gathered.Many`), where it is a
column of numbers: so a fact may say ``&``, ``==`` and ``-``, but neither ``and`` nor ``if``.  Whatever takes more than
that is a `Question`, asked of one at a time.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from functools import lru_cache
from operator import attrgetter
from typing import TYPE_CHECKING, Any, Literal, NamedTuple

from tcptrace_py.tables import addresses
from tcptrace_py.tables.schema import TABLES
from tcptrace_py.tracker import closed_first, handshake_shape, teardown_shape
from tcptrace_py.vocabulary import ANOMALIES, BY_NAME, SEGMENT_ANOMALIES, Step

if TYPE_CHECKING:
    from collections.abc import Callable

CLIENT, SERVER, BOTH = range(3)  # places among the words of the columns that name a closer
CLOSER = (CLIENT, SERVER, -1, BOTH)  # the tracker's client, server, neither and both
OPENING = 1 << Step.handshake_1 | 1 << Step.handshake_2 | 1 << Step.handshake_3
NO_LAST_ACK = BY_NAME["td_no_last_ack"].code - SEGMENT_ANOMALIES
WORST_FIRST = sorted(ANOMALIES, key=lambda anomaly: (-anomaly.severity, anomaly.code))


# -- what is asked of the tracker's objects --------------------------------------------------------------------------


@lru_cache(maxsize=4096)
def worst_first(word: int) -> tuple[str, ...]:
    """The names of the anomalies of a word of bits, the worst first."""
    return tuple(anomaly.name for anomaly in WORST_FIRST if word >> anomaly.code & 1)


def _found(conn: Any) -> tuple[str, ...]:
    """What was found on the connection and its segments, worst first."""
    return worst_first(conn.found | conn.found_conn << SEGMENT_ANOMALIES)


def _worst(conn: Any) -> int:
    """The severity of the worst of it, or -1."""
    names = _found(conn)
    return int(BY_NAME[names[0]].severity) if names else -1


def _mean_rtt(end: Any) -> int:
    return round(end.rtt_sum / end.rtt_n) if end.rtt_n else 0


def _stdev_rtt(end: Any) -> int:
    if end.rtt_n == 0:
        return 0
    return int(math.sqrt(max(end.rtt_squares / end.rtt_n - (end.rtt_sum / end.rtt_n) ** 2, 0)))


def _missing(end: Any) -> int:
    """Acknowledged but never captured, and holes still open."""
    holes = end.ranges
    if not holes:
        return int(end.missing_octets)
    open_holes = sum(lo - hi for hi, lo in zip([end.front, *holes[1::2]], holes[::2], strict=False))
    return int(end.missing_octets + open_holes)


class Together:
    """Many connections, or ends, in the place of one."""

    def answer(self, question: Question) -> Any:
        """What each of them answers."""
        raise NotImplementedError


@dataclass(frozen=True, slots=True, eq=False)
class Question:
    """What is asked of a connection, or an end, and is no attribute of it; `kind` says what the answer is."""

    ask: Callable[[Any], Any]
    kind: Literal["number", "end", "object"] = "number"

    def __call__(self, of: Any) -> Any:
        """The answer of one, or those of many."""
        return of.answer(self) if isinstance(of, Together) else self.ask(of)


CLOSED_FIRST = Question(lambda conn: CLOSER[closed_first(conn)])
FIRST = Question(lambda conn: conn.server if closed_first(conn) == 1 else conn.client, "end")
OTHER = Question(lambda conn: conn.client if closed_first(conn) == 1 else conn.server, "end")
"""The end that closes first, which is the client where neither or both did, and its peer."""


# -- the columns -----------------------------------------------------------------------------------------------------


class Fact(NamedTuple):
    """How a column follows from a connection or an end, and where it is not null.

    That is everywhere, but where `known` says no, and where segments have no times if the column is `timed`.
    The value of a column of a closed set of words is a place among them.
    """

    value: Callable[[Any], Any]
    known: Callable[[Any], Any] | None = None
    timed: bool = False


def plain(name: str) -> Fact:
    """What an attribute says."""
    return Fact(attrgetter(name))


def seen(value: str | Callable[[Any], Any], *, timed: bool = False) -> Fact:
    """What an attribute says where it was seen: the tracker writes -1 otherwise."""
    read = attrgetter(value) if isinstance(value, str) else value
    return Fact(read, lambda of: read(of) >= 0, timed)


def object_of(ask: Callable[[Any], Any]) -> Fact:
    """What a function of the connection says that is no number."""
    return Fact(Question(ask, "object"))


FACTS: dict[str, Fact] = {
    "conn_id": plain("conn_id"),
    "community_id": object_of(lambda conn: addresses.community_id(conn.pair[0], conn.pair[1])),
    "client_ip": object_of(lambda conn: addresses.text(*conn.pair[conn.client_side][:2])),
    "client_port": Fact(Question(lambda conn: conn.pair[conn.client_side][2])),
    "server_ip": object_of(lambda conn: addresses.text(*conn.pair[1 - conn.client_side][:2])),
    "server_port": Fact(Question(lambda conn: conn.pair[1 - conn.client_side][2])),
    "client_addr": object_of(lambda conn: addresses.packed(*conn.pair[conn.client_side][:2])),
    "server_addr": object_of(lambda conn: addresses.packed(*conn.pair[1 - conn.client_side][:2])),
    "roles_from": plain("roles_from"),
    "start": Fact(attrgetter("start"), timed=True),
    "end": Fact(attrgetter("end"), timed=True),
    "duration_ns": Fact(lambda c: c.end - c.start, timed=True),
    "handshake": Fact(Question(handshake_shape)),
    "handshake_ok": Fact(lambda c: c.steps_failed & OPENING == 0, lambda c: c.steps_checked & OPENING != 0),
    "syn_time": seen("syn_time", timed=True),
    "syn_ack_time": seen("syn_ack_time", timed=True),
    "hs_ack_time": seen("hs_ack_time", timed=True),
    "syn_rtt_ns": Fact(
        lambda c: c.syn_ack_time - c.syn_time,
        lambda c: (c.syns == 1) & (c.syn_acks == 1) & (c.syn_time >= 0) & (c.syn_ack_time >= 0),
        timed=True,
    ),
    "ack_rtt_ns": Fact(
        lambda c: c.hs_ack_time - c.syn_ack_time,
        lambda c: (c.syn_acks == 1) & (c.syn_ack_time >= 0) & (c.hs_ack_time >= 0),
        timed=True,
    ),
    "syn_count": plain("syns"),
    "syn_ack_count": plain("syn_acks"),
    "teardown": Fact(Question(teardown_shape)),
    "closed_first": seen(CLOSED_FIRST),
    "reset_by": seen(Question(lambda conn: CLOSER[conn.reset_by])),
    "last_ack_missing": Fact(Question(lambda conn: bool(conn.found_conn >> NO_LAST_ACK & 1))),
    "half_close_octets": Fact(
        lambda c: FIRST(c).after_fin_octets, lambda c: (CLOSED_FIRST(c) == CLIENT) | (CLOSED_FIRST(c) == SERVER)
    ),
    "half_close_ns": Fact(
        lambda c: OTHER(c).fin_time - FIRST(c).fin_acked_time,
        lambda c: (
            ((CLOSED_FIRST(c) == CLIENT) | (CLOSED_FIRST(c) == SERVER))
            & (FIRST(c).fin_acked_time >= 0)
            & (OTHER(c).fin_time >= 0)
        ),
        timed=True,
    ),
    "fin_1_time": seen(lambda c: FIRST(c).fin_time, timed=True),
    "ack_1_time": seen(lambda c: FIRST(c).fin_acked_time, timed=True),
    "fin_2_time": seen(lambda c: OTHER(c).fin_time, timed=True),
    "ack_2_time": seen(lambda c: OTHER(c).fin_acked_time, timed=True),
    "client_state": plain("client.state"),
    "server_state": plain("server.state"),
    "client_proved": plain("client.proved"),
    "server_proved": plain("server.proved"),
    "retry_of": seen("retry_of"),
    "reuse_gap_ns": seen("reuse_gap", timed=True),
    "findings": object_of(_found),
    "severity": seen(Question(_worst)),
    "evicted": plain("evicted"),
    "continues": seen("continues"),
}
"""Column of `connections` -> how it follows from a connection."""


def _measured(value: Callable[[Any], Any]) -> Fact:
    """Of round trips, where there are any."""
    return Fact(value, lambda e: e.rtt_n > 0)


EACH_WAY: dict[str, Fact] = {
    "segments": plain("segments"),
    "wire_bytes": plain("wire_bytes"),
    "octets": plain("octets"),
    "unique_octets": plain("unique_octets"),
    "resent_octets": plain("resent_octets"),
    "missing_octets": Fact(Question(_missing)),
    "data_segments": plain("data_segments"),
    "retransmissions": plain("retransmissions"),
    "loss_events": plain("recoveries"),
    "out_of_order": plain("out_of_order"),
    "lost_segments": plain("lost_segments"),
    "duplicate_packets": plain("copies"),
    "duplicate_acks": plain("duplicate_acks"),
    "syns": plain("syns"),
    "fins": plain("fins"),
    "rsts": plain("rsts"),
    "rtt_samples": plain("rtt_n"),
    "rtt_min_ns": _measured(attrgetter("rtt_min")),
    "rtt_avg_ns": _measured(Question(_mean_rtt)),
    "rtt_max_ns": _measured(attrgetter("rtt_max")),
    "rtt_stdev_ns": _measured(Question(_stdev_rtt)),
    "window_min": seen("window_min"),
    "window_max": seen("window_max"),
    "zero_windows": plain("zero_windows"),
    "zero_window_ns": Fact(attrgetter("zero_window_ns"), timed=True),
    "mss": seen("mss"),
    "wscale": seen("wscale"),
    "sack_permitted": Fact(attrgetter("sack_permitted"), lambda e: e.syns > 0),
    "timestamps": Fact(attrgetter("timestamps"), lambda e: e.syns > 0),
    "ttl": Fact(attrgetter("ttl"), lambda e: e.ttl > 0),
    "initial_window": seen("initial_window"),
    "max_in_flight": Fact(attrgetter("max_in_flight"), attrgetter("seen")),
    "max_segment": plain("max_segment"),
    "first_data_time": seen("first_data", timed=True),
    "last_data_time": seen("last_data", timed=True),
    "idle_max_ns": seen("idle_max", timed=True),
}
"""The same for the columns of one direction, from the endpoint that sends."""


def _throughput(sender: str) -> Fact:
    octets = attrgetter(f"{sender}.unique_octets")
    return Fact(lambda c: octets(c) * 1e9 / (c.end - c.start), lambda c: c.end > c.start, timed=True)


SENDERS = {"c2s": "client", "s2c": "server"}
ALL_FACTS: dict[str, tuple[str, Fact]] = {
    **{name: ("", fact) for name, fact in FACTS.items()},
    **{f"{way}_{name}": (sender, fact) for name, fact in EACH_WAY.items() for way, sender in SENDERS.items()},
    **{f"{way}_throughput": ("", _throughput(sender)) for way, sender in SENDERS.items()},
}
"""Column of `connections` -> the end that it follows from, empty for the connection itself, and how."""

IN_ORDER = [(name, end, *fact) for name, (end, fact) in ALL_FACTS.items()]
WORDS = {column.name: column.values for column in TABLES["connections"] if column.type == "label" and column.words}


def record(conn: Any, capture: str, network: str, instance: int | None) -> dict[str, Any]:
    """A connection as a row: column -> value, None for null."""
    row: dict[str, Any] = {"capture": capture, "network": network, "instance": instance}
    asked, has_times = by_end(conn), conn.timed
    for name, end, value, known, timed in IN_ORDER:
        of = asked[end]
        row[name] = value(of) if (has_times or not timed) and (known is None or known(of)) else None
    for name, words in WORDS.items():
        row[name] = None if row[name] is None else words[row[name]]
    row["findings"] = list(row["findings"])
    return row


def by_end(conn: Any) -> dict[str, Any]:
    """What facts are asked of, by the names of ends in `ALL_FACTS`."""
    return {"": conn, "client": conn.client, "server": conn.server}
