"""The ladder as lines for a terminal: as wide as there is room, coloured by `ink`, in plain ASCII on request."""

from __future__ import annotations

from dataclasses import dataclass
from textwrap import wrap
from typing import TYPE_CHECKING

from tcptrace_py.views.ink import Line, Part, line, width_of
from tcptrace_py.views.ladder.layout import Fold
from tcptrace_py.views.ladder.words import (
    DAMAGED,
    UNICODE,
    Glyphs,
    about_the_whole,
    facts,
    finding_meanings,
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
    for place, rung in enumerate(ladder.rungs):
        if isinstance(rung, Fold):
            yield from _fold_lines(rung, measures, glyphs, last=place + 1 == len(ladder.rungs))
        else:
            yield from _rung_lines(rung, measures, glyphs)
    yield from _legend(ladder, width, glyphs)


def _fold_lines(fold: Fold, measures: _Measures, glyphs: Glyphs, *, last: bool) -> Iterator[Line]:
    band = " " if last else glyphs.band
    for said in packed(told(fold, glyphs), measures.width - measures.margin):
        yield _between(said, measures, band)


def _between(said: Line, measures: _Measures, band: str) -> Line:
    """A line that is no segment; the bands go on beside it, where it leaves room for the second."""
    left = line(" " * (measures.margin - 2), Part(f"{band} ", "faint"), *said)
    room = measures.arrow - width_of(said) + 1
    return [*left, Part(" " * room), Part(band, "faint")] if room > 0 else left


def _rung_lines(rung: Rung, measures: _Measures, glyphs: Glyphs) -> Iterator[Line]:
    if rung.pause_ns is not None:
        said = f" {paused(rung)} "
        yield _between(line(Part(f"{said:{glyphs.pause}^{measures.arrow}}", "faint")), measures, glyphs.band)
    if rung.gap:
        yield _between(line(Part(DAMAGED, "wrong")), measures, glyphs.band)
    client = rung.client if rung.client_moved else glyphs.band
    server = rung.server if rung.server_moved else glyphs.band
    main = line(
        Part(f"{rung.frame:>{measures.frame}}  ", "faint"),
        f"{seconds(rung.since_ns, exact=measures.exact):>{measures.time}}  ",
        Part(f"{client:>{STATE_WIDTH}} ", "state" if rung.client_moved else "faint"),
        f"{_arrow(rung, measures.arrow, glyphs)} ",
        Part(f"{server:<{STATE_WIDTH}}", "state" if rung.server_moved else "faint"),
    )
    below = list(packed(notes(rung, glyphs), measures.width - measures.notes_at))
    if measures.beside and below:
        main += [Part("  "), *below.pop(0)]
    yield main
    for note in below:
        yield [Part(" " * measures.notes_at), *note] if measures.beside else _between(note, measures, glyphs.band)


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
