"""The ladder as one SVG picture: no script, no outside resource, no ids, so that many may stand in one page.

Every rung is an image with a sentence for who cannot see it, which says the states, too.  Light, dark and print by the
colours of `look`.
"""

from __future__ import annotations

import math
from textwrap import wrap
from typing import TYPE_CHECKING, NamedTuple

from tcptrace_py.views.ink import Part
from tcptrace_py.views.ladder.layout import Fold, Ladder, Rung
from tcptrace_py.views.ladder.look import COLOURS, MONOSPACE, escaped
from tcptrace_py.views.ladder.words import (
    DAMAGED,
    PHASE,
    UNICODE,
    about_the_whole,
    ends,
    facts,
    finding_meanings,
    found_in,
    marks,
    notes,
    packed,
    paused,
    seconds,
    spoken,
    step_meanings,
    title,
    told,
)
from tcptrace_py.views.wording import shortened

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from tcptrace_py.views.ink import Line

SIZE, CHAR, LEADING = 12, 7.25, 16  # of the letters; a monospaced one is 0.6 of its size wide
EDGE, AIR = 16, 10  # around the picture, between its columns
BAND, ARROW, NOTES = 92, 340, 250  # columns, at least; notes are broken at NOTES
ROW, SLANT, TAIL = 32, 6, 18  # of a rung: its height, how far the arrow falls, where it begins
HEAD = 7  # of the arrow
LAST = 16  # how far the bands go on below the last rung
PAUSE_ROW, PAUSE_PER_TENFOLD, PAUSE_MOST = 20, 14, 62

STYLE = f"""{COLOURS}\
.tf-ladder text {{ font: {SIZE}px {MONOSPACE}; fill: var(--tf-ink); white-space: pre; }}
.tf-ladder .tf-heading {{ font-weight: bold; }} .tf-ladder .tf-paper {{ fill: var(--tf-paper); }}
.tf-ladder text.tf-faint {{ fill: var(--tf-faint); }} .tf-ladder text.tf-info {{ fill: var(--tf-info); }}
.tf-ladder text.tf-note {{ fill: var(--tf-note); }} .tf-ladder text.tf-warning {{ fill: var(--tf-warning); }}
.tf-ladder text.tf-error, .tf-ladder text.tf-wrong {{ fill: var(--tf-error); font-weight: bold; }}
.tf-ladder text.tf-right {{ fill: var(--tf-right); }}
.tf-ladder .tf-rung {{ stroke: var(--tf-ink); stroke-width: 1.3; }}
.tf-ladder .tf-head {{ fill: var(--tf-ink); }}
.tf-ladder .tf-life {{ stroke: var(--tf-line); stroke-width: 1.2; }}
.tf-ladder .tf-broken {{ stroke: var(--tf-line); stroke-dasharray: 2 5; fill: none; }}
.tf-ladder .tf-cut {{ stroke: var(--tf-paper); stroke-width: 5; }}
.tf-ladder .tf-opening {{ fill: var(--tf-opening); }} .tf-ladder .tf-open {{ fill: var(--tf-open); }}
.tf-ladder .tf-closing {{ fill: var(--tf-closing); }} .tf-ladder .tf-waiting {{ fill: var(--tf-waiting); }}
.tf-ladder .tf-none {{ fill: var(--tf-none); }}
"""


class _Columns(NamedTuple):
    """Where the columns of one picture stand: the right edges of frame and time, the left edges of the others."""

    frame: int
    time: int
    client: int
    arrow: int
    server: int
    notes: int
    width: int

    @property
    def characters(self) -> int:
        """How many stand beside each other in the whole picture."""
        return int((self.width - 2 * EDGE) / CHAR)


class _Stay(NamedTuple):
    """A band: which side, in which state, from where down."""

    left: int
    state: str
    top: int


def _columns(ladder: Ladder) -> _Columns:
    rungs = list(ladder.shown())
    frame = EDGE + _wide(max((len(rung.frame) for rung in rungs), default=0))
    times = (seconds(rung.since_ns, exact=ladder.exact) for rung in rungs)
    time = frame + AIR + _wide(max(map(len, times), default=0))
    client = time + AIR
    arrow = client + max(BAND, *(_wide(len(end)) for end in ends(ladder)))
    server = arrow + max(ARROW, *(_wide(len(rung.label) + 6) for rung in rungs), 0)
    after = server + arrow - client + AIR
    return _Columns(frame, time, client, arrow, server, after, after + NOTES + EDGE)


def _wide(characters: int) -> int:
    """How wide so many letters are."""
    return math.ceil(CHAR * characters)


def picture(ladder: Ladder) -> str:
    """The ladder as an SVG document, which may also stand in an HTML page as it is."""
    columns = _columns(ladder)
    body: list[str] = []
    beneath: list[str] = []
    bottom = EDGE + _put(body, EDGE, _heading(ladder, columns))
    bottom += _put(body, bottom, _ends(ladder, columns))
    bands: dict[str, _Stay] = {}
    for rung in ladder.rungs:
        if isinstance(rung, Fold):
            bottom += _put(body, bottom, _fold(rung, columns))
            continue
        bottom += _put(body, bottom, _before(rung, columns))
        beneath += _moved(rung, columns, bands, bottom)
        bottom += _put(body, bottom, _rung(rung, columns, ladder), ' role="img"')
    bottom += LAST
    beneath += [_band(stay, bottom, columns) for stay in bands.values()]
    height = bottom + LEADING + _put(body, bottom + LEADING, _legend(ladder, columns)) + EDGE
    width = columns.width
    described = ". ".join([*facts(ladder), *(part.text for part in about_the_whole(ladder))])
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" class="tf-ladder" role="group" viewBox="0 0 {width} {height}" '
        f'width="{width}" height="{height}" style="max-width:100%;height:auto" aria-label="{escaped(title(ladder))}">'
        f"<title>{escaped(title(ladder))}</title><desc>{escaped(described)}</desc><style>{STYLE}</style>"
        f'<rect class="tf-paper" width="{width}" height="{height}"/>\n' + "\n".join([*beneath, *body]) + "\n</svg>\n"
    )


def _put(body: list[str], top: int, drawn: tuple[list[str], int], attributes: str = "") -> int:
    """Put what was drawn from 0 down at its place; return its height."""
    pieces, height = drawn
    if pieces:
        body.append(f'<g transform="translate(0 {top})"{attributes}>' + "".join(pieces) + "</g>")
    return height


def _text(x: int, y: int, part: Part, anchor: str = "start") -> str:
    style = f' class="tf-{part.style}"' if part.style else ""
    where = f' text-anchor="{anchor}"' if anchor != "start" else ""
    return f'<text x="{x}" y="{y}"{style}{where}>{escaped(part.text)}</text>'


def _lines(x: int, lines: Iterable[Line], anchor: str = "start") -> tuple[list[str], int]:
    """Lines under each other, and their height."""
    drawn: list[str] = []
    at = 0
    for parts in lines:
        at += LEADING
        place = x - (_wide(sum(len(part.text) for part in parts)) // 2 if anchor == "middle" else 0)
        for part in parts:
            drawn.append(_text(place, at - 4, part))
            place += _wide(len(part.text))
    return drawn, at


def _heading(ladder: Ladder, columns: _Columns) -> tuple[list[str], int]:
    lines = [[Part(title(ladder), "heading")], *([Part(fact)] for fact in facts(ladder))]
    lines += [[Part(shortened(text, columns.characters), style)] for text, style in about_the_whole(ladder)]
    drawn, height = _lines(EDGE, lines)
    return drawn, height + AIR


def _ends(ladder: Ladder, columns: _Columns) -> tuple[list[str], int]:
    """The heads of the two columns."""
    drawn = []
    half = (columns.arrow - columns.client) // 2
    for left, name, end in zip((columns.client, columns.server), ("client", "server"), ends(ladder), strict=True):
        drawn += [_text(left + half, 12, Part(name, "heading"), "middle")]
        drawn += [_text(left + half, 12 + LEADING, Part(end, "faint"), "middle")]
    return drawn, 2 * LEADING + 4


def _moved(rung: Rung, columns: _Columns, bands: dict[str, _Stay], top: int) -> Iterator[str]:
    """The bands that end here; the ones that begin are noted.  The sender's changes at the arrow's tail."""
    tail, head = top + TAIL, top + TAIL + SLANT
    for side, moved, left, at in (
        ("client", rung.client_moved, columns.client, tail if rung.to_server else head),
        ("server", rung.server_moved, columns.server, head if rung.to_server else tail),
    ):
        if moved:
            if side in bands:
                yield _band(bands[side], at, columns)
            bands[side] = _Stay(left, rung.client if side == "client" else rung.server, at)


def _band(stay: _Stay, bottom: int, columns: _Columns) -> str:
    """One state of one end, from its first segment to the next change; its inner edge is the end's line of life."""
    width = columns.arrow - columns.client
    edge = columns.arrow if stay.left == columns.client else columns.server
    return (
        f'<g aria-hidden="true"><title>{stay.state}</title>'
        f'<rect class="tf-{PHASE.get(stay.state, "none")}" x="{stay.left}" y="{stay.top}" '
        f'width="{width}" height="{bottom - stay.top}"/>'
        f'<path class="tf-life" d="M{edge} {stay.top}V{bottom}M{stay.left} {stay.top}h{width}"/>'
        f"{_text(stay.left + width // 2, stay.top + 15, Part(stay.state, 'heading'), 'middle')}</g>"
    )


def _before(rung: Rung, columns: _Columns) -> tuple[list[str], int]:
    """What stands between this rung and the one before: a pause, as long as it took; a damaged stretch."""
    drawn: list[str] = []
    height = 0
    middle = (columns.arrow + columns.server) // 2
    if rung.pause_ns is not None:
        height = min(PAUSE_ROW + round(PAUSE_PER_TENFOLD * math.log10(rung.pause_ns / 1e8)), PAUSE_MOST)
        said, at = paused(rung), height // 2 + 4
        half, band = _wide(len(said)) // 2 + AIR, columns.arrow - columns.client
        cuts = "".join(f"M{x} {at + 5}l{band + 6} -10" for x in (columns.client - 3, columns.server - 3))
        drawn.append(f'<path class="tf-cut" d="{cuts}"/>')
        line = f"M{columns.arrow + 8} {at}H{middle - half}M{middle + half} {at}H{columns.server - 8}"
        drawn += [f'<path class="tf-broken" d="{line}"/>', _text(middle, at + 4, Part(said, "faint"), "middle")]
    if rung.gap:
        drawn.append(_text(middle, height + 14, Part(DAMAGED, "wrong"), "middle"))
        height += 22
    return drawn, height


def _rung(rung: Rung, columns: _Columns, ladder: Ladder) -> tuple[list[str], int]:
    tail, head = (columns.arrow, columns.server) if rung.to_server else (columns.server, columns.arrow)
    back = -HEAD if rung.to_server else HEAD
    low = TAIL + SLANT
    said, height = _lines(columns.notes, packed(notes(rung, UNICODE), int(NOTES / CHAR)))
    drawn = [
        "<title>" + escaped(spoken(rung, exact=ladder.exact)) + "</title>",
        _text(columns.frame, TAIL + 4, Part(rung.frame, "faint"), "end"),
        _text(columns.time, TAIL + 4, Part(seconds(rung.since_ns, exact=ladder.exact)), "end"),
        _text((tail + head) // 2, TAIL - 4, Part(rung.label), "middle"),
        f'<path class="tf-rung" d="M{tail} {TAIL}L{head + back // 2} {low}"/>',
        f'<path class="tf-head" d="M{head} {low}l{back} -4v8z"/>',
    ]
    if said:
        drawn.append(f'<g transform="translate(0 {TAIL - 8})">' + "".join(said) + "</g>")
    return drawn, max(ROW, height + TAIL - 8)


def _fold(fold: Fold, columns: _Columns) -> tuple[list[str], int]:
    width = columns.server - columns.arrow
    middle = (columns.arrow + columns.server) // 2
    drawn, height = _lines(middle, packed(told(fold, UNICODE), int(width / CHAR) - 4), "middle")
    found, tall = _lines(columns.notes, packed(found_in(fold), int(NOTES / CHAR)))
    box = f'<rect class="tf-broken" x="{columns.arrow + 8}" y="4" width="{width - 16}" height="{height + 6}" rx="6"/>'
    return [box, f'<g transform="translate(0 6)">{"".join(drawn + found)}</g>'], max(height, tall) + 14


def _legend(ladder: Ladder, columns: _Columns) -> tuple[list[str], int]:
    """What marks and names mean."""
    if not ladder.rungs:
        return [], 0
    lines = list(packed(marks(ladder, UNICODE), columns.characters))
    meant = [(name, "right", meaning) for name, meaning in step_meanings(ladder)]
    meant += [(name, style, f"{style}: {condition}") for name, style, condition in finding_meanings(ladder)]
    names = max((len(name) for name, *_ in meant), default=0) + 2
    for name, style, meaning in meant:
        first, *more = wrap(meaning, columns.characters - names)
        lines.append([Part(f"{name:<{names}}", style), Part(first, "faint")])
        lines += [[Part(" " * names), Part(text, "faint")] for text in more]
    return _lines(EDGE, lines)
