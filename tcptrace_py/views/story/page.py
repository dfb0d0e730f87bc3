"""A story laid out as lines, as wide as the reader's terminal, in scripts with and without spaces between words."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING
from unicodedata import east_asian_width

from tcptrace_py.tables.safe_text import safe_text
from tcptrace_py.views.ink import Line, Part, line

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from tcptrace_py.views.story.language import Language
    from tcptrace_py.views.story.said import Paragraph, Section

WIDEST = 100  # columns; longer lines are hard to read
INDENT = "  "
BOUND = "\0"  # a space at which no line is broken; safe text has no other NUL
TOGETHER = re.compile(r" (?=\+ \d)|(?<=\+) |(?<=\d) (?=(?:ns|us|ms|s|min|h|d)\b)")  # 41 + 1, 10.2 ms
WIDE = "WF"  # of East Asian widths: two columns, and a line may be broken beside it
CLOSING = "\uff0c\u3002\uff1b\uff1a\u3001\uff09\u300b\u300d\uff01\uff1f"  # punctuation that begins no line
OPENING = "\uff08\u300a\u300c"  # and that ends none


ASCII_MARKS = str.maketrans({"\N{CHECK MARK}": "ok", "\N{BALLOT X}": "WRONG"})


def lines(sections: Iterable[Section], language: Language, width: int, *, ascii_marks: bool = False) -> Iterator[Line]:
    """The sections as lines of at most `width` columns, and of `WIDEST`; `ascii_marks`: no check marks."""
    width = min(width, WIDEST)
    for parts in _lines(sections, language, width):
        yield [Part(text.translate(ASCII_MARKS), style) for text, style in parts] if ascii_marks else parts


def _lines(sections: Iterable[Section], language: Language, width: int) -> Iterator[Line]:
    for number, section in enumerate(sections):
        if number:
            yield []
        yield from _rows(language.sentence(section.heading), width, style="heading")
        for paragraph in section.paragraphs:
            yield from _paragraph(paragraph, language, width)


def _paragraph(paragraph: Paragraph, language: Language, width: int) -> Iterator[Line]:
    indent = INDENT
    if paragraph.mark is not None:
        yield from _rows(language.sentence(paragraph.mark), width, indent, paragraph.style)
        indent += INDENT
    yield from _rows(joined(language.sentence(said) for said in paragraph.said), width, indent)


def _rows(text: str, width: int, indent: str = "", style: str = "") -> Iterator[Line]:
    """A text in rows of at most `width` columns, the indent among them."""
    bound = TOGETHER.sub(BOUND, safe_text(text))
    for row in wrapped(bound, width - len(indent)):
        yield line(indent, Part(row.replace(BOUND, " "), style))


def joined(sentences: Iterable[str]) -> str:
    """Sentences one after the other; wide punctuation brings its own space."""
    text = ""
    for sentence in sentences:
        space = " " if text and east_asian_width(text[-1]) not in WIDE else ""
        text += space + sentence
    return text


def wrapped(text: str, width: int) -> Iterator[str]:
    """The text in rows of at most `width` columns, broken at spaces and beside wide characters."""
    row, used = "", 0
    for piece in _pieces(text):
        size = columns(piece)
        if row and used + size > width:
            yield row.rstrip()
            row, used = "", 0
            if piece.isspace():
                continue
        row += piece
        used += size
    if row:
        yield row.rstrip()


def _pieces(text: str) -> Iterator[str]:
    """What a line must not be broken within."""
    piece = ""
    for char in text:
        if piece and _breaks(piece[-1], char):
            yield piece
            piece = ""
        piece += char
    if piece:
        yield piece


def _breaks(before: str, after: str) -> bool:
    """Whether a line may be broken between two characters."""
    if before.isspace() or after.isspace():
        return True
    if before in OPENING or after in CLOSING:
        return False
    return east_asian_width(before) in WIDE or east_asian_width(after) in WIDE


def columns(text: str) -> int:
    """How many columns the text takes."""
    return sum(2 if east_asian_width(char) in WIDE else 1 for char in text)
