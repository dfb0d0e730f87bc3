"""The ladder of one connection: client left, server right, a rung for each segment, both states on every rung.

First a layout (`lay_out`: rungs and folds, as data), then its drawing as lines (`draw`).  Knows no TCP beyond what the
columns of the timeline say.
"""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from tcptrace_py.views.ink import Line, Part, line, plain
from tcptrace_py.views.terminal import severity_of
from tcptrace_py.views.wording import amount, count, duration, endpoint, instant, shortened
from tcptrace_py.vocabulary import BY_NAME, Severity

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    Row = Mapping[str, Any]

STATE_WIDTH = len("ESTABLISHED")
ARROW_WIDTH = 30  # at least
NOTES_WIDTH = 26  # narrower than this, notes go below their rung
FOLD_FROM = 7  # a shorter run of ordinary segments is shown whole
SHOWN_BEFORE, SHOWN_AFTER = 3, 1  # segments of a folded run that stay
SHOWN_WARNINGS = 3  # of a kind; more of them do not keep a run from being folded


@dataclass(frozen=True, slots=True)
class Rung:
    """One segment: when, which way, what it says, both states after it, its steps (with verdict) and findings."""

    frame: str
    since_ns: int | None
    to_server: bool
    label: str
    client: str
    server: str
    client_moved: bool
    server_moved: bool
    steps: tuple[tuple[str, bool | None], ...]
    findings: tuple[str, ...]
    gap: bool


@dataclass(frozen=True, slots=True)
class Fold:
    """A run of ordinary segments that is told and not shown."""

    segments: int
    span_ns: int | None
    to_server: int
    to_client: int
    findings: tuple[tuple[str, int], ...]


@dataclass(frozen=True, slots=True)
class Ladder:
    """What is to be drawn: the connection's record, the time of the first rung, and the rungs in order."""

    record: Row
    start_ns: int | None
    rungs: tuple[Rung | Fold, ...]


@dataclass(frozen=True, slots=True)
class Glyphs:
    """What arrows and verdicts are drawn with."""

    dash: str
    right: str
    left: str
    holds: str
    fails: str
    fold: str


UNICODE = Glyphs("─", "▶", "◀", "✓", "✗", "⋮")
ASCII = Glyphs("-", ">", "<", "ok", "WRONG", ":")


def lay_out(record: Row, rows: Sequence[Row], *, unfold: bool = False) -> Ladder:
    """The ladder of the connection's segments, long runs of ordinary ones folded unless `unfold`."""
    start = next((row["time"] for row in rows if row["time"] is not None), None)
    rungs: list[Rung | Fold] = []
    for run, ordinary in _runs(rows):
        if unfold or not ordinary or len(run) < FOLD_FROM:
            rungs += [_rung(rows, i, start) for i in run]
        else:
            hidden = run[SHOWN_BEFORE:-SHOWN_AFTER]
            rungs += [_rung(rows, i, start) for i in run[:SHOWN_BEFORE]]
            rungs.append(_fold([rows[i] for i in hidden]))
            rungs += [_rung(rows, i, start) for i in run[-SHOWN_AFTER:]]
    return Ladder(record, start, tuple(rungs))


def _runs(rows: Sequence[Row]) -> Iterator[tuple[range, bool]]:
    """Maximal runs of ordinary rows, and of others between them."""
    seen: Counter[str] = Counter()
    begin, kind = 0, False
    for i, row in enumerate(rows):
        serious = [name for name in row["anomalies"] if name in BY_NAME and BY_NAME[name].severity >= Severity.warning]
        seen.update(serious)
        ordinary = (
            i > 0
            and not row["steps"]
            and _states(row) == _states(rows[i - 1])
            and not _after_gap(row)
            and all(seen[name] > SHOWN_WARNINGS for name in serious)
        )
        if ordinary != kind:
            if i > begin:
                yield range(begin, i), kind
            begin, kind = i, ordinary
    if rows:
        yield range(begin, len(rows)), kind


def _states(row: Row) -> tuple[str, str]:
    return row["client_state"], row["server_state"]


def _after_gap(row: Row) -> bool:
    return "after_gap" in (row.get("marks") or ())


def _rung(rows: Sequence[Row], i: int, start: int | None) -> Rung:
    row = rows[i]
    before = _states(rows[i - 1]) if i else ("", "")
    time = row["time"]
    return Rung(
        frame=f"{row['frame']}" + (f".{row['part']}" if row.get("part") else ""),
        since_ns=None if time is None or start is None else time - start,
        to_server=row["direction"] == "c2s",
        label=_label(row),
        client=row["client_state"],
        server=row["server_state"],
        client_moved=row["client_state"] != before[0],
        server_moved=row["server_state"] != before[1],
        steps=tuple(zip(row["steps"], row["steps_ok"], strict=True)),
        findings=tuple(row["anomalies"]),
        gap=_after_gap(row),
    )


def _label(row: Row) -> str:
    """Flags and numbers: as in the header where numbers are chosen (SYN), else counted from there."""
    opens = "S" in row["flags"]
    seq, ack = (row["seq"], row["ack"]) if opens else (row["rel_seq"], row["rel_ack"])
    words = [row["flags"] or "none"]
    words += [f"seq {seq}"] if seq is not None else []
    words += [f"ack {ack}"] if ack is not None else []
    words += [f"len {row['payload_bytes']}"] if row["payload_bytes"] else []
    return " ".join(words)


def _fold(rows: Sequence[Row]) -> Fold:
    octets = Counter[str]()
    findings = Counter[str]()
    for row in rows:
        octets[row["direction"]] += row["payload_bytes"] or 0
        findings.update(row["anomalies"])
    first, last = rows[0]["time"], rows[-1]["time"]
    span = None if first is None or last is None else last - first
    return Fold(len(rows), span, octets["c2s"], octets["s2c"], tuple(findings.most_common()))


@dataclass(frozen=True, slots=True)
class _Measures:
    """How wide the columns of one drawing are, and whether notes stand beside their rung or below it."""

    width: int
    frame: int
    time: int
    arrow: int
    beside: bool
    exact: bool  # times to the nanosecond

    @property
    def margin(self) -> int:
        """Where the arrows begin."""
        return self.frame + 2 + self.time + 2 + STATE_WIDTH + 1

    @property
    def notes_at(self) -> int:
        """Where the notes begin."""
        return self.margin + self.beside * (self.arrow + 1 + STATE_WIDTH + 2)


def _measured(ladder: Ladder, width: int) -> _Measures:
    rungs = [rung for rung in ladder.rungs if isinstance(rung, Rung)]
    exact = any(rung.since_ns is not None and rung.since_ns % 1000 for rung in rungs)
    frame = max((len(rung.frame) for rung in rungs), default=0)
    time = max((len(_seconds(rung.since_ns, exact=exact)) for rung in rungs), default=0)
    shortest = max(ARROW_WIDTH, *(len(rung.label) + 4 for rung in rungs), 0)
    room = width - _Measures(width, frame, time, 0, beside=False, exact=exact).margin - 1 - STATE_WIDTH
    beside = room - shortest - 2 >= NOTES_WIDTH
    return _Measures(width, frame, time, shortest if beside else max(shortest, room), beside, exact)


def draw(ladder: Ladder, width: int = 100, *, glyphs: Glyphs = UNICODE) -> Iterator[Line]:
    """The ladder as lines for a terminal of at least 80 columns."""
    measures = _measured(ladder, width)
    yield from _heading(ladder, width)
    yield []
    before, between = measures.margin - STATE_WIDTH - 1, STATE_WIDTH - len("client") + 1 + measures.arrow + 1
    yield line(" " * before, Part("client", "heading"), " " * between, Part("server", "heading"))
    for rung in ladder.rungs:
        yield from (
            _fold_lines(rung, measures, glyphs) if isinstance(rung, Fold) else _rung_lines(rung, measures, glyphs)
        )


def _fold_lines(fold: Fold, measures: _Measures, glyphs: Glyphs) -> Iterator[Line]:
    margin = measures.margin
    return ([Part(" " * margin), *told] for told in _packed(_told(fold, glyphs), measures.width - margin))


def _rung_lines(rung: Rung, measures: _Measures, glyphs: Glyphs) -> Iterator[Line]:
    if rung.gap:
        yield line(" " * measures.margin, Part("here the capture is damaged: segments may be missing", "wrong"))
    main = line(
        Part(f"{rung.frame:>{measures.frame}}  ", "faint"),
        f"{_seconds(rung.since_ns, exact=measures.exact):>{measures.time}}  ",
        Part(f"{rung.client:>{STATE_WIDTH}} ", "" if rung.client_moved else "faint"),
        f"{_arrow(rung, measures.arrow, glyphs)} ",
        Part(f"{rung.server:<{STATE_WIDTH}}", "" if rung.server_moved else "faint"),
    )
    notes = list(_packed(_notes(rung, glyphs), measures.width - measures.notes_at))
    if measures.beside and notes:
        main += [Part("  "), *notes.pop(0)]
    yield main
    yield from ([Part(" " * measures.notes_at), *note] for note in notes)


def _heading(ladder: Ladder, width: int) -> Iterator[Line]:
    record = ladder.record
    client = endpoint(record["client_ip"], record["client_port"])
    server = endpoint(record["server_ip"], record["server_port"])
    network = f"  {record['network']}" if record.get("network") else ""
    yield line(Part(f"Connection {record['conn_id']}  {client} > {server}{network}", "heading"))
    facts = f"opened: {record['handshake']}  closed: {record['teardown']}  client known by: {record['roles_from']}"
    yield line(facts)
    if ladder.start_ns is not None:
        length = record.get("duration_ns")
        yield line(f"from {instant(ladder.start_ns)} UTC" + (f", {duration(length)}" if length is not None else ""))
    about = list(record.get("findings") or ())
    on_segments = {name for rung in ladder.rungs for name in _names(rung)}
    for name in (name for name in about if name not in on_segments):
        text = f"{name}: {BY_NAME[name].condition}" if name in BY_NAME else name
        yield line(Part(shortened(text, width), severity_of(name)))


def _names(rung: Rung | Fold) -> list[str]:
    return [name for name, _ in rung.findings] if isinstance(rung, Fold) else list(rung.findings)


def _seconds(ns: int | None, *, exact: bool) -> str:
    """Seconds to the microsecond, or to the nanosecond if the capture is that fine."""
    if ns is None:
        return ""
    seconds, fraction = divmod(abs(ns), 10**9)
    return f"{'-' * (ns < 0)}{seconds}." + (f"{fraction:09d}" if exact else f"{fraction // 1000:06d}")


def _arrow(rung: Rung, width: int, glyphs: Glyphs) -> str:
    shaft = glyphs.dash * (width - len(rung.label) - 2)
    return f"{rung.label} {shaft}{glyphs.right}" if rung.to_server else f"{glyphs.left}{shaft} {rung.label}"


def _notes(rung: Rung, glyphs: Glyphs) -> Iterator[Part]:
    for name, holds in rung.steps:
        verdict, style = {True: (glyphs.holds, "right"), False: (glyphs.fails, "wrong"), None: ("?", "faint")}[holds]
        yield Part(f"{name} {verdict}", style)
    for name in rung.findings:
        yield Part(name, severity_of(name))


def _packed(notes: Iterator[Part], width: int) -> Iterator[Line]:
    """Notes side by side, on as many lines as they need."""
    packed: Line = []
    used = 0
    for note in notes:
        if packed and used + 2 + len(note.text) > width:
            yield packed
            packed, used = [], 0
        packed += [Part("  "), note] if packed else [note]
        used += len(note.text) + 2 * (len(packed) > 1)
    if packed:
        yield packed


def _told(fold: Fold, glyphs: Glyphs) -> Iterator[Part]:
    """What is said of a run that is not shown."""
    words = [count(fold.segments, "segment")]
    words += [f"in {duration(fold.span_ns)}"] if fold.span_ns is not None else []
    words += [f"{amount(fold.to_server)} {glyphs.right}"] if fold.to_server else []
    words += [f"{glyphs.left} {amount(fold.to_client)}"] if fold.to_client else []
    yield Part(f"{glyphs.fold} {'  '.join(words)}", "faint")
    for name, number in fold.findings:
        yield Part(f"{number:,} {name}", severity_of(name))


def ladder_text(record: Row, rows: Sequence[Row], *, width: int = 100, unfold: bool = False) -> str:
    """The ladder of one connection as plain text.

    Parameters
    ----------
    record : mapping
        The connection's row of the connections table.
    rows : sequence of mappings
        Its rows of the timeline, in order; times in nanoseconds.
    width : int
        Columns of the terminal, 80 or more.
    unfold : bool
        Show every segment.
    """
    return "\n".join(plain(parts) for parts in draw(lay_out(record, rows, unfold=unfold), width)) + "\n"
