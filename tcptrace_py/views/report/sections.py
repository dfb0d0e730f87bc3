"""What the report says of the whole capture: quality, summary, table of connections, states over time, findings.

Pieces of HTML.  Every number is a column of a table or a count of the summary; every text passes `escaped`.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NamedTuple

from tcptrace_py.views.ladder.look import escaped
from tcptrace_py.views.terminal import severity_of, worst_first
from tcptrace_py.views.wording import amount, count, duration, endpoint, instant
from tcptrace_py.vocabulary import (
    BY_NAME,
    HANDSHAKE_MEANING,
    STATE_MEANING,
    TEARDOWN_MEANING,
    UNUSED_MEANING,
    Severity,
    State,
)

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence

    Row = Mapping[str, Any]

LANE_WIDTH, LANE_HEIGHT = 1000, 100  # of the drawing; the page stretches it
TOLD_OF_A_KIND = 25  # findings that are listed


def facts(rows: Iterable[tuple[str, str]]) -> str:
    """A table of names and what is known of them; both are HTML."""
    return (
        '<div class="wide"><table class="facts">\n'
        + "".join(f'<tr><th scope="row">{name}</th><td>{told}</td></tr>\n' for name, told in rows)
        + "</table></div>\n"
    )


def marked(name: str) -> str:
    """The name of a finding, as grave as it is, with what it means."""
    meaning = f' title="{escaped(BY_NAME[name].condition)}"' if name in BY_NAME else ""
    return f'<span class="{severity_of(name)}"{meaning}>{escaped(name)}</span>'


# -- the capture ---------------------------------------------------------------------------------------------------


def quality(capture: Row, files: Sequence[Row] = ()) -> str:
    """How good the capture is: what was read, what was not used and why, what is wrong; `files` are those of a set."""
    grave = [name for name in capture["findings"] if BY_NAME[name].severity >= Severity.warning]
    if capture["status"] != "ok":
        look, verdict = "bad", f"{capture['status']}: {capture['message'] or capture['reason']}"
    elif grave or capture["limits"]:
        look, verdict = "bad", "read to its end; what is listed below limits what can be concluded from it"
    elif capture["findings"]:
        look, verdict = "fair", "ok: read to its end; see below what is particular about it"
    else:
        look, verdict = "good", "ok: read to its end, and nothing in it says that the capture lacks or repeats packets"
    head = f'<p class="verdict {look}">{escaped(verdict)}</p>\n'
    return section("quality", "Capture quality", head + facts(_quality(capture)) + _files(files))


def _files(files: Sequence[Row]) -> str:
    """The files of a set, one by one."""
    if not files:
        return ""
    heads = ("file", "status", "first frame", "packets", "used", "from", "what is wrong")
    rows = "".join(
        f"<tr><td><code>{escaped(file['path'])}</code></td><td>{file['status']}</td>"
        f'<td class="number">{file["first_frame"]:,}</td><td class="number">{file["packets_read"]:,}</td>'
        f'<td class="number">{file["packets_used"]:,}</td>'
        f"<td>{'' if file['first_time'] is None else instant(file['first_time'])}</td>"
        f"<td>{escaped(file['message'])}</td></tr>\n"
        for file in files
    )
    head = "".join(f'<th scope="col">{name}</th>' for name in heads)
    return f'<div class="wide"><table><thead><tr>{head}</tr></thead>\n<tbody>\n{rows}</tbody></table></div>\n'


def _quality(capture: Row) -> Iterator[tuple[str, str]]:
    links = ", ".join(capture["link_types"]) or "none"
    kinds = ", ".join(filter(None, [capture["format"], capture["compression"], f"link types: {links}"]))
    yield "file", f"<code>{escaped(capture['path'])}</code>"
    yield "format", escaped(kinds)
    yield "status", escaped(" ".join(filter(None, [capture["status"], capture["reason"]])))
    if capture["offset"] is not None:
        yield "damage", f"at byte {capture['offset']:,} of the uncompressed input"
    yield "packets read", f"{capture['packets_read']:,}"
    yield "packets used", f"{capture['packets_used']:,}, which gave {count(capture['segments'], 'segment')}"
    for reason, meaning in UNUSED_MEANING.items():
        if number := capture[f"unused_{reason.name}"]:
            yield f"not used: {reason.name}", f"{number:,} <small>{escaped(meaning)}</small>"
    first, last = capture["first_time"], capture["last_time"]
    if first is not None and last is not None:
        yield "time", f"{instant(first)} to {instant(last)} UTC, {duration(last - first)}"
    for name in capture["findings"]:
        yield marked(name), escaped(BY_NAME[name].condition)
    for limit in capture["limits"]:
        yield (
            '<span class="warning">bound reached</span>',
            f"{escaped(limit)} <small>see tcpflows catalog bound</small>",
        )
    if capture["notes"]:
        yield "notes", escaped(", ".join(capture["notes"]))


def section(name: str, title: str, inner: str) -> str:
    """A part of the page with its heading."""
    return f'<section id="{name}" aria-labelledby="h-{name}">\n<h2 id="h-{name}">{title}</h2>\n{inner}</section>\n'


# -- the summary ---------------------------------------------------------------------------------------------------


def shapes(summary: Any) -> str:
    """How connections were opened and closed."""
    handshakes = {str(shape): meaning for shape, meaning in HANDSHAKE_MEANING.items()}
    teardowns = {str(shape): meaning for shape, meaning in TEARDOWN_MEANING.items()}
    return _shares("Opened", summary.by_handshake, handshakes) + _shares("Closed", summary.by_teardown, teardowns)


def _shares(title: str, counts: Mapping[str, int], meanings: Mapping[str, str]) -> str:
    whole = max(sum(counts.values()), 1)
    rows = "".join(
        f'<tr><th scope="row">{name}</th><td class="number">{number:,}</td><td>'
        f'<svg class="share" viewBox="0 0 100 1" preserveAspectRatio="none" aria-hidden="true">'
        f'<rect width="{100 * number / whole:.2f}" height="1"/></svg></td>'
        f"<td>{escaped(meanings.get(name, ''))}</td></tr>\n"
        for name, number in sorted(counts.items(), key=lambda item: -item[1])
    )
    head = f'<tr><th scope="col">{title}</th><th scope="col" class="number">connections</th>'
    head += '<th scope="col">share</th><th scope="col">meaning</th></tr>'
    return f'<div class="wide"><table><thead>{head}</thead>\n<tbody>\n{rows}</tbody></table></div>\n'


# -- the table of connections --------------------------------------------------------------------------------------


class Head(NamedTuple):
    """A column of the table: its name, what it says, what it is sorted by (None: what it says), how it stands."""

    name: str
    told: Callable[[Row], str]
    sort: Callable[[Row], Any] | None = None
    number: bool = False


def _known(name: str, spell: Callable[[Any], str]) -> Callable[[Row], str]:
    return lambda record: "" if record[name] is None else spell(record[name])


def _number(name: str, head: str, spell: Callable[[Any], str] = str) -> Head:
    """A column of numbers; it is sorted by the number, unless that is what it says."""
    sort = None if spell is str else lambda record: "" if record[name] is None else record[name]
    return Head(head, _known(name, spell), sort, number=True)


def _severity(record: Row) -> int:
    return Severity[record["severity"]] if record["severity"] else -1


def _after(record: Row, start_ns: int) -> int | str:
    return "" if record["start"] is None else record["start"] - start_ns


def heads(start_ns: int) -> list[Head]:
    """The columns; times count from `start_ns`."""
    return [
        Head("id", lambda record: str(record["conn_id"]), None, number=True),
        Head("severity", lambda record: record["severity"] or "", _severity),
        Head("client", lambda record: escaped(endpoint(record["client_ip"], record["client_port"]))),
        Head("server", lambda record: escaped(endpoint(record["server_ip"], record["server_port"]))),
        Head("opened", lambda record: record["handshake"]),
        Head("closed", lambda record: record["teardown"]),
        Head(
            "start", _known("start", lambda ns: f"+{duration(ns - start_ns)}"), lambda record: _after(record, start_ns)
        ),
        _number("duration_ns", "duration", duration),
        _number("c2s_octets", "octets ►", amount),
        _number("s2c_octets", "octets ◄", amount),
        _number("c2s_retransmissions", "resent ►"),
        _number("s2c_retransmissions", "resent ◄"),
        _number("syn_rtt_ns", "RTT", duration),
        Head("findings", lambda record: ", ".join(record["findings"])),
    ]


def connections(records: Iterable[Row], start_ns: int, shown: Collection[int], left_out: int) -> str:
    """The table, the worst connections first; those that are shown below are links to there."""
    columns = heads(start_ns)
    names = "".join(f'<th scope="col"{_stands(head)}>{head.name}</th>' for head in columns)
    rows = "".join(_connection(record, columns, record["conn_id"] in shown) for record in records)
    told = ""
    if left_out:
        told = f"<p>{count(left_out, 'connection is', 'connections are')} left out of this table, those with the least "
        told += "findings; <code>tcpflows analyze CAPTURE --table connections</code> lists all.</p>\n"
    caption = (
        "<caption>► from client to server, ◄ from server to client; RTT: SYN to SYN-ACK at the capture point</caption>"
    )
    return (
        f'{told}<div class="wide" tabindex="0" role="region" aria-label="Table of connections">'
        f'<table class="connections">{caption}<thead><tr>{names}</tr></thead>\n<tbody>\n{rows}</tbody></table></div>\n'
    )


def _stands(head: Head) -> str:
    return ' class="number"' if head.number else ""


def _connection(record: Row, columns: Sequence[Head], linked: bool) -> str:
    """A row, as short as HTML allows: there may be five thousand.  How a column looks, the style says by its place."""
    cells = []
    for head in columns:
        told = head.told(record)
        sort = f' data-s="{head.sort(record)}"' if head.sort else ""
        if head.name == "id" and linked:
            told = f'<a href="#c{told}">{told}</a>'
        cells.append(f"<td{sort}>{told}")
    return f"<tr>{''.join(cells)}\n"


# -- states over time ----------------------------------------------------------------------------------------------


def population(rows: Sequence[Row], coarse: Sequence[Row]) -> str:
    """A lane a state: the most endpoints at once over time; below it the same in few steps, as a table."""
    names = list(dict.fromkeys(row["state"] for row in rows))
    if not names:
        return "<p>No endpoint was in any state.</p>\n"
    lanes = "".join(_lane(name, [row["most"] for row in rows if row["state"] == name]) for name in names)
    times = list(dict.fromkeys(row["time"] for row in coarse))
    most = {(row["time"], row["state"]): row["most"] for row in coarse}
    head = "".join(f'<th scope="col" class="number">{name}</th>' for name in names)
    body = "".join(
        f'<tr><th scope="row" class="number">+{duration(time - times[0])}</th>'
        + "".join(f'<td class="number">{most.get((time, name), 0):,}</td>' for name in names)
        + "</tr>\n"
        for time in times
    )
    return (
        "<p>How many endpoints, two to a connection, were in each state at once, over the time of the capture. Each "
        "lane has a scale of its own. An end counts from the earliest moment at which it can have entered the state; "
        "TIME_WAIT lasts 2MSL.</p>\n"
        '<table class="lanes"><thead><tr><th scope="col">state</th><th scope="col">over time</th>'
        f'<th scope="col" class="number">most</th></tr></thead>\n<tbody>\n{lanes}</tbody></table>\n'
        "<details><summary>The same as a table: most at once from each time to the next</summary>\n"
        f'<div class="wide"><table><thead><tr><th scope="col" class="number">from</th>{head}</tr></thead>\n'
        f"<tbody>\n{body}</tbody></table></div></details>\n"
    )


def _lane(name: str, values: Sequence[int]) -> str:
    top, step = max(*values, 1), LANE_WIDTH / len(values)
    outline = f"M0 {LANE_HEIGHT}"
    before = None
    for at, value in enumerate(values):
        if value != before:
            outline += f"H{at * step:.4g}V{LANE_HEIGHT - LANE_HEIGHT * value / top:.4g}"
            before = value
    told = f"{name}: at most {max(values):,} at once, {values[0]:,} in the first step, {values[-1]:,} in the last"
    meaning = escaped(STATE_MEANING[State[name]])
    return (
        f'<tr><th scope="row" title="{meaning}">{name}</th><td class="chart">'
        f'<svg viewBox="0 0 {LANE_WIDTH} {LANE_HEIGHT}" preserveAspectRatio="none" role="img" aria-label="{told}">'
        f'<path d="{outline}H{LANE_WIDTH}V{LANE_HEIGHT}Z"/></svg></td><td class="number">{max(values):,}</td></tr>\n'
    )


# -- findings ------------------------------------------------------------------------------------------------------


def findings(counts: Mapping[str, tuple[int, int]], events: Mapping[str, Sequence[Row]], shown: Collection[int]) -> str:
    """Findings by kind, the gravest first; each with some of its events, and links to the segments."""
    if not counts:
        return "<p>None.</p>\n"
    return "".join(_kind(name, counts[name], events.get(name, ()), shown) for name in worst_first(counts))


def _kind(name: str, numbers: tuple[int, int], events: Sequence[Row], shown: Collection[int]) -> str:
    anomaly = BY_NAME[name]
    segments, connections_ = numbers
    told = [count(segments, "segment")] if segments else []
    told.append(f"on {count(connections_, 'connection')}" if segments else count(connections_, "connection"))
    about = {"source": anomaly.source, "tshark": anomaly.tshark, "Zeek": anomaly.zeek, "tcptrace": anomaly.tcptrace}
    known = "; ".join(f"{where}: {escaped(what)}" for where, what in about.items() if what)
    rows = "".join(_event(event, shown) for event in events[:TOLD_OF_A_KIND])
    head = '<tr><th scope="col" class="number">frame</th><th scope="col">connection</th><th scope="col">what</th></tr>'
    table = f'<div class="wide"><table><thead>{head}</thead>\n<tbody>\n{rows}</tbody></table></div>\n' if rows else ""
    if len(events) < max(numbers) or len(events) > TOLD_OF_A_KIND:
        table += '<p class="help">Not all of them are listed; the events and timeline tables have the others.</p>\n'
    return (
        f'<details class="finding"><summary><span class="{anomaly.severity.name}">{anomaly.severity.name}</span> '
        f"<strong>{name}</strong> {' '.join(told)}</summary>\n"
        f'<div class="inside"><p>{escaped(anomaly.condition)}</p>\n<p class="help">{known}</p>\n'
        f"{table}</div></details>\n"
    )


def _event(event: Row, shown: Collection[int]) -> str:
    conn_id, frame = event["conn_id"], event["frame"]
    linked = conn_id in shown
    where = "" if frame is None else f"{frame}"
    if linked and where:
        where = f'<a href="#c{conn_id}" data-frame="{frame}">{frame}</a>'
    conn = "" if conn_id is None else f'<a href="#c{conn_id}">{conn_id}</a>' if linked else f"{conn_id}"
    return f'<tr><td class="number">{where}</td><td>{conn}</td><td>{escaped(event["sentence"])}</td></tr>\n'
