"""A tracker that is not at its end: what it still needs of what it has seen, and how another takes that up.

Knows which of a tracker's facts concern connections that are open, and which all.  Does not know where they are kept.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from tcptrace_py.columns import held

if TYPE_CHECKING:
    from collections.abc import Iterator

COUNTERS = ("clock", "row", "packets", "next_id", "capped")
OPEN = ("live", "evicted")
TOTALS = ("found_segments", "found_connections", "handshakes", "teardowns")
CONN_OF_STATE, CONN_OF_LABEL = 0, 3  # where the conn_id stands among those words


def open_connections(tracker: Any) -> Iterator[Any]:
    """Those that have not ended, older lives of a pair included."""
    for youngest in tracker.roster.by_slot:
        conn = youngest
        while conn is not None:
            yield conn
            conn = conn.older


def suspended(tracker: Any) -> dict[str, Any]:
    """What another tracker needs to go on where this one stands, between two batches.

    Its connections are the objects themselves: whoever keeps the answer writes them down before this one goes on.
    """
    still_open = {conn.conn_id for conn in open_connections(tracker)}
    log, rings, roster = tracker.log, tracker.rings, tracker.roster
    departed = roster.departed
    return {
        "counters": {name: getattr(tracker, name) for name in COUNTERS},
        "open": {name: getattr(roster, name) for name in OPEN},
        "totals": {name: memoryview(getattr(tracker.totals, name)).tolist() for name in TOTALS},
        "flows": tracker.flows.suspended(),
        "by_slot": roster.by_slot,
        "closed": [conn for conn in roster.closed[roster.closed_head :] if not conn.ended],
        "rings": (memoryview(rings.words)[: rings.used].tobytes(), memoryview(rings.vacant).tolist(), rings.dropped),
        "copies": memoryview(tracker.copies.places).tobytes(),
        "departed": (memoryview(departed.digests).tobytes(), memoryview(departed.conn_ids).tobytes()),
        "overlaps": roster.overlaps,
        "journal": {
            "states": _of(still_open, log.states, CONN_OF_STATE),
            "labels": _of(still_open, log.labels, CONN_OF_LABEL),
            "events": [event for event in log.events if event[0] in still_open],
            "repeats": {key: number for key, number in log.repeats.items() if key >> 6 in still_open},
            "changed": memoryview(log.changed).tolist(),
            "forgotten": log.forgotten,
        },
    }


def resume(tracker: Any, state: dict[str, Any]) -> None:
    """Have a new tracker, made with the same options, go on where another stood."""
    for name, value in state["counters"].items():
        setattr(tracker, name, value)
    roster = tracker.roster
    for name, value in state["open"].items():
        setattr(roster, name, value)
    for name, values in state["totals"].items():
        _fill(getattr(tracker.totals, name), values)
    tracker.flows.resume(*state["flows"])
    roster.by_slot = state["by_slot"]
    for conn in open_connections(tracker):
        for end in (conn.client, conn.server):
            if end.recovery is not None:
                end.recovery.share_empty()
    roster.closed = state["closed"]
    words, vacant, tracker.rings.dropped = state["rings"]
    _fill(tracker.rings.vacant, vacant)
    tracker.rings.words, tracker.rings.used = memoryview(held(words, "q")), len(words) // 8
    tracker.copies.places = memoryview(held(state["copies"], "q"))
    digests, conn_ids = (held(octets, code) for octets, code in zip(state["departed"], "Qq", strict=True))
    if digests:
        departed = roster.departed
        departed.any, departed.digests, departed.conn_ids = True, memoryview(digests), memoryview(conn_ids)
    roster.overlaps = state["overlaps"]
    journal, log = state["journal"], tracker.log
    log.states.take(held(journal["states"], "q"))
    log.labels.take(held(journal["labels"], "q"))
    log.events, log.repeats, log.forgotten = journal["events"], journal["repeats"], journal["forgotten"]
    _fill(log.changed, journal["changed"])


def _of(conn_ids: set[int], ledger: Any, place: int) -> bytes:
    """The rows of a journal's ledger that concern these connections, as octets."""
    words, width = ledger.view(), ledger.width
    theirs = [words[at : at + width] for at in range(0, len(words), width) if words[at + place] in conn_ids]
    return b"".join(theirs)


def _fill(column: Any, values: list[int]) -> None:
    for place, value in enumerate(values):
        column[place] = value
