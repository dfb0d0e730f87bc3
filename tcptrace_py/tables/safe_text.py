"""Text from strangers, made fit for a terminal: file names, comments, interface names, error messages.

Knows characters that move a cursor, hide text or turn it round.  Does not know where the text is going.
"""

from __future__ import annotations

import re

# bidi controls, no-width, and what is no character at all
_HIDING = "\u061c\u200b\u200e\u200f\u2028\u2029\u202a-\u202e\u2060\u2066-\u2069\ufeff\ufffe\uffff"
CONTROLS = re.compile(f"[\x00-\x1f\x7f-\x9f{_HIDING}\ud800-\udfff]")

UNDECODABLE = range(0xDC80, 0xDD00)  # how Python holds the bytes of a file name that are not UTF-8 (surrogateescape)
BYTE = 0xFF


def _escaped(found: re.Match[str]) -> str:
    code = ord(found[0])
    if code in UNDECODABLE:
        code -= 0xDC00
    return f"\\x{code:02x}" if code <= BYTE else f"\\u{code:04x}"


def safe_text(text: str) -> str:
    r"""The text with every control, bidi control, newline and undecodable byte shown as an escape, ``\x1b``."""
    return text if text.isascii() and text.isprintable() else CONTROLS.sub(_escaped, text)
