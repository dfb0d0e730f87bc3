"""The ladder as lines for a terminal: as wide as there is room, coloured by `ink`, in plain ASCII on request."""

from __future__ import annotations

from dataclasses import dataclass
from itertools import chain, zip_longest
from textwrap import wrap
from typing import TYPE_CHECKING

from tcptrace_py.views.ink import Line, Part, line, width_of
from tcptrace_py.views.ladder.layout import Fold
from tcptrace_py.views.ladder.words import (
    DAMAGED,
    PHASE,
    UNICODE,
    Glyphs,
    about_the_whole,
    facts,
    finding_meanings,
    found_in,
    marks,
    notes,
    packed,
    paused,
    seconds,
    title,
    told,
)
from tcptrace_py.views.wording import shortened

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tcptrace_py.views.ladder.layout import Ladder, Rung

STATE_WIDTH = len("ESTABLISHED")
ARROW_WIDTH = 30  # at least
NOTES_WIDTH = 26  # narrower than this, notes go below their rung


@dataclass(frozen=True, slots=True)
class _Measures:
    """How wide the columns of one drawing are, and whether notes stand beside their rung or below it."""

    width: int
    frame: int
    time: int
    arrow: int
    beside: bool
    exact: bool

    @property
    def margin(self) -> int:
        """Where the arrows begin."""
        return self.frame + 2 + self.time + 2 + STATE_WIDTH + 1

    @property
    def notes_at(self) -> int:
        """Where the notes begin."""
        return self.margin + self.beside * (self.arrow + 1 + STATE_WIDTH + 2)

    @property
    def room(self) -> int:
        """How wide notes may be."""
        return self.width - self.notes_at if self.beside else self.arrow


def _measured(ladder: Ladder, width: int) -> _Measures:
    rungs = list(ladder.shown())
    frame = max((len(rung.frame) for rung in rungs), default=0)
    time = max((len(seconds(rung.since_ns, exact=ladder.exact)) for rung in rungs), default=0)
    shortest = max(ARROW_WIDTH, *(len(rung.label) + 4 for rung in rungs), 0)
    room = width - _Measures(width, frame, time, 0, beside=False, exact=False).margin - 1 - STATE_WIDTH
    beside = room - shortest - 2 >= NOTES_WIDTH
    return _Measures(width, frame, time, shortest if beside else max(shortest, room), beside, ladder.exact)


def draw(ladder: Ladder, width: int = 100, *, glyphs: Glyphs = UNICODE) -> Iterator[Line]:
    """The ladder as lines for a terminal of at least 80 columns."""
    measures = _measured(ladder, width)
    yield line(Part(title(ladder), "heading"))
    yield from (line(fact) for fact in facts(ladder))
    for text, style in about_the_whole(ladder):
        yield line(Part(shortened(text, width), style))
    yield []
    before, between = measures.margin - STATE_WIDTH - 1, STATE_WIDTH - len("client") + 1 + measures.arrow + 1
    yield line(" " * before, Part("client", "heading"), " " * between, Part("server", "heading"))
    states = ("", "")
    for place, rung in enumerate(ladder.rungs):
        if isinstance(rung, Fold):
            over = place + 1 == len(ladder.rungs)
            yield from _fold_lines(rung, measures, glyphs, ("", "") if over else states)
        else:
            yield from _rung_lines(rung, measures, glyphs, states)
            states = rung.client, rung.server
    yield from _legend(ladder, width, glyphs)


def _fold_lines(fold: Fold, measures: _Measures, glyphs: Glyphs, states: tuple[str, str]) -> Iterator[Line]:
    words, found = told(fold, glyphs), found_in(fold)
    if not measures.beside:
        words, found = chain(words, found), iter(())
    nothing: Line = []
    for said, note in zip_longest(packed(words, measures.arrow), packed(found, measures.room), fillvalue=nothing):
        main = _between(said, measures, glyphs, states)
        yield [*main, Part(" " * (measures.notes_at - width_of(main))), *note] if note else main


def _between(said: Line, measures: _Measures, glyphs: Glyphs, states: tuple[str, str]) -> Line:
    """A line that is no segment; the bands go on beside it, where it leaves room for the second."""
    client, server = (_band(state, glyphs) for state in states)
    room = measures.arrow - width_of(said) + 1
    left = line(" " * (measures.margin - 2), client, " ", *said)
    return [*left, Part(" " * room), server] if room > 0 else left


def _band(state: str, glyphs: Glyphs) -> Part:
    """A piece of an end's band where its state stays; none before it has any."""
    return Part(glyphs.band, PHASE.get(state, "none")) if state else Part(" ")


def _rung_lines(rung: Rung, measures: _Measures, glyphs: Glyphs, before: tuple[str, str]) -> Iterator[Line]:
    if rung.pause_ns is not None:
        said = f" {paused(rung)} "
        yield _between(line(Part(f"{said:{glyphs.pause}^{measures.arrow}}", "faint")), measures, glyphs, before)
    if rung.gap:
        yield _between(line(Part(DAMAGED, "wrong")), measures, glyphs, before)
    client = Part(rung.client, PHASE.get(rung.client, "none")) if rung.client_moved else _band(rung.client, glyphs)
    server = Part(rung.server, PHASE.get(rung.server, "none")) if rung.server_moved else _band(rung.server, glyphs)
    main = line(
        Part(f"{rung.frame:>{measures.frame}}  ", "faint"),
        f"{seconds(rung.since_ns, exact=measures.exact):>{measures.time}}  ",
        " " * (STATE_WIDTH - len(client.text)),
        client,
        f" {_arrow(rung, measures.arrow, glyphs)} ",
        server,
    )
    below = list(packed(notes(rung, glyphs), measures.room))
    if measures.beside and below:
        main += [Part(" " * (STATE_WIDTH - len(server.text) + 2)), *below.pop(0)]
    yield main
    for note in below:
        after = rung.client, rung.server
        yield [Part(" " * measures.notes_at), *note] if measures.beside else _between(note, measures, glyphs, after)


def _arrow(rung: Rung, width: int, glyphs: Glyphs) -> str:
    shaft = glyphs.dash * (width - len(rung.label) - 2)
    return f"{rung.label} {shaft}{glyphs.right}" if rung.to_server else f"{glyphs.left}{shaft} {rung.label}"


def _legend(ladder: Ladder, width: int, glyphs: Glyphs) -> Iterator[Line]:
    if not ladder.rungs:
        return
    yield []
    yield from packed(marks(ladder, glyphs), width)
    found = list(finding_meanings(ladder))
    names = max((len(name) for name, *_ in found), default=0)
    severities = max((len(severity) for _, severity, _ in found), default=0)
    for name, severity, condition in found:
        first, *more = wrap(condition, width - names - severities - 4)
        yield line(Part(f"{severity:<{severities}}  {name:<{names}}", severity), Part(f"  {first}", "faint"))
        yield from (line(Part(f"{'':{names + severities + 4}}{text}", "faint")) for text in more)
