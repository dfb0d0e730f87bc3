"""What is said, before it is in any language: an English message, and the columns' values that stand in it."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import NamedTuple


class Span(NamedTuple):
    """A duration in ns."""

    ns: int


class Instant(NamedTuple):
    """A time in ns, UTC."""

    ns: int


@dataclass(frozen=True, slots=True)
class Said:
    """A sentence or a part of one: the English message, also in the plural where there is a number to agree with."""

    message: str
    values: dict[str, Value] = field(default_factory=dict)
    plural: str = ""
    number: int = 0


Value = int | str | Span | Instant | Said


@dataclass(frozen=True, slots=True)
class Paragraph:
    """Sentences that belong together; `mark` stands before them, in the style that `style` names."""

    said: tuple[Said, ...]
    mark: Said | None = None
    style: str = ""


@dataclass(frozen=True, slots=True)
class Section:
    """Paragraphs under a heading."""

    heading: Said
    paragraphs: tuple[Paragraph, ...]


def tell(message: str, **values: Value) -> Said:
    """A sentence; the message is looked up in the catalog of the reader's language."""
    return Said(message, values)


def tell_n(one: str, many: str, number: int, **values: Value) -> Said:
    """A sentence that agrees with a number, which is its value `n`."""
    return Said(one, {"n": number, **values}, many, number)


def N_(message: str) -> str:  # noqa: N802 - gettext's name for it
    """Mark a message that stands in a table, for the catalogs; returns it as it is."""
    return message


def forms(one: str, many: str) -> tuple[str, str]:
    """Mark both forms of a message that stands in a table, for the catalogs; returns them as they are."""
    return one, many
