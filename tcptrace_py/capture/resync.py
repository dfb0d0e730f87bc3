"""Going on after damage: the next place where a record could begin.  Only where the user asks for it.

Knows how to search.  What a record looks like, the container says.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable

    from tcptrace_py.capture.source import Window


def find_next(window: Window, smallest: int, begins_here: Callable[[Window], bool]) -> bool:
    """Move the window to the next octet at which `begins_here`; False where the input ends before.

    `smallest` bytes are available whenever it is asked.
    """
    window.use(window.start + 1)
    while window.fill(smallest):
        if begins_here(window):
            return True
        window.use(window.start + 1)
    return False
