"""What is said beside the arrows, the same in every drawing: heading, notes, folds, pauses, the legend.

Pieces of text with a style; how a style looks is the drawing's matter.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from tcptrace_py.views.ink import Line, Part
from tcptrace_py.views.terminal import severity_of
from tcptrace_py.views.wording import amount, count, duration, endpoint, instant
from tcptrace_py.vocabulary import BY_NAME, STEP_MEANING, Severity, State, Step

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from tcptrace_py.views.ladder.layout import Fold, Ladder, Rung

PHASES: dict[str, tuple[State, ...]] = {
    "opening": (State.SYN_SENT, State.SYN_RCVD),
    "open": (State.ESTABLISHED,),
    "closing": (State.FIN_WAIT_1, State.FIN_WAIT_2, State.CLOSE_WAIT, State.CLOSING, State.LAST_ACK),
    "waiting": (State.TIME_WAIT,),
    "none": (State.CLOSED, State.LISTEN, State.UNKNOWN),
}
PHASE = {state.name: phase for phase, states in PHASES.items() for state in states}
"""What a band's colour tells of a state; the name stands beside it."""

DAMAGED = "here the capture is damaged: segments may be missing"
NUMBERS = ("seq, ack: as in the header on a SYN, elsewhere counted from it", "len: payload octets")
MANY = "too many to be shown here"


class Glyphs(NamedTuple):
    """What arrows, bands and verdicts are drawn with."""

    dash: str
    right: str
    left: str
    band: str
    holds: str
    fails: str
    fold: str
    pause: str

    def verdict(self, holds: bool | None) -> tuple[str, str]:
        """The mark of a step whose equation holds, or not, or cannot be checked; and its style."""
        return {True: (self.holds, "right"), False: (self.fails, "wrong"), None: ("?", "faint")}[holds]


UNICODE = Glyphs("─", "▶", "◀", "│", "✓", "✗", "⋮", "┄")
ASCII = Glyphs("-", ">", "<", "|", "ok", "WRONG", ":", ".")


def ends(ladder: Ladder) -> tuple[str, str]:
    """Address and port of client and server."""
    record = ladder.record
    return (
        endpoint(record["client_ip"], record["client_port"]),
        endpoint(record["server_ip"], record["server_port"]),
    )


def title(ladder: Ladder) -> str:
    """Which connection it is."""
    client, server = ends(ladder)
    network = f"  {ladder.record['network']}" if ladder.record.get("network") else ""
    return f"Connection {ladder.record['conn_id']}  {client} > {server}{network}"


def facts(ladder: Ladder) -> Iterator[str]:
    """How it was opened and closed, and when."""
    record = ladder.record
    yield f"opened: {record['handshake']}  closed: {record['teardown']}  client known by: {record['roles_from']}"
    if ladder.start_ns is not None:
        length = record.get("duration_ns")
        yield f"from {instant(ladder.start_ns)} UTC" + (f", {duration(length)}" if length is not None else "")


def about_the_whole(ladder: Ladder) -> Iterator[Part]:
    """The findings that are on no segment, with what each means."""
    on_segments = ladder.findings()
    for name in ladder.record.get("findings") or ():
        if name not in on_segments:
            yield Part(f"{name}: {BY_NAME[name].condition}" if name in BY_NAME else name, severity_of(name))


def seconds(ns: int | None, *, exact: bool) -> str:
    """Seconds to the microsecond, or to the nanosecond if the capture is that fine."""
    if ns is None:
        return ""
    whole, fraction = divmod(abs(ns), 10**9)
    return f"{'-' * (ns < 0)}{whole}." + (f"{fraction:09d}" if exact else f"{fraction // 1000:06d}")


def notes(rung: Rung, glyphs: Glyphs) -> Iterator[Part]:
    """The steps that a segment is, each with its verdict, and its findings."""
    for name, holds in rung.steps:
        mark, style = glyphs.verdict(holds)
        yield Part(f"{name} {mark}", style)
    for name in rung.findings:
        yield Part(name, severity_of(name))


def told(fold: Fold, glyphs: Glyphs) -> Iterator[Part]:
    """What is said of a run that is not shown."""
    said = [f"{glyphs.fold} {count(fold.segments, 'segment')}"]
    if 0 < fold.with_data < fold.segments:
        said.append(f"{fold.with_data:,} with data")
    said += [f"in {duration(fold.span_ns)}"] if fold.span_ns is not None else []
    said += [f"{amount(fold.to_server)} {glyphs.right}"] if fold.to_server else []
    said += [f"{glyphs.left} {amount(fold.to_client)}"] if fold.to_client else []
    said += [f"longest pause {duration(fold.pause_ns)}"] if fold.pause_ns is not None else []
    said += [MANY] if not fold.rungs else []
    return (Part(text, "faint") for text in said)


def found_in(fold: Fold) -> Iterator[Part]:
    """Its findings, each with how many segments have it."""
    return (Part(f"{number:,} {name}", severity_of(name)) for name, number in fold.findings)


def packed(pieces: Iterable[Part], width: int) -> Iterator[Line]:
    """Pieces side by side, on as many lines as they need."""
    packed: Line = []
    used = 0
    for piece in pieces:
        if packed and used + 2 + len(piece.text) > width:
            yield packed
            packed, used = [], 0
        packed += [Part("  "), piece] if packed else [piece]
        used += len(piece.text) + 2 * (len(packed) > 1)
    if packed:
        yield packed


def paused(rung: Rung) -> str:
    """What is said of the time before a segment; empty if that was short."""
    return "" if rung.pause_ns is None else f"a pause of {duration(rung.pause_ns)}"


def spoken(rung: Rung, *, exact: bool) -> str:
    """A rung for who cannot see it."""
    way = "client to server" if rung.to_server else "server to client"
    time = f", {seconds(rung.since_ns, exact=exact)} s" if rung.since_ns is not None else ""
    verdicts = {True: "holds", False: "does not hold", None: "cannot be checked"}
    said = [
        f"Frame {rung.frame}{time}, {way}: {rung.label}",
        f"client {rung.client}, server {rung.server}",
        *(f"{name} {verdicts[holds]}" for name, holds in rung.steps),
        *rung.findings,
    ]
    return "; ".join(said)


def marks(ladder: Ladder, glyphs: Glyphs) -> Iterator[Part]:
    """What the verdicts in this drawing mean, and what the numbers are."""
    verdicts = {holds for rung in ladder.shown() for _, holds in rung.steps}
    meaning = {True: "the step's equation holds", False: "it does not hold", None: "it cannot be checked"}
    for holds in (holds for holds in meaning if holds in verdicts):
        mark, style = glyphs.verdict(holds)
        yield Part(f"{mark} {meaning[holds]}", style)
    yield from (Part(text, "faint") for text in NUMBERS)


def step_meanings(ladder: Ladder) -> Iterator[tuple[str, str]]:
    """The steps in this drawing, each with its equation."""
    steps = {name for rung in ladder.shown() for name, _ in rung.steps}
    return ((step.name, STEP_MEANING[step][0]) for step in Step if step.name in steps)


def finding_meanings(ladder: Ladder) -> Iterator[tuple[str, str, str]]:
    """The findings in this drawing, worst first: name, severity, exact condition."""
    found = (BY_NAME[name] for name in ladder.findings() if name in BY_NAME)
    for anomaly in sorted(found, key=lambda one: (-one.severity, one.code)):
        yield anomaly.name, Severity(anomaly.severity).name, anomaly.condition
