"""Going on after damage: the next place where a record could begin.  Only where the user asks for it.

Knows how to search.  What a record looks like, the container says.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import re
    from collections.abc import Callable

    from tcptrace_py.capture.source import Window


def find_next(
    window: Window, smallest: int, looks_so: re.Pattern[bytes], begins_here: Callable[[Window], bool]
) -> bool:
    """Move the window to the next octet at which `begins_here`; False where the input ends before.

    It is only asked where `looks_so` matches, with `smallest` bytes available, which is more than that pattern takes.
    """
    window.use(window.start + 1)
    while window.fill(smallest):
        found = looks_so.search(window.buffer, window.start, window.end)
        window.use(found.start() if found else window.end - smallest + 1)
        if found and window.fill(smallest):
            if begins_here(window):
                return True
            window.use(window.start + 1)
    return False
