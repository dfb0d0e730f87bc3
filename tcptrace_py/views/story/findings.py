"""The findings of a connection in words: what each means, where it was found, and what shows it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from tcptrace_py.views.story.said import N_, Paragraph, Said, tell
from tcptrace_py.vocabulary import BY_NAME, EVIDENCE_MEANING, SEGMENT_ANOMALIES, Severity

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    Row = Mapping[str, Any]

SHOWN = 3  # of a kind
SEVERITIES = {
    Severity.info: N_("information"),
    Severity.note: N_("note"),
    Severity.warning: N_("warning"),
    Severity.error: N_("error"),
}
BASES = {evidence.name: meaning for evidence, (meaning, _) in EVIDENCE_MEANING.items()}
OWN = {
    "icmp_error": N_("an ICMP error quotes a segment of this connection"),
    "duplicate_packet": N_("a copy of frame {evidence}"),
}
"""Sentences of findings whose events say more than a number."""


def findings(record: Row, events: Sequence[Row]) -> Iterator[Paragraph]:
    """A paragraph for each kind, the worst first."""
    for name in record["findings"] or ():
        anomaly = BY_NAME[name]
        severity = Severity(anomaly.severity)
        mark = tell("{severity} {name}", severity=Said(SEVERITIES[severity]), name=name)
        meaning = tell("{condition} ({source}).", condition=Said(anomaly.condition), source=Said(anomaly.source))
        found = [event for event in events if event["code"] == name]
        yield Paragraph((meaning, *_places(found)), mark, severity.name)


def _places(events: Sequence[Row]) -> Iterator[Said]:
    """Where it was found: the first few, and that there are more."""
    here = [event for event in events if event["frame"] is not None or BY_NAME[event["code"]].code >= SEGMENT_ANOMALIES]
    for event in here[:SHOWN]:
        said = _sentence(event)
        if event["frame"] is None:
            yield tell("In this connection: {said}.", said=said)
        elif event["basis"] is None:
            yield tell("Frame {frame}: {said}.", frame=event["frame"], said=said)
        else:
            yield tell(
                "Frame {frame}: {said}; {basis}.", frame=event["frame"], said=said, basis=Said(BASES[event["basis"]])
            )
    if len(here) > SHOWN:
        yield tell("There are more, the last one on frame {frame}.", frame=here[-1]["frame"])
    for event in events:
        if event not in here:
            yield tell("{n:,} more are not listed.", n=event["evidence"])


def _sentence(event: Row) -> Said:
    anomaly = BY_NAME[event["code"]]
    evidence = "?" if event["evidence"] is None else event["evidence"]
    return Said(OWN.get(anomaly.name, anomaly.said_by(event["basis"])), {"evidence": evidence})
