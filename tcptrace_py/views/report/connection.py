"""What the report says of one connection: numbers, states, graphs, ladder.  Pieces of HTML, made of its tables."""

from __future__ import annotations

import html
import json
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import numpy as np

from tcptrace_py.tables import arrays
from tcptrace_py.tables.build import as_rows
from tcptrace_py.tables.series import COLUMNS, MARKS, NEEDED, thinned, throughput, ways
from tcptrace_py.views.ladder.html import fragment
from tcptrace_py.views.ladder.layout import Fold, Rung, lay_out
from tcptrace_py.views.ladder.look import escaped
from tcptrace_py.views.ladder.words import PHASE, PHASES
from tcptrace_py.views.report.packing import packed
from tcptrace_py.views.report.sections import facts, marked
from tcptrace_py.views.wording import amount, count, duration, endpoint

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    import pyarrow as pa

    from tcptrace_py.tables.series import Numbers, Way

    Row = Mapping[str, Any]

MOST_ROWS = 400_000  # segments that the graphs of one connection show; more are thinned out
EXACT_ROWS = 20_000  # up to so many segments, times are told to the nanosecond
LADDER_ROWS, LADDER_END = 160, 30  # segments in a ladder: from the first one on, and the last ones
RUNG = (
    *("frame", "part", "time", "direction", "flags", "flags_raw", "seq", "ack", "rel_seq", "rel_ack", "payload_bytes"),
    *("window", "steps", "steps_ok", "client_state", "server_state", "anomalies", "marks"),
)
TOLD = ("time", "direction", "payload_bytes", "anomalies")  # of a segment that the ladder only counts
TIMELINE = tuple(dict.fromkeys((*NEEDED, *RUNG)))
"""Columns of the timeline that are used here."""

KEY = '<p class="help">{}</p>\n'.format(
    "".join(
        f'<span class="key {phase}"></span>{", ".join(state.name for state in states)}'
        for phase, states in PHASES.items()
    )
)
"""Which colour stands for which states."""

NUMBERS = (
    ("segments", "segments", "{:,}".format),
    ("octets", "octets of payload", amount),
    ("unique_octets", "each counted once", amount),
    ("retransmissions", "segments sent again", "{:,}".format),
    ("resent_octets", "octets sent again", amount),
    ("loss_events", "times that it began to resend", "{:,}".format),
    ("out_of_order", "segments out of order", "{:,}".format),
    ("duplicate_packets", "copies made by network or capture", "{:,}".format),
    ("missing_octets", "octets that the capture lacks", amount),
    ("duplicate_acks", "duplicate ACKs", "{:,}".format),
    ("throughput", "throughput", lambda rate: f"{amount(round(rate))}/s"),
    ("rtt_samples", "round trips measured", "{:,}".format),
    ("rtt_min_ns", "least round trip", duration),
    ("rtt_avg_ns", "mean round trip", duration),
    ("rtt_max_ns", "greatest round trip", duration),
    ("max_in_flight", "most octets in flight", amount),
    ("window_min", "least window offered", amount),
    ("window_max", "greatest window offered", amount),
    ("zero_windows", "windows of 0 offered", "{:,}".format),
    ("zero_window_ns", "time with its window closed", duration),
    ("max_segment", "largest segment", amount),
    ("mss", "MSS option", amount),
    ("wscale", "window scale option", str),
)
"""Column of `connections` without its direction, what it says, how it is spelled."""


def section(record: Row, rows: pa.Table, stays: Sequence[Row], *, ladder_rows: int = LADDER_ROWS) -> str:
    """A connection as a part of the page that can be opened; its graphs are drawn then."""
    conn_id = record["conn_id"]
    client, server = _ends(record)
    found = " ".join(marked(name) for name in record["findings"])
    both = thinned_ways(rows)
    return (
        f'<details class="connection" id="c{conn_id}"><summary><h3>{conn_id}: {client} ► {server}</h3> '
        f"<small>{record['handshake']}, {record['teardown']}</small>"
        f'<span class="findings">{found}</span></summary>\n<div class="inside">\n'
        f"{states(record, stays)}{_graphs(record, both)}{_numbers(record)}"
        f'<h4>Ladder</h4>\n<div class="ladder">{ladder(record, rows, ladder_rows)}</div>\n</div></details>\n'
    )


def _ends(record: Row) -> list[str]:
    return [escaped(end) for end in plain_ends(record)]


def plain_ends(record: Row) -> list[str]:
    """Client and server with their ports."""
    return [endpoint(record[f"{end}_ip"], record[f"{end}_port"]) for end in ("client", "server")]


# -- graphs --------------------------------------------------------------------------------------------------------


def thinned_ways(rows: pa.Table, most: int = MOST_ROWS) -> dict[str, Way]:
    """Both directions, with no more rows than a page can bear."""
    both = ways(rows.select(NEEDED))
    whole = max(sum(len(way.time) for way in both.values()), 1)
    return {name: thinned(way, max(most * len(way.time) // whole, 2)) for name, way in both.items()}


def _graphs(record: Row, both: dict[str, Way]) -> str:
    conn_id = record["conn_id"]
    if not any(len(way.time) for way in both.values()):
        return "<h4>Graphs</h4>\n<p>None: no segment has a time.</p>\n"
    return f"<h4>Graphs</h4>\n{left_out(both)}{drawing(record, both, f'g{conn_id}')}"


def drawing(record: Row, both: dict[str, Way], name: str, *, kinds: Sequence[str] = (), way: str | None = None) -> str:
    """The place where the script draws, and what it draws; some kinds of graphs alone, a direction before the other."""
    known = held(record, both) | ({"way": way} if way else {})
    only = f' data-kinds="{html.escape(json.dumps(kinds))}"' if kinds else ""
    text = json.dumps(known, separators=(",", ":")).replace("<", "\\u003c")
    return (
        f'<div class="graphs" data-series="{name}"{only}><p class="help">The graphs are drawn by JavaScript. What they '
        f"show is summed up by the numbers of this connection.</p></div>\n"
        f'<script type="application/json" id="{name}">{text}</script>\n'
    )


def left_out(both: dict[str, Way]) -> str:
    """What is said where not all segments are drawn."""
    shown, whole = (sum(numbers) for numbers in zip(*((len(w.time), w.segments) for w in both.values()), strict=True))
    if shown == whole:
        return ""
    return (
        f'<p class="warning">{shown:,} of {whole:,} segments are drawn: those with findings, and an even sample of the '
        "others.</p>\n"
    )


def held(record: Row, both: dict[str, Way]) -> dict[str, Any]:
    """What the script needs to draw the graphs of a connection."""
    unit = 1 if sum(len(way.time) for way in both.values()) <= EXACT_ROWS else 1000
    start = min(int(way.time[0]) for way in both.values() if len(way.time))
    places, text = packed(_columns(both, start, unit))
    return {
        "conn": record["conn_id"],
        "ends": dict(zip(both, plain_ends(record), strict=True)),
        "unit": unit,
        "known": COLUMNS,
        "marks": MARKS,
        "segments": {name: way.segments for name, way in both.items()},
        "columns": places,
        "packed": text,
    }


def _columns(both: dict[str, Way], start: int, unit: int) -> Iterator[tuple[str, Numbers]]:
    """Every column of both directions; times count from the first segment, in units."""
    for name, way in both.items():
        yield f"{name}.time", (way.time - start) // unit
        yield f"{name}.frame", way.frame
        yield f"{name}.marks", way.marks
        yield f"{name}.known", way.known
        for column, values in way.columns.items():
            yield f"{name}.{column}", _filled(way, column, values) // (unit if column.endswith("_ns") else 1)
        for part, values in zip(("row", "left", "right"), way.sack, strict=True):
            yield f"{name}.sack_{part}", values
    rates = throughput(both)
    for direction, name in enumerate(both):
        mine = arrays.plain(rates.column("direction")) == direction
        yield f"{name}.step", arrays.plain(rates.column("step_ns"))[mine][:1] // unit
        for column in ("octets", "acked_octets"):
            yield f"{name}.{column}", arrays.plain(rates.column(column))[mine]


def _filled(way: Way, column: str, values: Numbers) -> Numbers:
    """The value before in the place of one that is not known: it costs nothing then."""
    last = np.maximum.accumulate(np.where(way.known_rows(column), np.arange(len(values)), 0))
    return values[last]


# -- numbers and states --------------------------------------------------------------------------------------------


def _numbers(record: Row) -> str:
    rows = []
    for column, meaning, spell in NUMBERS:
        told = [record[f"{way}_{column}"] for way in ("c2s", "s2c")]
        if any(value is not None for value in told):
            cells = "".join(f'<td class="number">{"" if value is None else spell(value)}</td>' for value in told)
            rows.append(f'<tr><th scope="row">{meaning}</th>{cells}</tr>\n')
    client, server = _ends(record)
    head = f'<th scope="col">sent by the</th><th scope="col" class="number">client <small>{client}</small></th>'
    head += f'<th scope="col" class="number">server <small>{server}</small></th>'
    known = [("opened", f"{record['handshake']}{_rtts(record)}"), ("closed", _closed(record))]
    if record["network"]:
        known.append(("network", escaped(record["network"])))
    known.append(("client known by", record["roles_from"]))
    return (
        f'<h4>In numbers</h4>\n{facts(known)}<div class="wide"><table><thead><tr>{head}</tr></thead>\n'
        f"<tbody>\n{''.join(rows)}</tbody></table></div>\n"
    )


def _rtts(record: Row) -> str:
    halves = {"SYN to SYN-ACK": record["syn_rtt_ns"], "SYN-ACK to ACK": record["ack_rtt_ns"]}
    return "".join(f"; {what} {duration(ns)}" for what, ns in halves.items() if ns is not None)


def _closed(record: Row) -> str:
    told = [record["teardown"]]
    told += [f"first by {record['closed_first']}"] if record["closed_first"] else []
    told += [f"reset by {record['reset_by']}"] if record["reset_by"] else []
    told += [f"half closed for {duration(record['half_close_ns'])}"] if record["half_close_ns"] is not None else []
    return "; ".join(told)


def states(record: Row, stays: Sequence[Row]) -> str:
    """Both ends' states as strips over the time of the connection, and as a table."""
    times = [time for row in stays for time in (row["entered_time"], row["left_time"]) if time is not None]
    strips = table = ""
    if times:
        start = min(times)
        span = max(max(*times, record["end"] or 0) - start, 1)
        for end in ("client", "server"):
            mine = [row for row in stays if row["endpoint"] == end]
            told = ", ".join(f"{row['state']} from {_since(row['entered_time'], start)}" for row in mine)
            strip = _strip(mine, start, span, f"{end}: {told}")
            strips += f'<tr><th scope="row">{end}</th><td class="chart"><div class="strip">{strip}</div></td></tr>\n'
        strips = f'<table class="lanes"><tbody>\n{strips}</tbody></table>\n{KEY}'
    for row in stays:
        cells = (
            row["endpoint"],
            row["state"],
            _frame(row, "entered", times),
            _frame(row, "proved", times),
            _frame(row, "left", times),
        )
        table += "<tr>" + "".join(f"<td>{cell}</td>" for cell in cells) + "</tr>\n"
    head = "".join(f'<th scope="col">{name}</th>' for name in ("end", "state", "entered", "proved", "left"))
    return (
        f"<h4>States</h4>\n{strips}<details><summary>The same as a table</summary>"
        f'<div class="wide"><table><thead><tr>{head}</tr></thead>\n<tbody>\n{table}</tbody></table></div></details>\n'
    )


def _strip(mine: Sequence[Row], start: int, span: int, told: str) -> str:
    bars = ""
    for row in mine:
        begin = row["entered_time"] - start
        end = span if row["left_time"] is None else row["left_time"] - start
        bars += (
            f'<rect class="{PHASE.get(row["state"], "none")}" x="{1000 * begin / span:.5g}" y="0" '
            f'width="{max(1000 * (end - begin) / span, 1):.5g}" height="10"><title>{row["state"]}</title></rect>'
        )
    return f'<svg viewBox="0 0 1000 10" preserveAspectRatio="none" role="img" aria-label="{told}">{bars}</svg>'


def _since(time: int | None, start: int) -> str:
    return "" if time is None else f"+{duration(time - start)}"


def _frame(row: Row, what: str, times: Sequence[int]) -> str:
    """When, and with which frame."""
    if row[f"{what}_frame"] is None:
        return "not proved" if what == "proved" else ""
    return " ".join(filter(None, [_since(row[f"{what}_time"], min(times, default=0)), f"frame {row[f'{what}_frame']}"]))


# -- ladder --------------------------------------------------------------------------------------------------------


def ladder(record: Row, rows: pa.Table, most: int = LADDER_ROWS) -> str:
    """The ladder; of many segments the first ones, and the last ones as a ladder of their own."""
    first = _rows(rows.slice(0, most), RUNG)
    rest = _rows(rows.slice(most), TOLD)
    drawn = fragment(lay_out(record, [*first, *rest], at_most=most))
    last = rows.slice(max(rows.num_rows - LADDER_END, most))
    if not last.num_rows:
        return drawn
    end = lay_out(record, _rows(last, RUNG))
    since = 0 if first[0]["time"] is None or end.start_ns is None else end.start_ns - first[0]["time"]
    later = replace(end, rungs=tuple(_later(rung, since) for rung in end.rungs))
    return f"{drawn}<h4>The last {count(last.num_rows, 'segment')}</h4>\n{fragment(later)}"


def _later(rung: Rung | Fold, since: int) -> Rung | Fold:
    """The same rung, its time counted from an earlier beginning."""
    if isinstance(rung, Fold):
        return replace(rung, rungs=tuple(_rung_later(each, since) for each in rung.rungs))
    return _rung_later(rung, since)


def _rung_later(rung: Rung, since: int) -> Rung:
    return rung if rung.since_ns is None else replace(rung, since_ns=rung.since_ns + since)


def _rows(rows: pa.Table, columns: Sequence[str]) -> list[dict[str, Any]]:
    return [row for batch in rows.select(columns).to_batches() for row in as_rows(batch)]
