"""What must hold between the tables of one trace: every count, worked out again from the rows, the slow way.

Each check yields a line for each contradiction, so an empty list is agreement.  Knows the declared meaning of the
columns and nothing of how they are made.
"""

from __future__ import annotations

from collections import Counter
from itertools import groupby, pairwise
from operator import itemgetter
from typing import TYPE_CHECKING, Any

from tcptrace_py.options import Limits
from tcptrace_py.tables.schema import TABLES
from tcptrace_py.vocabulary import ANOMALIES, SEGMENT_ANOMALIES

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from tcptrace_py.analysis import Trace

    Row = dict[str, Any]

UNCAPPED = Limits(max_repeats=1 << 30)  # so that the events are all there, to be counted
OF_MANY = {"atk_syn_flood", "atk_scan", "atk_blind"}  # found over many connections or resets: events only
OF_SEGMENTS = {anomaly.name for anomaly in ANOMALIES if anomaly.code < SEGMENT_ANOMALIES}
SEVERITY = {anomaly.name: anomaly.severity for anomaly in ANOMALIES}
MARKED = {  # column of a direction -> anomaly that it counts
    "retransmissions": "retransmission",
    "out_of_order": "out_of_order",
    "lost_segments": "previous_segment_lost",
    "duplicate_packets": "duplicate_packet",
    "duplicate_acks": "duplicate_ack",
    "zero_windows": "zero_window",
}
RST = 4
BEFORE = {"UNKNOWN", "LISTEN", "CLOSED"}
FLAGS = {"syns": 2, "fins": 1, "rsts": RST}


def rows_of(trace: Trace, table: str) -> list[Row]:
    """A table as dictionaries; times in int nanoseconds."""
    from scripts.table_digest import plain

    whole = trace.arrow(table)
    columns = [plain(whole[name]) for name in whole.column_names]
    return [dict(zip(whole.column_names, values, strict=True)) for values in zip(*columns, strict=True)]


def contradictions(trace: Trace) -> list[str]:
    """Everything in which the five tables of a trace do not agree."""
    tables = {name: rows_of(trace, name) for name in TABLES}
    lives: dict[int, list[Row]] = {row["conn_id"]: [] for row in tables["connections"]}
    for row in tables["timeline"]:
        lives[row["conn_id"]].append(row)
    found = [*_whole(trace, tables), *_events(tables)]
    for conn in tables["connections"]:
        mine = lives[conn["conn_id"]]
        stays = [row for row in tables["states"] if row["conn_id"] == conn["conn_id"]]
        here = [*_life(conn, mine), *_ways(conn, mine), *_states(conn, mine, stays)]
        found += [f"connection {conn['conn_id']}: {line}" for line in here]
    return found


def _differ(what: str, said: Any, counted: Any) -> Iterator[str]:
    if said != counted:
        yield f"{what} is {said!r}, and from the rows {counted!r}"


def _whole(trace: Trace, tables: dict[str, list[Row]]) -> Iterator[str]:
    """The capture's row and the summary."""
    capture, rows, conns = tables["captures"][0], tables["timeline"], tables["connections"]
    unused = sum(value for name, value in capture.items() if name.startswith("unused_"))
    yield from _differ("packets_read", capture["packets_read"], len({row["frame"] for row in rows}) + unused)
    yield from _differ("segments", capture["segments"], len(rows))
    yield from _differ("summary.segments", trace.summary.segments, len(rows))
    yield from _differ("connections", capture["connections"], len(conns))
    yield from _differ("conn_ids", [conn["conn_id"] for conn in conns], list(range(len(conns))))
    yield from _differ("first conn_ids", list(dict.fromkeys(row["conn_id"] for row in rows)), list(range(len(conns))))
    yield from _differ("by_handshake", trace.summary.by_handshake, dict(Counter(c["handshake"] for c in conns)))
    yield from _differ("by_teardown", trace.summary.by_teardown, dict(Counter(c["teardown"] for c in conns)))
    segments = Counter(name for row in rows for name in row["anomalies"])
    having = Counter(name for conn in conns for name in conn["findings"])
    counted = {name: (segments[name], having[name]) for name in segments | having}
    yield from _differ("summary.findings", trace.summary.findings, counted)


def _events(tables: dict[str, list[Row]]) -> Iterator[str]:
    """An event for each anomaly of each row, and for each finding of each connection."""
    told = Counter((e["conn_id"], e["frame"], e["code"]) for e in tables["events"] if e["code"] in OF_SEGMENTS)
    seen = Counter((row["conn_id"], row["frame"], name) for row in tables["timeline"] for name in row["anomalies"])
    for where in (told - seen) + (seen - told):
        yield f"events of {where}: {told[where]}, and in the rows {seen[where]}"
    whole = {(e["conn_id"], e["code"]) for e in tables["events"] if e["code"] not in OF_SEGMENTS | OF_MANY}
    named = {(c["conn_id"], name) for c in tables["connections"] for name in c["findings"] if name not in OF_SEGMENTS}
    yield from _differ("events of whole connections", whole, named)


def _life(conn: Row, rows: list[Row]) -> Iterator[str]:
    """Span, findings, steps."""
    times = [row["time"] for row in rows]
    if None not in times and conn["start"] is not None:
        yield from _differ("start", conn["start"], times[0])
        yield from _differ("end", conn["end"], max(times))
        yield from _differ("duration_ns", conn["duration_ns"], conn["end"] - conn["start"])
    names = {name for row in rows for name in row["anomalies"]}
    yield from _differ("findings of segments", OF_SEGMENTS.intersection(conn["findings"]), names)
    worst = [SEVERITY[name] for name in conn["findings"]]
    yield from _differ("order of findings", worst, sorted(worst, reverse=True))
    yield from _differ("severity", conn["severity"], worst[0].name if worst else None)
    if rows and any(len(row["steps"]) != len(row["steps_ok"]) for row in rows):
        yield "steps and steps_ok are not of the same length"


def _ways(conn: Row, rows: list[Row]) -> Iterator[str]:
    """The columns of both directions."""
    for way in ("c2s", "s2c"):
        mine = [row for row in rows if row["direction"] == way]
        counted = dict(_direction(mine, [row for row in rows if row["direction"] != way]))
        for name, value in counted.items():
            yield from _differ(f"{way}_{name}", conn[f"{way}_{name}"], value)
        said = conn[f"{way}_octets"]
        parts = conn[f"{way}_unique_octets"] + conn[f"{way}_resent_octets"]
        if parts > said:
            yield f"{way}_unique_octets + {way}_resent_octets are {parts}, of {said}"


def _direction(mine: list[Row], others: list[Row]) -> Iterator[tuple[str, Any]]:
    """Name and value of what can be counted in the rows of one direction."""
    yield "segments", len(mine)
    yield "wire_bytes", sum(row["wire_bytes"] or 0 for row in mine)
    used = [row for row in mine if not {"duplicate_packet", "bad_checksum"}.intersection(row["anomalies"])]
    data = [row for row in used if row["payload_bytes"]]
    yield "data_segments", len(data)
    yield "octets", sum(row["payload_bytes"] for row in data)
    yield "max_segment", max((row["payload_bytes"] for row in data), default=0)
    for name, bit in FLAGS.items():  # of a segment with RST only that counts
        yield name, sum(1 for row in used if row["flags_raw"] & bit and (bit == RST or not row["flags_raw"] & RST))
    for name, anomaly in MARKED.items():
        yield name, sum(1 for row in mine if anomaly in row["anomalies"])
    rtts = [row["rtt_ns"] for row in others if row["rtt_ns"] is not None and not row["rtt_ambiguous"]]
    yield "rtt_samples", len(rtts)
    yield "rtt_min_ns", min(rtts, default=None)
    yield "rtt_max_ns", max(rtts, default=None)
    flights = [row["in_flight"] for row in mine if row["in_flight"] is not None]
    if flights:
        yield "max_in_flight", max(0, *flights)


def _states(conn: Row, rows: list[Row], stays: list[Row]) -> Iterator[str]:
    """The last row, the last stay and the connection agree; each stay begins where the one before it ends."""
    for end in ("client", "server"):
        mine = [stay for stay in stays if stay["endpoint"] == end]
        yield from _differ(f"{end}_state", conn[f"{end}_state"], rows[-1][f"{end}_state"])
        shown = [(state, next(group)["frame"]) for state, group in groupby(rows, itemgetter(f"{end}_state"))]
        lasting = [stay for stay in mine if not _passed_through(stay)]
        begun = [state for state, _ in shown[: len(shown) - len(lasting)]]
        if not BEFORE.issuperset(begun):
            yield f"no stays of the {end} for {begun} in the rows"
        told = [(stay["state"], stay["entered_frame"]) for stay in lasting]
        yield from _differ(f"stays of the {end}", told, shown[len(begun) :])
        yield from _chain(end, mine)


def _passed_through(stay: Row) -> bool:
    """Entered, proved and left in one frame, whose row shows the state after it."""
    return stay["entered_frame"] == stay["proved_frame"] == stay["left_frame"]


def _chain(end: str, stays: Iterable[Row]) -> Iterator[str]:
    stays = list(stays)
    for stay, after in pairwise(stays):
        yield from _differ(f"{end} leaves {stay['state']} at frame", stay["left_frame"], after["entered_frame"])
        if stay["state"] == after["state"]:
            yield f"the {end} enters {stay['state']} from itself"
    for stay in stays:
        if stay["proved_frame"] is not None and stay["proved_frame"] < stay["entered_frame"]:
            yield f"the {end} is proved in {stay['state']} at frame {stay['proved_frame']}, before it entered"
