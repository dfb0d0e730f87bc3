"""What ``tcpflows show`` does once its options are understood; loaded only when it runs."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING

from tcptrace_py.errors import ExitCode, UsageError
from tcptrace_py.views.commands import Request, emit, one, spare_the_captures, width
from tcptrace_py.views.ink import unicode_fits
from tcptrace_py.views.ladder.drawing import FORMS, document
from tcptrace_py.views.ladder.layout import lay_out
from tcptrace_py.views.ladder.words import ASCII, UNICODE

if TYPE_CHECKING:
    from pathlib import Path

    from tcptrace_py.views.ladder.layout import Ladder
    from tcptrace_py.views.ladder.words import Glyphs
    from tcptrace_py.views.reading import Reading

SUFFIXES = {".txt": "text", ".svg": "svg", ".html": "html", ".htm": "html"}
LEAST_WIDTH = 80


def show(  # noqa: PLR0913 - the options of a command line
    capture: str,
    conn_id: int,
    reading: Reading,
    kind: str,
    output: Path | None,
    *,
    unfold: bool = False,
    ascii_only: bool = False,
) -> ExitCode:
    """Everything that ``tcpflows show`` does."""
    kind = kind or _kind(output)
    if ascii_only and kind != "text":
        raise UsageError(f"--ascii is about text, not {kind}")
    request = Request([capture], reading, output=output)
    spare_the_captures(request)
    for connection in one(request, conn_id):
        ladder = lay_out(connection.record, connection.rows(), unfold=unfold)
        if output is None and kind == "text":
            _to_terminal(ladder, ASCII if ascii_only or not unicode_fits(sys.stdout) else UNICODE)
        else:
            _write(document(ladder, kind, width=_width(), glyphs=ASCII if ascii_only else UNICODE), output)
    return request.verdict.code()


def _kind(output: Path | None) -> str:
    """The form of the output: as its name says, or text."""
    if output is None:
        return "text"
    kind = SUFFIXES.get(output.suffix.lower())
    if kind is None:
        raise UsageError(f"{output}: say with --format what to write: {', '.join(FORMS)}")
    return kind


def _to_terminal(ladder: Ladder, glyphs: Glyphs) -> None:
    from tcptrace_py.views.ladder.text import draw

    emit(draw(ladder, _width(), glyphs=glyphs))


def _width() -> int:
    return max(width(), LEAST_WIDTH)


def _write(text: str, output: Path | None) -> None:
    """To the file, which appears whole or not at all, or to standard output."""
    from tcptrace_py.tables.output import standard_output, whole_file

    with whole_file(output) if output else standard_output() as sink:
        sink.write(text.encode())
