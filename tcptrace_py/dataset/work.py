"""One task of a batch: an input becomes its parts of the dataset.  Runs in a worker, anywhere, and may run again.

Knows what follows what.  Does not know who asked, how many there are, or what TCP is.
"""

from __future__ import annotations

import contextlib
from collections import Counter
from dataclasses import asdict, dataclass, replace
from itertools import islice
from pathlib import Path
from typing import TYPE_CHECKING, Any

from tcptrace_py import pipeline
from tcptrace_py.capture import CaptureSet
from tcptrace_py.dataset import archives
from tcptrace_py.dataset.manifest import Row, Settings, name_for
from tcptrace_py.dataset.report import Outcome, Report
from tcptrace_py.dataset.sources import is_hidden, is_named, matches
from tcptrace_py.dataset.store import Store
from tcptrace_py.dataset.streams import Hashed, Piece, digest_of, digest_of_all, opened
from tcptrace_py.errors import OutputError, TraceError, UnreadableError, UnsupportedError
from tcptrace_py.options import Options
from tcptrace_py.summary import summary_of
from tcptrace_py.tables import build
from tcptrace_py.tables.of_datasets import DATASET_TABLES
from tcptrace_py.tables.safe_text import safe_text
from tcptrace_py.tables.views_cic import Features
from tcptrace_py.trace import KEPT

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

    import pyarrow as pa

    from tcptrace_py.dataset.sources import Input

TWICE_READ = {"timeline", "features"}
"""Tables for which an input is read a second time."""

NO_CAPTURE = {"not_a_capture", "empty"}
"""Reasons for which a file that nobody called a capture is passed over."""


@dataclass(frozen=True, slots=True)
class Task:
    """What a worker needs to know.

    `sha256` is what the input had when the parts that are there were made, if nothing but its stamp speaks
    against them.
    """

    folder: str
    input: Input
    settings: Settings
    sha256: str | None = None


def run(task: Task) -> Report:
    """Carry out a task; whatever goes wrong is in the report."""
    capture = task.input.capture
    report = Report()
    try:
        _Work(task, report).run()
    except Exception as error:  # noqa: BLE001 - a bug of ours costs one input, not the batch
        tell_failure(report, capture, error)
    return report


def tell_failure(report: Report, capture: str, error: Exception) -> None:
    """Count in a report what has ended a task."""
    if isinstance(error, OutputError):
        report.add(capture, "not_written", str(error))
    elif isinstance(error, TraceError):
        report.add(capture, "failed", str(error))
    else:
        report.add(capture, "failed", f"internal error: {type(error).__name__}: {error}; please report it")


class Both:
    """Two sinks of one reading."""

    def __init__(self, one: pipeline.Sink, other: pipeline.Sink) -> None:
        self.sinks = (one, other)

    def rows(self, batch: Any, tracker: Any) -> None:
        """Hand on what stands in the batch and in the tracker's columns beside it."""
        for sink in self.sinks:
            sink.rows(batch, tracker)


class _Work:
    def __init__(self, task: Task, report: Report) -> None:
        self.task = task
        self.input = task.input
        self.settings = task.settings
        self.tables = task.settings.tables
        self.options = Options.of(task.settings.options)
        self.store = Store(Path(task.folder))
        self.report = report

    def run(self) -> None:
        if self.task.sha256 and self._still_the_same(self.task.sha256):
            return
        capture = self.input.capture
        try:
            if self.input.goes_on:
                self._tell(self._continued())
                return
            if self.input.files:
                self._tell(self._set())
                return
            with opened(capture) as file:
                kind = archives.archive_kind(file, self.options.limits)
            with opened(capture) as file:
                if kind:
                    self._archive(kind, file)
                else:
                    row = self._row(capture)
                    self._tell(self._capture(row, file, lambda: opened(capture), named=self.input.named))
        except UnreadableError as error:  # it cannot be opened: what is in the dataset of it stays
            self.report.add(capture, "unreadable", str(error))

    def _still_the_same(self, sha256: str) -> bool:
        """Whether only the stamp of the input has changed; then the manifest follows."""
        with contextlib.suppress(UnreadableError):
            if digest_of_all([digest_of(file) for file in self.input.files or (self.input.capture,)]) == sha256:
                old = self.store.row(name_for(self.input.capture))
                members = [self.store.row(name) for name in old.members] if old else [None]
                if old and all(members):
                    for row in (*members, old):
                        if row:
                            pieces = self.input.pieces if row.runs else []
                            self.store.finish(replace(row, stamp=self.input.stamp, pieces=pieces))
                            self._tell(row)
                    return True
        return False

    def _row(self, capture: str, archive: str | None = None) -> Row:
        return row_for(self.task, capture, archive)

    def _tell(self, row: Row) -> None:
        tell(self.report, row)

    # -- archives ------------------------------------------------------------------------------------------------

    def _archive(self, kind: str, file: Any) -> None:
        """Each member that is a capture becomes its own parts; then the archive's row says that it is done."""
        capture = self.input.capture
        row = replace(self._row(capture), kind="archive")
        hashed = file if kind == "zip" else Hashed(file, capture)
        made: list[Row] = []
        left_out: Counter[str] = Counter()
        with self._second_walk(kind) as twins:
            try:
                for label, member in self._members(
                    archives.members(kind, hashed, self.options.limits), twins, left_out
                ):
                    made_of = self._member(label, *member, left_out)
                    if made_of:
                        made.append(made_of)
            except UnreadableError as error:
                status = "partial" if made else "unreadable"
                row = replace(row, status=status, reason=error.reason, message=str(error))
        if left_out[NESTED] and row.status == "ok":
            row = replace(row, status="partial", reason="max_nesting", message=f"{NESTED} is not opened")
        elif not made and self.input.named and row.status == "ok":
            row = replace(row, status="unreadable", reason="no_captures", message="no capture in this archive")
        self.store.begin(row.name, ())
        sha256 = hashed.finish() if isinstance(hashed, Hashed) else digest_of(capture)
        row = replace(row, sha256=sha256, members=[each.name for each in made], left_out=dict(+left_out))
        self.store.finish(row)
        self._tell(row)

    @contextlib.contextmanager
    def _second_walk(self, kind: str) -> Iterator[Iterator[archives.Member] | None]:
        """A second walk over the archive beside the first, for tables that take a second reading of each member."""
        if not TWICE_READ & set(self.tables):
            yield None
            return
        with opened(self.input.capture) as file:
            yield archives.members(kind, file, self.options.limits)

    def _members(
        self, walk: Iterator[archives.Member], twins: Iterator[archives.Member] | None, left_out: Counter[str]
    ) -> Iterator[tuple[str, tuple[archives.Member, archives.Member | None]]]:
        """The members that are asked for, each with its twin, under names that occur once."""
        seen: Counter[str] = Counter()
        for member in walk:
            twin = next(twins) if twins else None
            name = safe_text(member.name)
            seen[name] += 1
            if member.left_out:
                left_out[member.left_out] += 1
            elif is_hidden(member.name.rpartition("/")[2]):
                left_out["hidden"] += 1
            elif not matches(member.name, self.input.pattern):
                left_out["does not match the pattern"] += 1
            else:
                again = f"#{seen[name]}" if seen[name] > 1 else ""
                yield f"{self.input.capture}!{name}{again}", (member, twin)

    def _member(
        self, label: str, member: archives.Member, twin: archives.Member | None, left_out: Counter[str]
    ) -> Row | None:
        """The row of a member; one that an interrupted batch has finished is not made again."""
        old = self.store.row(name_for(label))
        fits = old and old.kind == "capture" and old.fits(self.input.size, self.input.stamp, self.settings)
        if old and fits and self.store.has(old):
            self._tell(old)
            return old
        named = is_named(member.name) or bool(self.input.pattern)
        row = self._row(label, self.input.capture)
        row = self._capture(row, member.file, lambda: twin and twin.file, named=named)
        if row.kind == "left_out":
            if old:
                self.store.remove(row.name)
            left_out[NESTED if row.reason == "archive" else "not a capture"] += 1
            return None
        self._tell(row)
        return row

    # -- captures ------------------------------------------------------------------------------------------------

    def _set(self) -> Row:
        """Analyse a set of rotated files as one capture."""
        row = self._row(self.input.capture)

        def pieces() -> CaptureSet:
            return CaptureSet(tuple(map(Piece, self.input.files)), row.capture)

        with contextlib.closing(pieces()) as whole:
            return self._analysed(row, whole, whole.sources, pieces, named=True)

    def _continued(self) -> Row:
        """Go on with a set of files from where the last run stood."""
        from tcptrace_py.dataset.continued import Run  # here: few captures go on

        row = replace(self._row(self.input.capture), pieces=self.input.pieces)
        old = self.store.row(row.name) if self.input.read else None
        if old is None:
            self.store.begin(row.name, ())
        try:
            return Run(self.store, self.options, row, old).carry_out()
        except UnreadableError as error:
            if old is not None:
                raise
            return self._unread(row, error, None, named=True)

    def _capture(self, row: Row, file: Any, again: Callable[[], Any], *, named: bool) -> Row:
        """Analyse one capture, and write its parts and its row."""
        hashed = Hashed(file, row.capture)
        return self._analysed(row, hashed, [hashed], lambda: Hashed(again(), row.capture), named=named)

    def _analysed(self, row: Row, source: Any, read: Sequence[Hashed], again: Callable[[], Any], *, named: bool) -> Row:
        states = build.EndedStates(row.capture)
        try:
            for done in pipeline.steps(source, self.options, keep=KEPT & set(self.tables)):
                if "states" in self.tables:
                    states.take(done.tracker.finished)
        except UnreadableError as error:
            return self._unread(row, error, digest_of_all([each.finish() for each in read]), named=named)
        digests = [each.finish() for each in read]
        summary = summary_of(done, row.capture)
        rows = [info | {"sha256": sha256} for info, sha256 in zip(summary.captures, digests, strict=True)]
        row = described(replace(row, sha256=digest_of_all(digests)), summary.joined or rows[0])
        tables: dict[str, Any] = {"captures": [build.as_batch("captures", rows)]}
        tables |= build.kept_batches(KEPT & set(self.tables) - {"states"}, done, row.capture)
        if "states" in self.tables:
            tables["states"] = states.batches()
        tables |= self._read_again(done, again, row.capture)
        return self._write(row, tables)

    def _read_again(
        self, done: pipeline.Pass, again: Callable[[], Any], capture: str
    ) -> dict[str, Iterator[pa.RecordBatch]]:
        """The tables that take a second reading, which is one for both: `features` is whole when `timeline` is."""
        features = Features(capture) if "features" in self.tables else None
        made: dict[str, Iterator[pa.RecordBatch]] = {}
        if "timeline" in self.tables:
            made["timeline"] = self._timeline(done, again, capture, features)
        if features is not None:
            made["features"] = self._features(features, None if made else again)
        return made

    def _features(self, features: Features, again: Callable[[], Any] | None) -> Iterator[pa.RecordBatch]:
        if again is not None:
            with contextlib.closing(again()) as source:
                pipeline.run(source, self.options, sink=features)
        yield from feature_rows(features.records())

    def _timeline(
        self, done: pipeline.Pass, again: Callable[[], Any], capture: str, beside: Features | None
    ) -> Iterator[pa.RecordBatch]:
        from tcptrace_py.tables.amendments import Amendments
        from tcptrace_py.tables.timeline import TimelineRows

        rows = TimelineRows(capture, Amendments(done.tracker.log))
        with contextlib.closing(again()) as source:
            for _ in pipeline.steps(source, self.options, sink=Both(rows, beside) if beside else rows):
                yield from rows.take()

    def _unread(self, row: Row, error: UnreadableError, sha256: str | None, *, named: bool) -> Row:
        """What remains of an input of which nothing could be read."""
        nested = row.archive is not None and error.reason == "archive"
        if nested or (not named and error.reason in NO_CAPTURE):
            row = replace(row, kind="left_out", sha256=sha256, reason=error.reason)
            return row if row.archive else self._write(row, {})  # a member is passed over again as quickly
        status = "unsupported" if isinstance(error, UnsupportedError) else "unreadable"
        message = str(error).removeprefix(f"{row.capture}: ")
        row = replace(row, sha256=sha256, status=status, reason=error.reason, message=message)
        info = build.unread_row(row.capture, error) | {"sha256": sha256}
        return self._write(row, {"captures": [build.as_batch("captures", [info])]})

    def _write(self, row: Row, tables: dict[str, Any]) -> Row:
        self.store.begin(row.name, tables)
        row = replace(row, rows={table: self.store.put(table, row.name, rows) for table, rows in tables.items()})
        self.store.finish(row)
        return row


def feature_rows(records: Iterator[dict[str, Any]]) -> Iterator[pa.RecordBatch]:
    """The table `features`, some rows at a time."""
    while rows := list(islice(records, build.AT_ONCE)):
        yield build.as_batch("features", rows, DATASET_TABLES["features"])


def row_for(task: Task, capture: str, archive: str | None = None) -> Row:
    """The row of the manifest for an input or a member of it, before anything is known of it."""
    of, pattern = task.input, "" if archive else task.input.pattern
    about: dict[str, Any] = {"archive": archive, "pattern": pattern, "files": list(of.files)}
    return Row(capture, "capture", of.size, of.stamp, None, asdict(task.settings), **about)


def described(row: Row, info: dict[str, Any]) -> Row:
    """The same with what the row of `captures` says of the input, or of a set the row that it would have as one."""
    status, message = info["status"], info["message"] or info["reason"]
    numbers = {"packets": info["packets_read"], "connections": info["connections"]}
    return replace(row, status=status, reason=info["reason"], message=message, offset=info["offset"], **numbers)


NESTED = "archive in an archive"


def tell(report: Report, row: Row) -> None:
    """Count in a report what a row of the manifest says."""
    report.left_out += Counter(row.left_out)
    if row.kind == "left_out":
        report.left_out["not a capture"] += 1
    elif row.kind == "capture":
        report.add(row.capture, row.status, row.message, row.packets, row.connections)
    elif row.status != "ok":
        report.note(Outcome(row.capture, row.status, row.message))
