"""What ``tcpflows report`` does: one capture to one page."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING

from tcptrace_py.errors import UsageError
from tcptrace_py.views import commands
from tcptrace_py.views.ink import line
from tcptrace_py.views.report.page import write

if TYPE_CHECKING:
    from tcptrace_py.errors import ExitCode
    from tcptrace_py.views.reading import Reading

TABLES = ("connections", "timeline", "states", "events")


def report(capture: str, output: Path | None, reading: Reading, top: int | None, connections: str) -> ExitCode:
    """Everything that ``tcpflows report`` does."""
    chosen = _chosen(connections)
    if chosen is not None and top is not None:
        raise UsageError("--connections and --top both choose connections: give one of them")
    path = _path(capture, output)
    request = commands.Request([capture], reading, output=path)
    commands.spare_the_captures(request)
    for trace in commands.traces(request, TABLES):
        write(trace, path, top=top, chosen=chosen)
        if output is None and path is not None:
            commands.emit([line(str(path))])
    return request.verdict.code()


def _chosen(connections: str) -> list[int] | None:
    try:
        return [int(one) for one in connections.split(",")] if connections else None
    except ValueError:
        raise UsageError(f"--connections: {connections!r} is not numbers with commas between them") from None


def _path(capture: str, output: Path | None) -> Path | None:
    """Where the page goes: None is standard output."""
    if output == Path("-"):
        if sys.stdout.isatty():
            raise UsageError("a page is not for a terminal: use -o FILE or a pipe")
        return None
    if output is not None:
        return output
    if capture == "-":
        raise UsageError("standard input has no name to make the page's of: use -o FILE")
    return Path(f"{Path(capture).name}.html")
