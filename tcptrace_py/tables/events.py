"""The `events` table: findings of segments, of whole connections, and ICMP errors that quote a connection."""

from __future__ import annotations

from functools import cache
from typing import TYPE_CHECKING, Any

from tcptrace_py.tables import addresses
from tcptrace_py.vocabulary import ANOMALIES, BY_NAME, SEGMENT_ANOMALIES, Anomaly, Evidence, Severity, codes_of

if TYPE_CHECKING:
    from collections.abc import Container, Iterable, Iterator

    from tcptrace_py.capture.frames import Gap
    from tcptrace_py.tracker.attacks import Attack

    Event = dict[str, Any]

BY_CODE = {anomaly.code: anomaly for anomaly in ANOMALIES}
ICMP_ERROR = BY_NAME["icmp_error"]
CAP_LOSS = BY_NAME["cap_loss"]
CAP_GAP = BY_NAME["cap_gap"]
COPY = BY_NAME["duplicate_packet"]
BASES = [None if evidence is Evidence.none else evidence.name for evidence in Evidence]


def event(anomaly: Anomaly, capture: str, conn_id: int | None, **where: Any) -> Event:
    """One row; `where` gives frame, time, evidence (a number) and, in its place in the sentence, `said`."""
    get = where.get
    evidence, basis = get("evidence"), get("basis")
    said = get("said", evidence)
    severity, sentence = _words(anomaly.code, basis)
    return {
        "capture": capture,
        "conn_id": conn_id,
        "frame": get("frame"),
        "time": get("time"),
        "code": anomaly.name,
        "severity": severity,
        "evidence": evidence,
        "basis": basis,
        "sentence": sentence.format(evidence="?" if said is None else said),
    }


@cache  # a few hundred at most, and a row for nearly every segment of a bad capture
def _words(code: int, basis: str | None) -> tuple[str, str]:
    """The severity, and the sentence that has a place for the evidence."""
    anomaly = BY_CODE[code]
    return Severity(anomaly.severity).name, anomaly.said_by(basis) or anomaly.condition


def segment_events(
    noted: Iterable[tuple[int, ...]],
    labels: Iterable[tuple[int, ...]],
    capture: str,
    mirrored: Container[int] = (),
) -> Iterator[Event]:
    """Findings of segments, as noted and as amended later.

    `noted` has (conn_id, row, frame, time, code, evidence, basis); `labels` (row, bits to add, bits to drop, conn_id,
    frame, time, evidence, basis); `mirrored` are connections whose copies are the capture's, not the network's.
    """
    dropped = {(row, code) for row, _, drop, *_ in labels for code in codes_of(drop)}
    for conn_id, row, frame, time, code, evidence, basis in noted:
        if (row, code) not in dropped:
            told: dict[str, Any] = {"evidence": _told(evidence), "basis": BASES[basis]}
            if code == COPY.code:
                told["said"] = f"{evidence}, made by the {'capture' if conn_id in mirrored else 'network'}"
            yield event(BY_CODE[code], capture, conn_id, frame=frame, time=time, **told)
    for _, add, _, conn_id, frame, time, evidence, basis in labels:
        for code in codes_of(add):
            yield event(
                BY_CODE[code], capture, conn_id, frame=frame, time=time, evidence=_told(evidence), basis=BASES[basis]
            )


def unlisted_events(log: Any, labels: Iterable[tuple[int, ...]], capture: str) -> Iterator[Event]:
    """For every kind of finding of which a connection has more than are listed: how many more."""
    more = {key: number - log.max_repeats for key, number in log.repeats.items() if number > log.max_repeats}
    if not more:
        return
    listed = {(row, code) for _, row, _, _, code, *_ in log.events}
    for row, _, drop, conn_id, *_ in labels:
        for code in codes_of(drop):
            if (row, code) not in listed and conn_id << 6 | code in more:
                more[conn_id << 6 | code] -= 1
    for key, number in more.items():
        if number > 0:
            rest = event(BY_CODE[key & 63], capture, key >> 6, evidence=number)
            yield rest | {"sentence": f"{number} more of this kind are not listed (max_repeats)"}


def connection_events(conn: Any, capture: str) -> Iterator[Event]:
    """Findings about a whole connection, dated at its last segment."""
    for code in codes_of(conn.found_conn):
        anomaly = BY_CODE[code + SEGMENT_ANOMALIES]
        if anomaly is not ICMP_ERROR:
            number = _number(conn, anomaly)
            said = f"{number} ({_percent_lost(conn):.3g} %)" if anomaly is CAP_LOSS else number
            yield event(
                anomaly, capture, conn.conn_id, time=conn.end if conn.timed else None, evidence=number, said=said
            )


def icmp_events(errors: Iterable[tuple[int, Any]], capture: str) -> Iterator[Event]:
    """ICMP errors, by the connection that they quote."""
    for conn_id, quote in errors:
        reporter = addresses.text(quote.reporter_hi, quote.reporter_lo)
        said = f"{reporter} (type {quote.icmp_type}, code {quote.code})"
        kind = quote.icmp_type << 8 | quote.code
        yield event(ICMP_ERROR, capture, conn_id, frame=quote.frame, time=quote.time_ns, evidence=kind, said=said)


def attack_events(attacks: Iterable[Attack], capture: str) -> Iterator[Event]:
    """Attacks, which concern the whole capture or one connection."""
    for attack in attacks:
        said = str(attack.number)
        if attack.who is not None:
            hi, lo, port = attack.who
            where = addresses.text(hi, lo)
            others = f"{attack.others} {'address' if attack.others == 1 else 'addresses'}"
            said = (
                f"{attack.number} connections to {where} port {port} never completed, from {others}"
                if attack.name == "atk_syn_flood"
                else f"{attack.number} ports of {others} do not accept {where}"
            )
        yield event(BY_NAME[attack.name], capture, attack.conn_id, time=attack.begin, evidence=attack.number, said=said)


def gap_events(gaps: Iterable[Gap], capture: str) -> Iterator[Event]:
    """Stretches of the capture that were left out, at the frame behind each."""
    for gap in gaps:
        said = f"{gap.octets} bytes at byte {gap.offset}"
        yield event(CAP_GAP, capture, None, frame=gap.frame or None, time=gap.time_ns, evidence=gap.octets, said=said)


def _told(evidence: int) -> int | None:
    return None if evidence < 0 else evidence


def _percent_lost(conn: Any) -> float:
    """Of the octets that both ends sent, how many were acknowledged and never captured."""
    missing, captured = (
        getattr(conn.client, name) + getattr(conn.server, name) for name in ("missing_octets", "unique_octets")
    )
    return float(100 * missing / (missing + captured))


def _number(conn: Any, anomaly: Anomaly) -> int | None:
    """The number in the sentence of a finding about a whole connection."""
    if anomaly.name == "cap_loss":
        return int(conn.client.missing_octets + conn.server.missing_octets)
    if anomaly.name == "win_stall":
        return int(max(conn.client.zero_window_ns, conn.server.zero_window_ns)) // 1_000_000
    if anomaly.name == "td_half_close_long":
        first = conn.client if conn.client.fin_acked_time >= 0 else conn.server
        other = conn.server if first is conn.client else conn.client
        return int((other.fin_time if other.fin_time >= 0 else conn.end) - first.fin_acked_time) // 1_000_000
    return None
