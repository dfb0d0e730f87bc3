"""What is said, put into words: catalogs of gettext, read from ``locale/*.po`` as they stand.

A catalog needs no tool and no build step: it is compiled in memory, into the form that the standard library reads.
"""

from __future__ import annotations

import ast
import gettext
import io
import struct
from pathlib import Path
from typing import TYPE_CHECKING

from tcptrace_py.errors import UsageError
from tcptrace_py.views.story.said import Instant, Said, Span, Value
from tcptrace_py.views.wording import duration, instant

if TYPE_CHECKING:
    from collections.abc import Iterator

FOLDER = Path(__file__).parent / "locale"
SOURCE = "en"  # the language of the messages themselves
MO_MAGIC = 0x950412DE


def languages() -> list[str]:
    """The languages that there are: the source's, and one for each catalog."""
    return [SOURCE, *sorted(path.stem for path in FOLDER.glob("*.po"))]


class Language:
    """Puts what is said into the words of one language."""

    def __init__(self, name: str = SOURCE) -> None:
        if name not in languages():
            raise UsageError(f"there is no language {name!r}; there are {', '.join(languages())}")
        self._catalog = gettext.NullTranslations()
        if name != SOURCE:
            text = (FOLDER / f"{name}.po").read_text(encoding="utf-8")
            self._catalog = gettext.GNUTranslations(io.BytesIO(compiled(dict(entries(text)))))

    def words(self, said: Said) -> str:
        """The words of a message, with its values in their places."""
        if said.plural:
            text = self._catalog.ngettext(said.message, said.plural, said.number)
        else:
            text = self._catalog.gettext(said.message)
        return text.format(**{name: self._value(value) for name, value in said.values.items()})

    def sentence(self, said: Said) -> str:
        """The same as a sentence, which begins with a capital where letters have any."""
        text = self.words(said)
        return text[:1].upper() + text[1:]

    def _value(self, value: Value) -> int | str:
        if isinstance(value, Said):
            return self.words(value)
        if isinstance(value, Span):
            return duration(value.ns)
        return instant(value.ns) if isinstance(value, Instant) else value


def entries(text: str) -> Iterator[tuple[str, str]]:
    """The translations in a .po file; forms of a plural are joined by NUL, as gettext keeps them."""
    for block in text.split("\n\n"):
        known: dict[str, str] = {}
        keyword = ""
        for line in block.splitlines():
            if line.startswith("#"):
                if line.startswith("#,") and "fuzzy" in line:
                    known.clear()
                    break
                continue
            if not line.startswith('"'):
                keyword, _, line = line.partition(" ")  # noqa: PLW2901 - what is left of it
            known[keyword] = known.get(keyword, "") + ast.literal_eval(line)
        forms = [known[key] for key in sorted(known) if key.startswith("msgstr")]
        if "msgid" in known and any(forms):
            key = known["msgid"] + (f"\0{known['msgid_plural']}" if "msgid_plural" in known else "")
            yield key, "\0".join(forms)


def compiled(catalog: dict[str, str]) -> bytes:
    """The same as an .mo file: a header, a table of the messages, one of their translations, and all the texts."""
    pairs = sorted((message.encode(), text.encode()) for message, text in catalog.items())
    start = 28 + 16 * len(pairs)
    tables, texts = b"", b""
    for column in (0, 1):
        for pair in pairs:
            tables += struct.pack("<II", len(pair[column]), start + len(texts))
            texts += pair[column] + b"\0"
    header = struct.pack("<IIIIIII", MO_MAGIC, 0, len(pairs), 28, 28 + 8 * len(pairs), 0, 0)
    return header + tables + texts
