"""``tcpflows audit``: what a table of flows did to connections, in counts and by the worst.

Knows wording and layout.  Does not judge.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NamedTuple

from tcptrace_py.errors import ExitCode
from tcptrace_py.views.commands import complain, emit, warn_if_interpreted
from tcptrace_py.views.forms import form_of
from tcptrace_py.views.ink import Line, Part, line
from tcptrace_py.views.wording import count, endpoint

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from tcptrace_py.flow_audit import Audit
    from tcptrace_py.views.reading import Reading

CUTS = {"cut_at_fin": "at a FIN", "cut_at_timeout": "at a timeout", "cut_otherwise": "otherwise"}


class Asked(NamedTuple):
    """What was typed."""

    flows: Path
    capture: str
    table: str
    offset: float | None
    form: str
    output: Path | None
    top: int


def audit(asked: Asked, reading: Reading, *, raw_csv: bool) -> ExitCode:
    """Everything that ``tcpflows audit`` does."""
    from tcptrace_py.flow_audit import audit as carry_out

    form = form_of(asked.form, asked.output, "summary")
    warn_if_interpreted(quiet=reading.quiet)
    done = carry_out(asked.flows, asked.capture, offset_s=asked.offset, **reading.options)
    complain(done.trace)
    if form == "summary":
        emit(summary(done, str(asked.flows), asked.top))
    elif form == "table":
        from tcptrace_py.views.grid import grid_lines

        batch = done.batch(asked.table)
        emit(grid_lines([batch], [name for name in batch.schema.names if name != "capture"]))
    else:
        from tcptrace_py.tables.write import one_file

        batch = done.batch(asked.table)
        with one_file(form, asked.output, {asked.table: batch.schema}, raw_csv=raw_csv) as writer:
            writer.put(asked.table, batch)
    return ExitCode.PARTIAL if done.trace.status != "ok" else ExitCode.OK


def summary(done: Audit, flows: str, top: int) -> Iterator[Line]:
    """Counts of rows and of connections, and the worst."""
    yield line(Part(flows, "heading"), f"  {count(len(done.rows['flows']), 'TCP flow')}, clock {_offset(done)}")
    if done.other_protocols or done.nonsense:
        yield line(f"  {count(done.other_protocols, 'row')} of other protocols, {done.nonsense:,} not readable")
    yield line(f"{done.found['exact']:>11,}  found by number and duration of their segments")
    yield line(f"{done.found['time']:>11,}  found by their time alone")
    yield _wrong(done.found["none"], "fit nothing in the capture")
    yield _wrong(done.mixed, "hold segments of several connections")
    yield _wrong(done.reversed, "have the server for their source")
    yield []
    yield line(Part(done.trace.path, "heading"), f"  {count(len(done.rows['connections']), 'connection')}")
    for pieces, number in sorted(done.pieces.items()):
        text = "in no flow" if not pieces else "in one flow" if pieces == 1 else f"in {pieces:,} flows"
        yield line(f"{number:>11,}  ", Part(text, "right" if pieces == 1 else "wrong"))
    cuts = {name: sum(row[name] for row in done.rows["connections"]) for name in CUTS}
    if any(cuts.values()):
        yield line(
            "  cut " + ", ".join(f"{count(cuts[name], 'time')} {words}" for name, words in CUTS.items() if cuts[name])
        )
    if worst := done.worst(top):
        yield []
        yield line(Part("Worst connections", "heading"))
        yield from _worst(worst)


def _wrong(number: int, words: str) -> Line:
    return line(f"{number:>11,}  ", Part(words, "wrong" if number else ""))


def _offset(done: Audit) -> str:
    hours, rest = divmod(abs(done.offset_s), 3600)
    sign = "-" if done.offset_s < 0 else "+"
    return "UTC" if not done.offset_s else f"UTC{sign}{int(hours)}:{int(rest // 60):02d}"


def _worst(rows: list[dict[str, Any]]) -> Iterator[Line]:
    ids = max(len(str(row["conn_id"])) for row in rows)
    for row in rows:
        ends = f"{endpoint(row['client_ip'], row['client_port'])} > {endpoint(row['server_ip'], row['server_port'])}"
        told = f"{row['segments_told']} of {row['segments']} segments in {count(row['pieces'], 'flow')}"
        facts = [f"{row[name]} {words}" for name, words in (("mixed", "mixed"), ("reversed", "reversed")) if row[name]]
        facts += [f"{row[name]} cut {words}" for name, words in CUTS.items() if row[name]]
        yield line(f"  {row['conn_id']:>{ids}}  {ends}  {told}", *([f"; {', '.join(facts)}"] if facts else []))
