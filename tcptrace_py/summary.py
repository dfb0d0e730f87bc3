"""The summary of one input: counts out of what a pass over it has left behind, without a table."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from tcptrace_py.vocabulary import ANOMALIES, Handshake, Teardown

if TYPE_CHECKING:
    from tcptrace_py import pipeline


@dataclass
class Summary:
    """What happened in one input, in counts.

    `joined` is, for a set of files, the row that `captures` would have if they were one; for others it is None.
    `findings` maps the name of an anomaly to (segments, connections) that have it; `worst` holds rows of the
    `connections` table, the worst first, at most twenty (`instance` is not known there, so it is None).
    """

    captures: list[dict[str, Any]]
    packets: int
    segments: int
    connections: int
    start_ns: int | None
    end_ns: int | None
    by_handshake: dict[str, int]
    by_teardown: dict[str, int]
    findings: dict[str, tuple[int, int]]
    worst: list[dict[str, Any]]
    joined: dict[str, Any] | None = None


def summary_of(done: pipeline.Pass, path: str) -> Summary:
    """The summary of a pass."""
    from tcptrace_py.tables import build, connections

    seen = done.tracker
    totals, findings = seen.totals, _findings(seen)
    worst = [entry[2] for entry in sorted(totals.worst, key=lambda entry: entry[:2], reverse=True)]
    return Summary(
        captures=build.capture_rows(path, done, findings),
        joined=build.joined_row(path, done, findings),
        packets=done.info.packets_read,
        segments=seen.row,
        connections=seen.next_id,
        start_ns=done.info.first_time_ns,
        end_ns=done.info.last_time_ns,
        by_handshake={str(h): int(totals.handshakes[i]) for i, h in enumerate(Handshake) if totals.handshakes[i]},
        by_teardown={str(t): int(totals.teardowns[i]) for i, t in enumerate(Teardown) if totals.teardowns[i]},
        findings=findings,
        worst=[connections.record(conn, path, done.decoder.net_name(conn.pair[2]), None) for conn in worst],
    )


def _findings(seen: Any) -> dict[str, tuple[int, int]]:
    """Segments and connections by anomaly, with what later evidence changed."""
    totals = seen.totals
    segments = [int(number) for number in map(sum, zip(totals.found_segments, seen.log.changed, strict=True))]
    segments += [0] * len(ANOMALIES)  # those of whole connections
    found = {a.name: (segments[a.code], int(totals.found_connections[a.code])) for a in ANOMALIES}
    return {name: numbers for name, numbers in found.items() if any(numbers)}
