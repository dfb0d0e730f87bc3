"""Our tables beside what a peer printed: a row a disagreement, with our evidence and the rule that explains it."""

from __future__ import annotations

import ipaddress
from collections import defaultdict
from typing import TYPE_CHECKING, Any

from tcptrace_py.peers.counter_rules import COUNTERS, Count, counter_rule_of
from tcptrace_py.peers.evidence import NAMES, Case, Mine, Side, Way, cases, unread, unseen
from tcptrace_py.peers.rules import rule_of

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from tcptrace_py.peers.programs import Told

    Row = dict[str, Any]


def with_tshark(rows: list[Row], events: Iterable[Row], told: list[Told]) -> Iterator[Row]:
    """Segment by segment: the timeline and the events beside tshark's rows."""
    found = [_of_case(case) for case in cases(rows, events, told)]
    found += [_only_theirs(header) for header in unread(rows, told)]
    found += [_only_ours(row) for row in unseen(rows, told)]
    yield from sorted(found, key=lambda row: row["frame"])


def _of_case(case: Case) -> Row:
    row, rule = case.mine.row, rule_of(case)
    ours, theirs = _said(case)
    main = NAMES.get(case.label, case.label)
    decided = case.mine.why.get(main) or next((why for why in case.mine.why.values() if why[0]), None)
    return {
        "frame": row["frame"],
        "conn_id": row["conn_id"],
        "direction": row["direction"],
        "label": case.label,
        "ours": ours,
        "theirs": theirs,
        "rule": rule.name if rule else None,
        "basis": decided[0] if decided else None,
        "evidence": _evidence(case),
        "reason": rule.we if rule else None,
    }


def _said(case: Case) -> tuple[str | None, str | None]:
    """What each says, as text; None: nothing."""
    row, told = case.mine.row, case.told
    numbers = {
        "ack_rtt": (row["rtt_ns"], told.rtt_ns),
        "stream": (row["conn_id"], told.stream),
        "flags": (row["flags_raw"], told.flags),
        "seq": (row["seq"], told.seq),
        "ack": (row["ack"], told.ack),
        "length": (row["payload_bytes"], told.length),
    }
    if case.label in numbers:
        mine, theirs = numbers[case.label]
        return None if mine is None else str(mine), None if theirs is None else str(theirs)
    return (NAMES.get(case.label, case.label), None) if case.ours else (None, case.label)


def _evidence(case: Case) -> str:
    """Our findings on the segment in words; where there are none, the numbers that it was judged by."""
    told = [f"{name}: {why[2]}" for name, why in sorted(case.mine.why.items())]
    if told:
        return "; ".join(told)
    row = case.mine.row
    numbers = {"seq": row["rel_seq"], "captured up to": case.way.top, "acknowledged up to": case.way.una}
    return ", ".join(f"{name} {value}" for name, value in numbers.items() if value is not None)


def _only_theirs(header: Told) -> Row:
    """A TCP header that only tshark has."""
    nothing = Mine({"conn_id": None, "direction": None, "frame": header.frame}, frozenset(), {})
    case = Case("segment", False, nothing, header, Side(), Side(), Way(), Way(), "")
    rule = rule_of(case)
    return {
        **nothing.row,
        "label": "segment",
        "ours": None,
        "theirs": f"stream {header.stream}",
        "rule": rule.name if rule else None,
        "basis": None,
        "evidence": "no row",
        "reason": rule.we if rule else None,
    }


def _only_ours(row: Row) -> Row:
    """A segment that only we have: no rule is known for it."""
    return {
        **{name: row[name] for name in ("frame", "conn_id", "direction")},
        "label": "segment",
        "ours": f"connection {row['conn_id']}",
        **dict.fromkeys(("theirs", "rule", "basis", "reason")),
        "evidence": f"{row['flags']} seq {row['seq']}",
    }


def with_tcptrace(connections: Iterable[Row], told: Iterable[Row]) -> Iterator[Row]:
    """Connection by connection, and direction by direction: our records beside tcptrace's counters."""
    mine: dict[Any, list[Row]] = defaultdict(list)
    theirs: dict[Any, list[Row]] = defaultdict(list)
    for row in connections:
        mine[frozenset(((row["client_ip"], row["client_port"]), (row["server_ip"], row["server_port"])))].append(row)
    for row in told:
        theirs[frozenset((_address(host), port) for host, port in row["ends"])].append(row)
    for pair in {**mine, **theirs}:
        ours, others = mine.get(pair, []), theirs.get(pair, [])
        if len(ours) != len(others):
            yield _of_count(Count("connections", len(ours), len(others), ours), None)
        else:
            for row, other in zip(ours, others, strict=True):
                yield from _counts(row, other)


def _counts(row: Row, other: Row) -> Iterator[Row]:
    """The counters of both directions that differ."""
    host, port = other["ends"][0]
    forth = (row["client_ip"], row["client_port"]) == (_address(host), port)
    for told, way in zip(other["ways"], ("c2s", "s2c") if forth else ("s2c", "c2s"), strict=True):
        back = "s2c" if way == "c2s" else "c2s"
        for name, counter in COUNTERS.items():
            side = back if name == "duplicate_acks" else way  # printed with the data, not with the ACKs
            mine, theirs = row[f"{side}_{name}"], _count(told.get(counter))
            if mine is not None and theirs is not None and mine != theirs:
                yield _of_count(Count(name, mine, theirs, [row], side), side)


def _of_count(count: Count, direction: str | None) -> Row:
    rule = counter_rule_of(count)
    findings = sorted({name for row in count.rows for name in row["findings"]})
    return {
        "frame": None,
        "conn_id": count.rows[0]["conn_id"] if count.rows else None,
        "direction": direction,
        "label": count.name,
        "ours": str(count.mine),
        "theirs": str(count.theirs),
        "rule": rule.name if rule else None,
        "basis": None,
        "evidence": ", ".join(findings) or "no findings",
        "reason": rule.we if rule else None,
    }


def _count(text: str | None) -> int | None:
    """``12`` of ``12 pkts``."""
    first = (text or "").split()[:1]
    return int(first[0]) if first and first[0].isdigit() else None


def _address(text: str) -> str:
    """An address of tcptrace's as we write it: groups of IPv6 are padded there, and ::1 lacks its first colon."""
    if ":" in text:
        text = ":".join(part.lstrip("0") or "0" if part else "" for part in text.split(":"))
        text = f":{text}" if text.startswith(":") and not text.startswith("::") else text
    try:
        written = ipaddress.ip_address(text)
    except ValueError:
        return text
    return str(getattr(written, "ipv4_mapped", None) or written)
