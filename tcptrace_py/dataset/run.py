"""batch(): what there is, what is done already, and the rest done by workers."""

from __future__ import annotations

import contextlib
import os
import re
from collections import Counter
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Any

from tcptrace_py.capture.rotation import Tail, continuing
from tcptrace_py.dataset import work
from tcptrace_py.dataset.finished import refuse_later
from tcptrace_py.dataset.manifest import Row, Settings, name_for, under
from tcptrace_py.dataset.report import BatchResult, Outcome, Report
from tcptrace_py.dataset.schedule import AT_ONCE, DaskCluster, GivenExecutor, LocalWorkers, carried_out, cores
from tcptrace_py.dataset.sources import Input, find, is_address, joined, set_of
from tcptrace_py.dataset.splitting import Agenda, do
from tcptrace_py.dataset.store import Store
from tcptrace_py.errors import UnreadableError, UsageError
from tcptrace_py.options import Options
from tcptrace_py.tables.of_datasets import DATASET_TABLES
from tcptrace_py.tables.schema import SCHEMA_VERSION

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable
    from concurrent.futures import Executor

    from tcptrace_py.dataset.schedule import Workers
    from tcptrace_py.dataset.sources import Found

    Progress = Callable[[BatchResult, list[Outcome]], object]

DEFAULT_TABLES = ("captures", "connections", "states", "events")
OURS = re.compile(r"[0-9a-f]{12}-")
WITHOUT_EFFECT = ("batch_size",)  # options that change nothing but speed


def batch(  # noqa: PLR0913 - options, all with defaults, all by keyword
    sources: str | os.PathLike[str] | Iterable[str | os.PathLike[str]],
    dataset: str | os.PathLike[str],
    *,
    tables: Iterable[str] = DEFAULT_TABLES,
    pattern: str = "",
    join: bool = True,
    checkpoint: bool = False,
    workers: int | None = None,
    executor: Executor | None = None,
    scheduler: str = "",
    split: bool = False,
    prune: bool = False,
    digests: bool = False,
    progress: Progress | None = None,
    **options: Any,
) -> BatchResult:
    """Analyse many captures into a dataset of Parquet files; do only what is not done yet.

    Parameters
    ----------
    sources : path, address, or iterable of them
        Captures, archives (tar, compressed or not, and zip; their members are streamed, never extracted), folders of
        both, and what fsspec knows by an address (``s3://bucket/folder``).
    dataset : path
        The folder that gets ``TABLE/*.parquet``, a part a capture, and ``manifest/*.json``.
    tables : iterable of str
        What to make of each capture; `captures` always.  `timeline` takes a second reading, and much space; `features`
        (CICFlowMeter's columns) takes it, too.
    pattern : str
        Only files in folders, and members of archives named in `sources`, that match this (as in a shell).
    join : bool
        Read files that one capture was cut into (``tcpdump -C``, ``-G``; ``dumpcap -b``) as one, so that a connection
        that spans files is one.  Such a set is recognised by names that differ in numbers only, the same format, link
        type and interfaces, and times that adjoin; it is named for its first file, with a ``+`` behind it.
    checkpoint : bool
        Keep what is open at the end of each set, and go on with it when files come that continue the set: these alone
        are read, and those before may be gone.  The tables come to be those of all files read at once.  A file that
        stands alone is a set that begins.
    workers : int, optional
        Processes; default the cores.
    executor : concurrent.futures.Executor, optional
        Does the work instead of local processes.
    scheduler : str
        Address of a dask scheduler, whose workers see the same files.
    split : bool
        Divide the connections of a large capture over workers that would have nothing to do; the dataset is the same,
        unless a bound is reached.  Each of them reads all of the capture.
    prune : bool
        Remove captures from the dataset whose file is gone from `sources`.
    digests : bool
        Read files again whose size and time are as they were, and compare their SHA-256.
    progress : callable, optional
        Called after every input with what is done so far, and what is wrong with that input.
    **options
        As for `analyze`: how to read and to follow.

    Returns
    -------
    BatchResult

    Raises
    ------
    OutputError
        When the dataset cannot be written, or another batch is writing to it.
    """
    if checkpoint and not join:
        raise UsageError("checkpoint goes on with sets of files, which are not joined here")
    named = [sources] if isinstance(sources, (str, os.PathLike)) else list(sources)
    store, settings = Store(Path(dataset)), _settings(tables, options)
    given = _workers(workers, executor, scheduler)
    with store.locked():
        store.make(settings.tables, goes_on=checkpoint)
        chosen = _Batch(store, settings, progress or (lambda _so_far, _bad: None))
        found = find([os.fspath(each) for each in named], pattern, Path(dataset))
        if join:
            found.inputs = [*(chosen.go_on(found) if checkpoint else ()), *chosen.join(found, goes_on=checkpoint)]
        tasks = chosen.plan(found, digests=digests)
        chosen.carry_out(tasks, given, split=split)
        chosen.remove_regrouped(found)
        if prune:
            chosen.prune(found)
    return chosen.result


def _settings(tables: Iterable[str], options: dict[str, Any]) -> Settings:
    from tcptrace_py import __version__

    names = {tables} if isinstance(tables, str) else set(tables)
    for name in names - DATASET_TABLES.keys():
        raise UsageError(f"there is no table {name!r}; there are {', '.join(DATASET_TABLES)}")
    try:
        chosen = asdict(Options(**options))
    except TypeError:
        unknown = options.keys() - asdict(Options()).keys()
        raise UsageError(f"there is no option {', '.join(sorted(unknown))}") from None
    for name in WITHOUT_EFFECT:
        del chosen[name]
    tables = [name for name in DATASET_TABLES if name in names | {"captures"}]
    return Settings(__version__, SCHEMA_VERSION, tables, chosen)


def _workers(workers: int | None, executor: Executor | None, scheduler: str) -> Workers:
    if workers is not None and workers < 1:
        raise UsageError(f"workers is at least 1, not {workers}")
    if executor is not None:
        return GivenExecutor(executor, workers or AT_ONCE)
    return DaskCluster(scheduler, workers) if scheduler else LocalWorkers(workers or cores())


class _Batch:
    """A batch on its way."""

    def __init__(self, store: Store, settings: Settings, progress: Progress) -> None:
        self.store = store
        self.settings = settings
        self.progress = progress
        self.result = BatchResult()
        self.members: dict[str, list[Row]] = {}  # of archives, as the dataset has them
        self.rows = {row.name: row for row in store.rows()}
        refuse_later(store.folder, self.rows.values())

    def go_on(self, found: Found) -> list[Input]:
        """The sets that earlier runs have begun, with the files that are new; `found` then has the others.

        One of whose files one has changed begins anew, if all of them are there; or else it stays as it is, and what
        comes later is a set of its own.
        """
        there = {each.capture: each for each in found.inputs if not each.remote}
        begun = [row for row in self.rows.values() if row.runs and row.tail]
        known = {file for row in begun for file in row.files}
        going = []
        for row in sorted(begun, key=lambda row: Tail(*row.tail).last_ns, reverse=True):
            if row.settings != asdict(self.settings) or not self.store.can_go_on(row):
                continue
            changed = [path for path, *_ in row.pieces if path in there and there[path].piece not in row.pieces]
            if changed and there.keys() >= set(row.files):
                continue
            new = [] if changed else continuing(Tail(*row.tail), there.keys() - known)
            if changed:
                why = f"{changed[0]}: has changed since {row.capture} was read up to it, and files before it are gone"
                found.missing.append(UnreadableError(why, "changed"))
            elif new or there.keys() & set(row.files):
                whole = set_of([*row.pieces, *(there[path].piece for path in new)], row.capture)
                going.append(whole.going_on(len(row.files)))
            for path in {*row.files, *new} & there.keys():
                del there[path]
        found.inputs = [*there.values(), *(each for each in found.inputs if each.remote)]
        return going

    def join(self, found: Found, *, goes_on: bool) -> list[Input]:
        """The inputs, each rotated set as one.  What a set has given of which a file is gone is not made again."""
        gone = [row for row in self.rows.values() if row.files and not all(Path(file).exists() for file in row.files)]
        covered = {file for row in gone for file in row.files}
        found.left_out["in a set whose first files are gone"] += len(covered & {each.capture for each in found.inputs})
        found.left_out += Counter()  # without zeros
        return joined([each for each in found.inputs if each.capture not in covered], goes_on=goes_on)

    def remove_regrouped(self, found: Found) -> None:
        """Remove what was made of files that now stand in another set, or in none."""
        there = {each.capture for each in found.inputs}
        done = [each for each in found.inputs if self.store.row(name_for(each.capture))]
        files = {file for each in done for file in each.files or (each.capture,)}
        for row in self.rows.values():
            if not row.archive and row.capture not in there and files.issuperset(row.files or [row.capture]):
                self.store.remove(row.name)

    def plan(self, found: Found, *, digests: bool) -> list[work.Task]:
        """What remains to be done; what is done already is counted."""
        for member in self.rows.values():
            if member.archive:
                self.members.setdefault(member.archive, []).append(member)
        self._remove_unfinished()
        parts = {table: self.store.names(table) for table in DATASET_TABLES}
        result = self.result
        result.left_out += found.left_out
        result.files, result.bytes = (
            sum(each.file_count for each in found.inputs),
            sum(each.size for each in found.inputs),
        )
        for error in found.missing:
            source, _, why = str(error).rpartition(": ")
            result.add(source, "unreadable", why)
        self.progress(result, result.bad)
        tasks = []
        for each in found.inputs:
            row = self.rows.get(name_for(each.capture))
            known = self._complete(row, parts) if row and self._same_but_for_stamp(row, each) else []
            if known and known[0].stamp == each.stamp and not digests:
                report = Report()
                for done in known:
                    work.tell(report, done)
                self._done(each, report, kept=True)
            else:
                sha256 = known[0].sha256 if known else None
                tasks.append(work.Task(str(self.store.folder.absolute()), each, self.settings, sha256))
        return tasks

    def _same_but_for_stamp(self, row: Row, each: Input) -> bool:
        named_alike = (not each.named or row.kind != "left_out") and bool(row.runs) >= each.goes_on
        return named_alike and row.fits(each.size, row.stamp, self.settings, each.pattern)

    def _complete(self, row: Row, parts: dict[str, set[str]]) -> list[Row]:
        """The row and those of its members, if all their parts are there; else nothing."""
        rows = [row, *(self.rows[name] for name in row.members if name in self.rows)]
        whole = len(rows) == 1 + len(row.members)
        return rows if whole and all(parts[t].issuperset(each.parts(t)) for each in rows for t in each.rows) else []

    def _remove_unfinished(self) -> None:
        """Parts without a row: they were being replaced when a batch was stopped."""
        for table in DATASET_TABLES:
            for name in self.store.names(table) - self.store.told(table, self.rows.values()):
                if OURS.match(name):
                    self.store.path(table, name).unlink(missing_ok=True)

    def carry_out(self, tasks: list[work.Task], workers: Workers, *, split: bool) -> None:
        """Have the tasks done; stop where the dataset cannot be written."""
        if not tasks:
            return
        agenda = Agenda(tasks, workers.at_once if split else 1)
        if isinstance(workers, LocalWorkers):
            workers.at_once = min(workers.at_once, len(agenda.waiting))
        with contextlib.closing(carried_out(do, agenda.waiting, workers, agenda.died)) as done:
            for step, result in done:
                ended = agenda.after(step, result)
                if ended is None:
                    continue
                task, report = ended
                self._forget_members(task.input)
                self._done(task.input, report)
                if report.counts["not_written"]:
                    return

    def _done(self, each: Input, report: Report, *, kept: bool = False) -> None:
        result = self.result
        result.take(report)
        result.files_done += each.file_count
        result.bytes_done += each.size
        result.files_kept += each.file_count * kept
        result.bytes_kept += each.size * kept
        self.progress(result, report.bad)

    def _forget_members(self, each: Input) -> None:
        """Members that an archive had, and has no more."""
        had = self.members.get(each.capture)
        row = self.store.row(name_for(each.capture)) if had else None
        if had and row:
            for name in {member.name for member in had} - set(row.members):
                self.store.remove(name)

    def prune(self, found: Found) -> None:
        """Remove what was found in these sources once, and is not there any more."""
        there = {file for each in found.inputs for file in each.files or (each.capture,)}
        for row in self.rows.values():
            files = row.files or [row.archive or row.capture]
            if all(under(file, found.listed) and file not in there and _is_gone(file) for file in files):
                self.store.remove(row.name)
                self.result.pruned += row.kind == "capture"


def _is_gone(file: str) -> bool:
    return is_address(file) or not Path(file).exists()
