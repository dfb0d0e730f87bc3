"""How far reading has come: one line on standard error that rewrites itself, and only on a terminal."""

from __future__ import annotations

import sys
import time

from tcptrace_py.tables.safe_text import safe_text
from tcptrace_py.views.wording import amount, shortened

EVERY_S = 0.2  # often enough to look alive, too seldom to cost anything
WIDTH = 79


class Progress:
    """Called with the bytes read so far and, where known, their total."""

    def __init__(self, name: str, *, quiet: bool = False) -> None:
        self.name = shortened(safe_text(name), 40)
        self.shown = not quiet and sys.stderr.isatty()
        self.due = time.monotonic() + EVERY_S  # a small capture is done before anything is shown
        self.drawn = False

    def __call__(self, read: int, total: int | None = None) -> None:
        """Take note of the bytes read."""
        self.tell(f"{self.name}: {f'{100 * read // total:3} % of {amount(total)}' if total else amount(read)}")

    def tell(self, text: str) -> None:
        """Show a line, unless another one has only just been shown."""
        if self.shown and time.monotonic() >= self.due:
            self.due = time.monotonic() + EVERY_S
            self._draw(shortened(text, WIDTH))

    def _draw(self, text: str) -> None:
        sys.stderr.write(f"\r{text:<{WIDTH}}\r")
        sys.stderr.flush()
        self.drawn = True

    def clear(self) -> None:
        """Leave the line empty for what comes next."""
        if self.drawn:
            self._draw("")
            self.drawn = False
