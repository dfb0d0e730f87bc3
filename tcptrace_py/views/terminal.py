"""The summary of a capture as lines of text: what was read, how connections opened and closed, what was found.

Knows wording and layout.  Does not compute: every number is a column or a count of the summary.  Imports neither
pandas nor pyarrow, so that a small capture is answered at once.
"""

from __future__ import annotations

from textwrap import wrap
from typing import TYPE_CHECKING, Any, Protocol

from tcptrace_py.views.ink import Line, Part, line, width_of
from tcptrace_py.views.wording import amount, count, duration, endpoint, instant, shortened
from tcptrace_py.vocabulary import BY_NAME, HANDSHAKE_MEANING, TEARDOWN_MEANING, UNUSED_MEANING, Severity

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    Record = Mapping[str, Any]

INDENT = "  "
SEVERITY_WIDTH = len("warning  ")
ROOM_FOR_FINDINGS = 26
READABLE = 16  # less of a sentence than this says nothing
HANDSHAKES = {str(shape): meaning for shape, meaning in HANDSHAKE_MEANING.items()}
TEARDOWNS = {str(shape): meaning for shape, meaning in TEARDOWN_MEANING.items()}


class Summary(Protocol):
    """What `tcptrace_py.analyze` knows when it has read everything; see there."""

    captures: list[dict[str, Any]]
    joined: dict[str, Any] | None
    segments: int
    connections: int
    by_handshake: dict[str, int]
    by_teardown: dict[str, int]
    findings: dict[str, tuple[int, int]]
    worst: list[dict[str, Any]]


def summary_lines(summary: Summary, width: int, *, top: int = 20) -> Iterator[Line]:
    """The whole summary, at most `width` columns wide where the names in it allow."""
    for capture in [summary.joined] if summary.joined else summary.captures:
        yield from capture_lines(capture, width)
    if summary.joined:
        yield line(INDENT, count(len(summary.captures), "file"))
        for file in summary.captures:
            if file["status"] != "ok":
                yield line(INDENT, Part(f"{file['path']}: {file['message'] or file['reason']}", "error"))
    yield line(INDENT, f"{count(summary.segments, 'segment')} on {count(summary.connections, 'connection')}")
    if summary.connections:
        yield []
        yield from shape_lines("Opened", summary.by_handshake, HANDSHAKES, width)
        yield []
        yield from shape_lines("Closed", summary.by_teardown, TEARDOWNS, width)
    if summary.findings:
        yield []
        yield from finding_lines(summary.findings, width)
    worst = summary.worst[:top]
    if worst:
        yield []
        some = (
            "" if len(worst) == summary.connections else f"Worst connections ({len(worst)} of {summary.connections:,})"
        )
        yield line(Part(some or "Connections", "heading"))
        yield from connection_lines(worst, width)


def capture_lines(capture: Record, width: int) -> Iterator[Line]:
    """One input: its name and kind, what it held, what was not used and why, and what is wrong with it."""
    links = [f"link type {link}" if link.isdecimal() else link for link in capture.get("link_types") or ()]
    kinds = [capture.get("format"), capture.get("compression"), *links]
    yield line(Part(str(capture["path"]), "heading"), INDENT, ", ".join(str(kind) for kind in kinds if kind))
    read = count(capture["packets_read"], "packet")
    first, last = capture.get("first_time"), capture.get("last_time")
    if first is not None and last is not None:
        read += f" in {duration(last - first)} from {instant(first)} UTC"
    yield line(INDENT, read)
    for reason, meaning in UNUSED_MEANING.items():
        number = capture.get(f"unused_{reason.name}") or 0
        if number:
            text = f"{count(number, 'packet')} not used: {reason.name} ({meaning})"
            yield line(INDENT, shortened(text, width - len(INDENT)))
    if capture.get("status", "ok") != "ok":
        yield line(INDENT, Part(f"{capture['status']}: {capture.get('message') or capture.get('reason')}", "error"))
    limits = capture.get("limits") or ()
    if limits:
        yield line(INDENT, Part(f"bounds reached: {', '.join(limits)}", "warning"))
    notes = [*(capture.get("notes") or ()), *(capture.get("findings") or ())]
    if notes:
        yield line(INDENT, Part(f"note: {', '.join(notes)}", "note"))


def shape_lines(title: str, counts: Mapping[str, int], meanings: Mapping[str, str], width: int) -> Iterator[Line]:
    """How many connections have each shape, most frequent first, with its meaning."""
    yield line(Part(title, "heading"))
    names = max(map(len, counts), default=0)
    for name, number in sorted(counts.items(), key=lambda item: -item[1]):
        if number:
            known = f"{INDENT}{number:>9,}  {name:<{names}}  "
            yield line(known, Part(shortened(meanings.get(name, ""), width - len(known)), "faint"))


def worst_first(findings: Mapping[str, tuple[int, int]]) -> list[str]:
    """Names of findings by severity, then by how many connections they touch."""
    return sorted(findings, key=lambda name: (-BY_NAME[name].severity, -findings[name][1], -findings[name][0], name))


def finding_lines(findings: Mapping[str, tuple[int, int]], width: int) -> Iterator[Line]:
    """Findings by kind: severity, name, on how many segments of how many connections, and the condition.

    Those that are mere information come together at the end.
    """
    told = [name for name in worst_first(findings) if BY_NAME[name].severity > Severity.info]
    names = max(map(len, told), default=0)
    yield line(Part(f"{'Findings':<{names + 11}}  " + " segments  connections" * bool(told), "heading"))
    for name in told:
        anomaly = BY_NAME[name]
        segments, connections = findings[name]
        severity = anomaly.severity.name
        numbers = f"{name:<{names}}  {f'{segments:,}' if segments else '':>9}  {connections:>11,}  "
        room = width - len(INDENT) - SEVERITY_WIDTH - len(numbers)
        condition = Part(shortened(anomaly.condition, room), "faint") if room >= READABLE else Part("")
        yield line(INDENT, Part(f"{severity:<{SEVERITY_WIDTH}}", severity), numbers, condition)
    rest = [name for name in worst_first(findings) if name not in told]
    if rest:
        text = ", ".join(f"{name} ({max(findings[name]):,})" for name in rest)
        margin = INDENT + f"{Severity.info.name:<{SEVERITY_WIDTH}}"
        for row in wrap(text, max(width, 40), initial_indent=margin, subsequent_indent=" " * len(margin)):
            yield line(Part(row, Severity.info.name))


def connection_lines(records: list[dict[str, Any]], width: int) -> Iterator[Line]:
    """Connections one a line where both halves fit beside each other, else one on two lines."""
    ids = max(len(str(record["conn_id"])) for record in records)
    left = [_who(record, ids) for record in records]
    right = [_what(record) for record in records]
    column = max(map(width_of, left)) + 2
    if column + max(map(width_of, right)) + ROOM_FOR_FINDINGS <= width:
        for who, what, record in zip(left, right, records, strict=True):
            row = [*who, Part(" " * (column - width_of(who))), *what]
            yield row + _findings(record, width - width_of(row))
        return
    margin = len(INDENT) + ids + 2
    for who, what, record in zip(left, right, records, strict=True):
        two = who, [Part(" " * margin), *what]
        roomy = min(two, key=width_of)
        roomy += _findings(record, width - width_of(roomy))
        yield from two


def _who(record: Record, ids: int) -> Line:
    client = endpoint(record["client_ip"], record["client_port"])
    server = endpoint(record["server_ip"], record["server_port"])
    network = f"  {record['network']}" if record.get("network") else ""
    return line(INDENT, f"{record['conn_id']:>{ids}}  {client} > {server}{network}")


def _what(record: Record) -> Line:
    rtt = record.get("syn_rtt_ns")
    facts = [
        f"{record['handshake']}, {record['teardown']}",
        f"{record['client_state']}/{record['server_state']}",
        f"{_octets(record, 'c2s')} > < {_octets(record, 's2c')}",
        *([f"RTT {duration(rtt)}"] if rtt is not None else []),
    ]
    return line("  ".join(facts))


def _findings(record: Record, room: int) -> Line:
    """The names of findings that fit, and how many do not."""
    names = list(record.get("findings") or ())
    parts: Line = []
    for i, name in enumerate(names):
        rest = len(names) - i
        before = ", " if i else "  "
        more = f", +{rest - 1}" if rest > 1 else ""
        room -= len(before + name)
        if i and room < len(more):
            return [*parts, Part(f"{before}+{rest}")]
        parts += [Part(before), Part(name, severity_of(name))]
    return parts


def _octets(record: Record, direction: str) -> str:
    octets = record.get(f"{direction}_octets")
    return "?" if octets is None else amount(octets)


def severity_of(name: str) -> str:
    """The severity of a finding, as the theme names it."""
    return BY_NAME[name].severity.name if name in BY_NAME else Severity.info.name
