"""One connection's ladder in the form that is asked for: the door of the command and of `Connection.ladder`.

Each form is imported when it is wanted.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from tcptrace_py.errors import UsageError
from tcptrace_py.views.ladder.layout import lay_out
from tcptrace_py.views.ladder.words import UNICODE, Glyphs

if TYPE_CHECKING:
    from collections.abc import Sequence

    from tcptrace_py.views.ladder.layout import Ladder, Row

FORMS = ("text", "svg", "html")


def drawn(record: Row, rows: Sequence[Row], form: str = "text", *, width: int = 100, unfold: bool = False) -> str:
    """The ladder of one connection as a text, an SVG document or an HTML page.

    Parameters
    ----------
    record : mapping
        The connection's row of the connections table.
    rows : sequence of mappings
        Its rows of the timeline, in order; times in nanoseconds.
    form : {"text", "svg", "html"}
        What to make.
    width : int
        Columns of a text, 80 or more.
    unfold : bool
        Show every segment.
    """
    return document(lay_out(record, rows, unfold=unfold), form, width=width)


def document(ladder: Ladder, form: str, *, width: int = 100, glyphs: Glyphs = UNICODE) -> str:
    """What is laid out already, likewise."""
    if form == "svg":
        from tcptrace_py.views.ladder.svg import picture

        return picture(ladder)
    if form == "html":
        from tcptrace_py.views.ladder.html import page

        return page(ladder)
    if form != "text":
        raise UsageError(f"a ladder is drawn as {', '.join(FORMS)}, not as {form!r}")
    from tcptrace_py.views.ink import plain
    from tcptrace_py.views.ladder.text import draw

    return "".join(f"{plain(parts)}\n" for parts in draw(ladder, width, glyphs=glyphs))
