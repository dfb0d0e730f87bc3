"""``tcpflows analyze --follow``: an input that is still being written, its rows as they come.

Knows when rows are handed on, and how following ends.  Reads nothing itself.
"""

from __future__ import annotations

import contextlib
import signal
import sys
from collections import deque
from typing import TYPE_CHECKING, Any

from tcptrace_py.errors import ExitCode, UnreadableError, UsageError
from tcptrace_py.tables.output import failures_named
from tcptrace_py.tables.schema import arrow_schema
from tcptrace_py.views.commands import complain, emit, width
from tcptrace_py.views.ink import say
from tcptrace_py.views.progress import Progress
from tcptrace_py.views.terminal import summary_lines
from tcptrace_py.views.wording import count

if TYPE_CHECKING:
    from collections.abc import Iterator

    import pyarrow as pa

    from tcptrace_py.live import Live
    from tcptrace_py.views.commands import Choice, Request


def follow(request: Request, kind: str, choice: Choice | None) -> tuple[ExitCode, Live | None]:
    """Follow the one input; the exit code, and what was seen if anything could be read.

    `choice` is what to show of which table; None for the summary alone, at the end.
    """
    from tcptrace_py.capture.following import Following
    from tcptrace_py.live import Live
    from tcptrace_py.options import Options

    path = _only(request.captures)
    table = choice.tables[0] if choice else ""
    if choice and len(choice.tables) > 1:
        raise UsageError("--follow shows one table: choose it with --table")
    options = Options(**request.reading.options)
    if options.reader == "dpkt":
        raise UsageError("--follow is for our own reader: dpkt's waits until it has many packets")
    try:
        source: Any = Following(path)
    except UnreadableError as error:
        raise error.about(path) from None
    progress = Progress(path, quiet=request.reading.quiet or choice is not None)
    with contextlib.closing(source), _ended_by_signals(source) as ended:
        live = Live(source, options, table, progress)
        try:
            if choice:
                _hand_on(live, request, kind, choice)
            else:
                deque(live, maxlen=0)
        except UnreadableError as error:
            progress.clear()
            say(f"{path}: {_words(ended[0])} before any packet could be read" if ended else str(error))
            return ended[0] if ended else error.exit_code, None
    progress.clear()
    if not choice:
        emit(summary_lines(live.summary, width(), top=request.top))
    complain(live)
    return _ending(live, ended), live


def _ending(live: Live, ended: list[ExitCode]) -> ExitCode:
    """The exit code of what was followed to an end, whoever made it."""
    if ended:
        read = count(live.summary.packets, "packet")
        say(f"{live.path}: {_words(ended[0])}; {read} read, results up to there are final")
        return ended[0]
    return {"ok": ExitCode.OK, "partial": ExitCode.PARTIAL}.get(live.status, ExitCode.UNREADABLE)


def _only(captures: list[str]) -> str:
    if len(captures) != 1:
        raise UsageError(f"--follow takes one capture, not {len(captures)}")
    return captures[0]


def _words(code: ExitCode) -> str:
    return "interrupted" if code is ExitCode.INTERRUPTED else "terminated"


@contextlib.contextmanager
def _ended_by_signals(source: Any) -> Iterator[list[ExitCode]]:
    """Ctrl-C and SIGTERM end the input, so that all that was read is told; a second one ends everything at once."""
    codes = {signal.SIGINT: ExitCode.INTERRUPTED, signal.SIGTERM: ExitCode.TERMINATED}
    ended: list[ExitCode] = []

    def stop(number: int, _frame: Any) -> None:
        if ended:
            raise KeyboardInterrupt
        ended.append(codes[signal.Signals(number)])
        source.stop()

    before = {number: signal.signal(number, stop) for number in codes}
    try:
        yield ended
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


def _hand_on(live: Live, request: Request, kind: str, choice: Choice) -> None:
    """Each row where it goes, as soon as it comes."""
    table = choice.tables[0]
    batches = (choice.of(table, batch) for batch in live)
    if kind == "table":
        from tcptrace_py.views.grid import SHOWN, grid_lines

        shown = choice.columns or SHOWN[table].split()
        emit(grid_lines(batches, shown, measured=1), at_once=True)
    else:
        _write(batches, request, kind, choice)


def _write(batches: Iterator[pa.RecordBatch], request: Request, kind: str, choice: Choice) -> None:
    from tcptrace_py.tables.write import one_file

    table = choice.tables[0]
    schema = arrow_schema(table, choice.columns)
    with one_file(kind, request.output, {table: schema}, raw_csv=request.raw_csv) as writer:
        for batch in batches:
            writer.put(table, batch)
            if request.output is None:
                with failures_named("to standard output"):
                    sys.stdout.buffer.flush()
