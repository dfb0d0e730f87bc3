"""What the commands do once their options are understood; loaded only when a command runs.

Knows requests, outputs and exit codes.  Reads nothing itself, and knows no TCP.
"""

from __future__ import annotations

import shutil
import sys
from dataclasses import dataclass, field
from itertools import chain, islice
from typing import TYPE_CHECKING, Any, NamedTuple

from tcptrace_py.errors import ChangedError, ExitCode, UnreadableError, UsageError
from tcptrace_py.tables.output import failures_named
from tcptrace_py.tables.schema import TABLES
from tcptrace_py.views.forms import form_of
from tcptrace_py.views.ink import Line, ink_for, line, say
from tcptrace_py.views.progress import Progress
from tcptrace_py.views.terminal import summary_lines, worst_first
from tcptrace_py.views.wording import count
from tcptrace_py.vocabulary import ANOMALIES, BY_NAME, Severity

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Sequence
    from pathlib import Path

    import pyarrow as pa

    from tcptrace_py.analysis import Connection, Trace
    from tcptrace_py.live import Live
    from tcptrace_py.views.reading import Reading

PLAIN_WIDTH = 100  # columns where the output is no terminal

LAST: list[Trace | None] = []
"""What was looked at last, held to the end: the process need not take a hundred thousand connections apart."""


@dataclass
class Verdict:
    """What became of the inputs so far, and the exit code that follows."""

    unreadable: int = 0
    damaged: int = 0
    good: int = 0
    found: bool = False

    def code(self) -> ExitCode:
        """The worst of what happened; an input that failed beside others that did not makes the result partial."""
        if self.unreadable and not self.damaged and not self.good:
            return ExitCode.UNREADABLE
        if self.unreadable or self.damaged:
            return ExitCode.PARTIAL
        return ExitCode.FINDINGS if self.found else ExitCode.OK


@dataclass
class Request:
    """What `tcpflows analyze` was asked for, as it was written."""

    captures: list[str]
    reading: Reading
    kind: str = ""
    tables: str = ""
    output: Path | None = None
    where: str = ""
    columns: str = ""
    fail_on: str = ""
    top: int = 20
    raw_csv: bool = False
    schema: str = ""
    verdict: Verdict = field(default_factory=Verdict)
    failed: dict[str, UnreadableError] = field(default_factory=dict)
    follow: bool = False
    join: bool = False


class Choice(NamedTuple):
    """Which rows and columns of which tables."""

    tables: list[str]
    columns: list[str]
    mask: Callable[[pa.RecordBatch], pa.Array] | None

    def of(self, table: str, batch: pa.RecordBatch) -> pa.RecordBatch:
        """What was asked for of one batch; conditions and columns are about the first table."""
        if table == self.tables[0]:
            batch = batch.filter(self.mask(batch)) if self.mask else batch
            batch = batch.select(self.columns) if self.columns else batch
        return batch


def analyze(request: Request) -> ExitCode:
    """Everything that ``tcpflows analyze`` does."""
    watched = _watched(request.fail_on)
    kind = kind_of(request)
    if request.follow:
        return _follow(request, kind, watched)
    if request.schema:
        return _view(request, kind, watched)
    if kind == "summary":
        for trace in traces(request, ()):
            if request.verdict.good + request.verdict.damaged > 1:
                emit([[]])
            emit(summary_lines(trace.summary, width(), top=request.top))
            _look_for(watched, trace, request.verdict)
        return request.verdict.code()
    choice = _choice(request, kind)
    if kind == "table":
        from tcptrace_py.views.grid import SHOWN, grid_lines

        shown = choice.columns or SHOWN[choice.tables[0]].split()
        batches = (batch for _, batch in _batches(request, choice, watched))
        emit(grid_lines(batches, shown))
    else:
        _write(request, kind, choice, watched)
    return request.verdict.code()


def _follow(request: Request, kind: str, watched: set[str]) -> ExitCode:
    """Of an input that is still being written, what comes as it comes."""
    from tcptrace_py.views.follow import follow

    if request.schema:
        raise UsageError("--schema is made at the end of a capture: leave --follow")
    if request.join:
        raise UsageError("--follow takes one capture: leave --join")
    spare_the_captures(request)
    warn_if_interpreted(quiet=request.reading.quiet)
    code, seen = follow(request, kind, None if kind == "summary" else _choice(request, kind))
    if seen is not None:
        _look_for(watched, seen, request.verdict)
    return ExitCode.FINDINGS if request.verdict.found and code is ExitCode.OK else code


def _view(request: Request, kind: str, watched: set[str]) -> ExitCode:
    """A view in the words of another program, instead of our tables."""
    from tcptrace_py.tables.parity import VIEWS
    from tcptrace_py.tables.schema import schema_of
    from tcptrace_py.tables.write import one_file

    name = request.schema
    if name not in VIEWS:
        raise UsageError(f"--schema: there is no view {name!r}; there are {', '.join(VIEWS)}")
    if request.tables or request.where or request.columns:
        raise UsageError("--schema is a table of its own: leave --table, --where and --columns")
    if request.output and _is_folder(request.output):
        raise UsageError("--schema is one table: write it to a file with -o")
    spare_the_captures(request)
    view = VIEWS[name]

    def batches() -> Iterator[pa.RecordBatch]:
        for trace in traces(request, ()):
            yield from trace.view_batches(name)
            _look_for(watched, trace, request.verdict)

    if kind in {"summary", "table"}:
        from tcptrace_py.views.grid import grid_lines

        emit(grid_lines(batches(), view.shown))
    else:
        with one_file(kind, request.output, {name: schema_of(name, view.columns)}, raw_csv=request.raw_csv) as writer:
            for batch in batches():
                writer.put(name, batch)
    return request.verdict.code()


def kind_of(request: Request) -> str:
    """The form of the output: a summary, unless rows are asked for."""
    rows = request.tables or request.where or request.columns
    return form_of(request.kind, request.output, "table" if rows else "summary")


def _is_folder(path: Path) -> bool:
    """A folder, or a name that looks like one: a file to be made has a suffix."""
    return path.is_dir() or (not path.exists() and not path.suffix)


def _choice(request: Request, kind: str) -> Choice:
    from tcptrace_py.views.where import nearest, parse

    into_folder = request.output is not None and _is_folder(request.output)
    default = list(TABLES) if into_folder and not (request.where or request.columns) else ["connections"]
    tables = [name.strip() for name in request.tables.split(",")] if request.tables else default
    for name in tables:
        if name not in TABLES:
            raise UsageError(f"there is no table {name!r}; there are {', '.join(TABLES)}")
    if len(tables) > 1 and (request.where or request.columns):
        raise UsageError("--where and --columns are about one table: choose it with --table")
    if len(tables) > 1 and kind != "json" and not into_folder:
        raise UsageError(f"{kind} holds one table: choose it with --table, or write to a folder with -o")
    known = {column.name for column in TABLES[tables[0]]}
    columns = [name.strip() for name in request.columns.split(",")] if request.columns else []
    for name in columns:
        if name not in known:
            raise UsageError(f"--columns: {tables[0]} has no column {name!r}{nearest(name, known)}")
    mask = parse(request.where, tables[0]) if request.where else None
    if kind == "json" and not into_folder and not request.follow and "captures" not in tables:
        tables.append("captures")  # a document says what its rows were read from, and how well
    return Choice(tables, columns, mask)


def traces(request: Request, tables: Iterable[str]) -> Iterator[Trace]:
    """Each input analysed; one that cannot be read is told of and counted."""
    from tcptrace_py.analysis import analyze as read

    warn_if_interpreted(quiet=request.reading.quiet)
    trace = None
    for source in _inputs(request):
        trace = _read(read, source, tuple(tables), request)
        if trace is not None:
            yield trace
    LAST[:] = [trace]


def _inputs(request: Request) -> Sequence[Any]:
    """The captures, each by itself, or all of them as one."""
    if not request.join:
        return request.captures
    from tcptrace_py.capture.rotation import in_order

    return [in_order(request.captures)]


def _read(read: Callable[..., Trace], source: Any, tables: tuple[str, ...], request: Request) -> Trace | None:
    from tcptrace_py.trace import name_of

    path = name_of(source)
    progress = Progress(path, quiet=request.reading.quiet)
    verdict = request.verdict
    try:
        trace = read(source, tables=tables, progress=progress, **request.reading.options)
    except UnreadableError as error:
        progress.clear()
        say(str(error))
        verdict.unreadable += 1
        request.failed[path] = error
        return None
    progress.clear()
    if trace.status == "ok":
        verdict.good += 1
    else:
        verdict.damaged += trace.status == "partial"
        verdict.unreadable += trace.status != "partial"
        complain(trace)
    return trace


def complain(trace: Trace | Live) -> None:
    """One line for each input that was not read to its end."""
    for capture in trace.summary.captures:
        if capture["status"] != "ok":
            kept = f"; {count(capture['packets_read'], 'packet')} kept" if capture["status"] == "partial" else ""
            say(f"{capture['path']}: {capture['message'] or capture['reason']}{kept}")


def _batches(request: Request, choice: Choice, watched: set[str]) -> Iterator[tuple[str, pa.RecordBatch]]:
    """The rows that were asked for, capture by capture, each under the name of its table."""
    for trace in traces(request, choice.tables):
        for table in choice.tables:
            yield from _rows(trace, table, choice, request.verdict)
        _look_for(watched, trace, request.verdict)
    if request.failed and "captures" in choice.tables:
        yield "captures", choice.of("captures", _unread(request.failed))


def _rows(trace: Trace, table: str, choice: Choice, verdict: Verdict) -> Iterator[tuple[str, pa.RecordBatch]]:
    """The rows of one table; none of a capture that changed before they could be read, and the others go on."""
    given = False
    try:
        for batch in trace.batches(table):
            given = True
            yield table, choice.of(table, batch)
    except ChangedError as error:
        if given:  # rows that may be wrong are out
            raise
        say(str(error))
        verdict.damaged += 1
        for capture in trace.summary.captures:
            capture |= {"status": "partial", "reason": error.reason, "message": f"{table}: not read, {error}"}


def _unread(failed: dict[str, UnreadableError]) -> pa.RecordBatch:
    """Rows of the captures table for inputs of which nothing could be read."""
    from tcptrace_py.tables.build import as_batch, unread_row

    return as_batch("captures", [unread_row(path, error) for path, error in failed.items()])


def _write(request: Request, kind: str, choice: Choice, watched: set[str]) -> None:
    from tcptrace_py.tables.schema import arrow_schema
    from tcptrace_py.tables.write import file_per_table, one_file

    spare_the_captures(request)
    output = request.output
    rows = _batches(request, choice, watched)
    ahead = list(islice(rows, 1))
    if not ahead and request.verdict.code() is ExitCode.UNREADABLE:
        return  # no output rather than an empty one
    schemas = {
        table: arrow_schema(table, choice.columns if table == choice.tables[0] else ()) for table in choice.tables
    }
    if output and _is_folder(output):
        with file_per_table(kind, output, schemas, raw_csv=request.raw_csv) as put:
            for table, batch in chain(ahead, rows):
                put(table, batch)
        return
    with one_file(kind, output, schemas, raw_csv=request.raw_csv) as writer:
        for table, batch in chain(ahead, rows):
            writer.put(table, batch)


def spare_the_captures(request: Request) -> None:
    """Refuse an output that is one of the inputs."""
    if request.output and any(_same_file(request.output, capture) for capture in request.captures):
        raise UsageError(f"{request.output} is the capture itself")


def _same_file(output: Path, capture: str) -> bool:
    try:
        return output.samefile(capture)
    except OSError:
        return False


def _watched(fail_on: str) -> set[str]:
    """The findings that ``--fail-on`` names: each by itself, or all of a severity and above."""
    watched: set[str] = set()
    for name in (name.strip() for name in fail_on.split(",") if name.strip()):
        if name in Severity.__members__:
            watched |= {anomaly.name for anomaly in ANOMALIES if anomaly.severity >= Severity[name]}
        elif name in BY_NAME:
            watched.add(name)
        else:
            from tcptrace_py.views.where import nearest

            hint = nearest(name, [*BY_NAME, *Severity.__members__])
            raise UsageError(f"--fail-on: {name!r} is neither a finding nor a severity{hint}")
    return watched


def _look_for(watched: set[str], trace: Trace | Live, verdict: Verdict) -> None:
    findings = trace.summary.findings
    hits = [name for name in worst_first(findings) if name in watched]
    if hits:
        verdict.found = True
        told = ", ".join(f"{name} ({count(findings[name][1], 'connection')})" for name in hits)
        say(f"{trace.summary.captures[0]['path']}: found {told}")


def xplot(capture: str, conn_id: int, folder: Path, reading: Reading) -> ExitCode:
    """Everything that ``tcpflows xplot`` does."""
    from tcptrace_py.views.xplot import write

    request = Request([capture], reading)
    for connection in one(request, conn_id):
        emit(line(str(path)) for path in write(connection.record, connection.rows(), folder))
    return request.verdict.code()


def one(request: Request, conn_id: int, tables: Iterable[str] = ("connections", "timeline")) -> Iterator[Connection]:
    """The connection of that number."""
    for trace in traces(request, tables):
        if not 0 <= conn_id < len(trace):
            there = f"the capture has {count(len(trace), 'connection')}"
            there += f", 0 to {len(trace) - 1}" * (len(trace) > 1)
            raise UsageError(f"{request.captures[0]}: no connection {conn_id}; {there}")
        yield trace[conn_id]


def catalog(name: str | None, kind: str) -> ExitCode:
    """Everything that ``tcpflows catalog`` does."""
    from tcptrace_py.views.catalog import as_json, as_lines, as_markdown, found

    chosen = found(name)
    if kind == "table":
        emit(as_lines(chosen, width()))
    else:
        text = as_json(chosen) if kind == "json" else as_markdown(chosen).removesuffix("\n")
        emit(line(row) for row in text.split("\n"))
    return ExitCode.OK


def warn_if_interpreted(*, quiet: bool) -> None:
    """Say once that this installation is the slow one."""
    from tcptrace_py.analysis import compiled

    if not quiet and not compiled():
        say("running uncompiled, which is much slower; install again where there is a C compiler")


def emit(lines: Iterable[Line], *, at_once: bool = False) -> None:
    """Lines to standard output, in colour where that is wanted; `at_once`: each for itself."""
    ink = ink_for(sys.stdout)
    with failures_named("to standard output"):
        for parts in lines:
            sys.stdout.write(ink(parts) + "\n")
            if at_once:
                sys.stdout.flush()
        sys.stdout.flush()


def width() -> int:
    """Columns of the terminal."""
    return shutil.get_terminal_size((PLAIN_WIDTH, 24)).columns
