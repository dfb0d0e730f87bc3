"""Lines of styled text, and how they become plain text, terminal colours or HTML.

Knows the one theme.  Does not know what the text says.  Every text passes `safe_text` here, on its way out.
"""

from __future__ import annotations

import os
import sys
from typing import TYPE_CHECKING, NamedTuple, TextIO

from tcptrace_py.tables.safe_text import safe_text
from tcptrace_py.vocabulary import Severity

if TYPE_CHECKING:
    from collections.abc import Callable


class Style(NamedTuple):
    """How a kind of text looks: SGR parameters for a terminal, CSS for a page."""

    ansi: str
    css: str


# Okabe and Ito's colours, told apart with every kind of colour blindness; severity also shows as a word or as weight.
THEME: dict[str, Style] = {
    Severity.info.name: Style("2", "color:#6b6b6b"),
    Severity.note.name: Style("38;5;74", "color:#0072b2"),
    Severity.warning.name: Style("38;5;214", "color:#b37400"),
    Severity.error.name: Style("1;38;5;202", "color:#d55e00;font-weight:bold"),
    "heading": Style("1", "font-weight:bold"),
    "faint": Style("2", "color:#6b6b6b"),
    "right": Style("38;5;36", "color:#009e73"),
    "wrong": Style("1;38;5;202", "color:#d55e00;font-weight:bold"),
    # phases of a connection's end
    "opening": Style("38;5;74", "color:#0072b2"),
    "open": Style("38;5;36", "color:#009e73"),
    "closing": Style("38;5;214", "color:#b37400"),
    "waiting": Style("38;5;175", "color:#a3457a"),
    "none": Style("2", "color:#6b6b6b"),
}


class Part(NamedTuple):
    """A piece of a line; `style` is a key of `THEME`, or empty."""

    text: str
    style: str = ""


Line = list[Part]


def line(*parts: str | Part) -> Line:
    """A line of parts; a bare text has no style."""
    return [part if isinstance(part, Part) else Part(part) for part in parts]


def width_of(parts: Line) -> int:
    """How many columns a line takes."""
    return sum(len(safe_text(part.text)) for part in parts)


def plain(parts: Line) -> str:
    """A line without any colour."""
    return "".join(safe_text(part.text) for part in parts).rstrip()


def coloured(parts: Line) -> str:
    """A line for a terminal that shows colours."""
    return "".join(
        f"\x1b[{THEME[part.style].ansi}m{safe_text(part.text)}\x1b[0m" if part.style else safe_text(part.text)
        for part in parts
    ).rstrip()


def marked_up(parts: Line) -> str:
    """A line as HTML."""
    import html  # here: its table of entities is large, and a terminal has no use for it

    return "".join(
        f'<span style="{THEME[part.style].css}">{html.escape(safe_text(part.text))}</span>'
        if part.style
        else html.escape(safe_text(part.text))
        for part in parts
    )


def ink_for(stream: TextIO) -> Callable[[Line], str]:
    """Colours where the stream is a terminal that can show them and NO_COLOR is not set."""
    dull = os.environ.get("NO_COLOR") or os.environ.get("TERM") == "dumb"
    return coloured if stream.isatty() and not dull else plain


def unicode_fits(stream: TextIO) -> bool:
    """Whether the stream's encoding has arrows and check marks."""
    return (stream.encoding or "ascii").lower().startswith("utf")


def say(text: str) -> None:
    """One line for the user on standard error."""
    print(f"tcpflows: {safe_text(text)}", file=sys.stderr)  # noqa: T201 - the one place where we speak
