"""A capture that goes on: each run reads the files that are new, and what is open at their end waits for the next run.

What has ended is written once, in a part of that run.  What is open stands in a part that the next run replaces, in the
form it would have if nothing more came; what it takes to go on stands in a checkpoint.
"""

from __future__ import annotations

import contextlib
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

import pyarrow as pa

from tcptrace_py import pipeline, suspended
from tcptrace_py.capture import CaptureSet
from tcptrace_py.capture.rotation import tail
from tcptrace_py.dataset.manifest import open_part, run_part
from tcptrace_py.dataset.store import CHECKPOINTS, checkpoint, checkpoint_begun, checkpoint_rows
from tcptrace_py.dataset.streams import Piece, digest_of_all
from tcptrace_py.dataset.work import Both, described, feature_rows
from tcptrace_py.summary import summary_of
from tcptrace_py.tables import arrays, build
from tcptrace_py.tables.amendments import Amendments
from tcptrace_py.tables.of_datasets import DATASET_TABLES, dataset_schema
from tcptrace_py.tables.output import whole_file
from tcptrace_py.tables.shares import ROW, batches_of, begun_row, of_all, schema_put_by
from tcptrace_py.tables.timeline import TimelineRows, amended, rows_of
from tcptrace_py.tables.views_cic import Features
from tcptrace_py.trace import KEPT

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

    from tcptrace_py.dataset.manifest import Row
    from tcptrace_py.dataset.store import Store
    from tcptrace_py.options import Options
    from tcptrace_py.suspended import Suspended


@dataclass(slots=True)
class Beside:
    """What a checkpoint holds beside the pass.

    `rows` counts those of each table that are final, `gaps` those that were told.
    """

    instances: build.Instances
    features: Features | None
    digests: list[str | None]
    rows: dict[str, int]
    gaps: int = 0


class Run:
    """One run: what `row` says is to be done, after what `old` says was.

    Parameters
    ----------
    store, options : Store, Options
        Where to, and how to read.
    row : Row
        The row of the manifest so far, with all files of the set.
    old : Row, optional
        As the last run left it; its files are not read again.
    """

    def __init__(self, store: Store, options: Options, row: Row, old: Row | None) -> None:
        self.store, self.options, self.row, self.old = store, options, row, old
        self.tables = frozenset(row.settings["tables"])
        self.run = old.runs + 1 if old else 1
        self.files = row.files[len(old.files) if old else 0 :]
        self.open_ids: set[int] = set()
        self._states = build.EndedStates(row.capture)

    def carry_out(self) -> Row:
        """Read the new files, write their parts and the checkpoint, and then the row that tells of them."""
        resumed = self._resumed()
        features = Features(self.row.capture) if "features" in self.tables else None
        nothing = Beside(build.Instances(self.options.limits.max_pairs), features, [], {})
        self.beside: Beside = resumed.beside if resumed else nothing
        self._pieces = self._new_files()
        with contextlib.closing(self._pieces):
            passes = pipeline.steps(
                self._pieces,
                self.options,
                keep=KEPT & self.tables | {"connections"},  # to know which have ended
                sink=self.beside.features,
                resumed=resumed,
                ending=self._suspend,
            )
            for done in passes:
                self._take_states(done)
        written = self._write_open(done)
        if "timeline" in self.tables:
            self._write_timeline(done)
            written["timeline"] = done.tracker.row
        return self._finish(done, written)

    def _take_states(self, done: pipeline.Pass) -> None:
        if "states" in self.tables:
            self._states.take(done.tracker.finished)

    def _resumed(self) -> Suspended | None:
        if self.old is None:
            return None
        return suspended.read(self.store.path(CHECKPOINTS, checkpoint(self.row.name, self.old.runs)))

    def _new_files(self) -> CaptureSet:
        return CaptureSet(tuple(map(Piece, self.files)), self.row.capture)

    # -- what has ended ------------------------------------------------------------------------------------------

    def _suspend(self, done: pipeline.Pass) -> None:
        """All is read and nothing was ended for that: write what has come to its end, and how to go on."""
        seen, beside, capture = done.tracker, self.beside, self.row.capture
        forgotten = beside.instances.forgotten
        self._take_states(done)
        ended = sorted(seen.finished, key=lambda conn: conn.conn_id)
        ids = {conn.conn_id for conn in ended}
        made: dict[str, Iterable[pa.RecordBatch]] = {
            "connections": build.connection_rows(done, ended, capture, beside.instances),
            "states": self._states.batches(),
            "events": self._event_rows(done, ended, done.info.gaps[beside.gaps :]),
        }
        if "events" in self.tables:
            self._put_begun(ended)
        beside.gaps = len(done.info.gaps)
        if beside.features is not None:
            made["features"] = feature_rows(beside.features.records(ids))
        beside.digests += [piece.finish() for piece in self._pieces.sources]
        for table, rows in made.items():
            if table in self.tables:
                number = self.store.put(table, run_part(self.row.name, self.run), rows)
                beside.rows[table] = beside.rows.get(table, 0) + number
        if beside.instances.forgotten > forgotten:
            done.parts[-1][0].limits["max_pairs"] = beside.instances.forgotten - forgotten
        self._states = build.EndedStates(capture)
        seen.finished.clear()
        state = suspended.suspended(done, beside)
        with whole_file(self.store.path(CHECKPOINTS, checkpoint(self.row.name, self.run))) as file:
            suspended.write(state, file)

    def _put_begun(self, ended: list[Any]) -> None:
        """How these connections were begun, which findings over many of them will ask for."""
        path = self.store.path(CHECKPOINTS, checkpoint_begun(self.row.name, self.run))
        how = pa.ipc.IpcWriteOptions(compression="zstd")
        with whole_file(path) as file, pa.ipc.new_file(file, schema_put_by("begun"), options=how) as begun:
            for batch in batches_of("begun", map(begun_row, ended), build.AT_ONCE):
                begun.write_batch(batch)

    def _open_events(self, done: pipeline.Pass, ended: list[Any]) -> Iterator[pa.RecordBatch]:
        """The findings of what is open, and those over many connections, of all runs."""
        yield from self._event_rows(done, ended, ())
        runs = (checkpoint_begun(self.row.name, run) for run in range(1, self.run + 1))
        begun = [pa.ipc.open_file(str(self.store.path(CHECKPOINTS, name))).read_all() for name in runs]
        now = batches_of("begun", map(begun_row, ended), build.AT_ONCE)
        whole = pa.concat_tables([*begun, pa.Table.from_batches(now, schema_put_by("begun"))])
        yield build.as_batch("events", of_all(whole, (), self.row.capture))

    def _event_rows(self, done: pipeline.Pass, ended: list[Any], gaps: Sequence[Any]) -> Iterator[pa.RecordBatch]:
        from tcptrace_py.tracker.attacks import guesses

        noted = build.Noted.taken(done, {conn.conn_id for conn in ended}, gaps)
        rows = build.found_events(noted, ended, guesses(noted.events), self.row.capture)
        yield build.as_batch("events", rows)

    # -- what is open --------------------------------------------------------------------------------------------

    def _write_open(self, done: pipeline.Pass) -> dict[str, int]:
        """What was open, as it is if nothing more comes, and the table of files; the rows of each table by now."""
        beside, capture = self.beside, self.row.capture
        ended = sorted(done.tracker.finished, key=lambda conn: conn.conn_id)
        self.open_ids = {conn.conn_id for conn in ended}
        rows = summary_of(done, capture).captures
        digests = zip(rows, beside.digests, strict=True)
        made: dict[str, Iterable[pa.RecordBatch]] = {
            "captures": [build.as_batch("captures", [row | {"sha256": sha256} for row, sha256 in digests])],
            "connections": build.connection_rows(done, ended, capture, beside.instances),
            "states": self._states.batches(),
            "events": self._open_events(done, ended),
        }
        if beside.features is not None:
            made["features"] = feature_rows(beside.features.records(self.open_ids))
        part = open_part(self.row.name, self.run)
        return {
            table: beside.rows.get(table, 0) + self.store.put(table, part, rows)
            for table, rows in made.items()
            if table in self.tables
        }

    # -- the timeline --------------------------------------------------------------------------------------------

    def _write_timeline(self, done: pipeline.Pass) -> None:
        """Read the new files once more: rows of what has ended are final, those of what is open are held as well."""
        name, log = self.row.name, done.tracker.log
        how = pa.ipc.IpcWriteOptions(compression="zstd")
        path = self.store.path(CHECKPOINTS, checkpoint_rows(name, self.run))
        with whole_file(path) as file, pa.ipc.new_stream(file, held_schema(), options=how) as held:
            final = self._final_rows(Amendments(log), held)
            self.store.put("timeline", run_part(name, self.run), final)
        amendments = Amendments(log)
        still = (amended(batch, amendments, numbers) for numbers, batch in self._held(self.run))
        self.store.put("timeline", open_part(name, self.run), still)

    def _final_rows(self, amendments: Amendments, held: pa.RecordBatchStreamWriter) -> Iterator[pa.RecordBatch]:
        """The rows of connections that have ended; those of others go into `held`, as they are without amendments."""
        for numbers, batch in self._held(self.run - 1):
            rows, places = rows_of(batch, self.open_ids)
            _hold(held, numbers[places], rows)
            rows, places = rows_of(batch, set(batch.column("conn_id").to_pylist()) - self.open_ids)
            if len(places):
                yield amended(rows, amendments, numbers[places])
        resumed = self._resumed()
        first = resumed.tracker["counters"]["row"] if resumed else 0
        ended = TimelineRows(self.row.capture, amendments, but=self.open_ids, first_row=first)
        still = TimelineRows(self.row.capture, None, self.open_ids, first_row=first)
        with contextlib.closing(self._new_files()) as pieces:
            for _ in pipeline.steps(pieces, self.options, sink=Both(ended, still), resumed=resumed):
                yield from ended.take()
                for numbers, batch in still.take_numbered():
                    _hold(held, numbers, batch)

    def _held(self, run: int) -> Iterator[tuple[Any, pa.RecordBatch]]:
        """The rows that a run left open, with their numbers."""
        if run == 0:
            return
        path = self.store.path(CHECKPOINTS, checkpoint_rows(self.row.name, run))
        with pa.OSFile(str(path)) as file, pa.ipc.open_stream(file) as batches:
            for batch in batches:
                last = batch.num_columns - 1
                yield batch.column(last).to_numpy(), batch.remove_column(last)

    def _finish(self, done: pipeline.Pass, written: dict[str, int]) -> Row:
        """Have the manifest tell of it, then remove what it tells of no more."""
        summary = summary_of(done, self.row.capture)
        info = summary.joined or summary.captures[0]
        last = done.parts[-1][0]
        end = tail(self.row.files[-1], last.last_time_ns or 0)
        row = replace(
            described(self.row, info),
            sha256=digest_of_all(self.beside.digests),
            rows={table: written[table] for table in DATASET_TABLES if table in written},
            runs=self.run,
            tail=list(end or (self.old.tail if self.old else ())),
        )
        self.store.finish(row)
        self.store.forget_runs(row.name, row)
        return row


def _hold(held: pa.RecordBatchStreamWriter, numbers: Any, rows: pa.RecordBatch) -> None:
    if rows.num_rows:
        held.write_batch(pa.RecordBatch.from_arrays([*rows.columns, arrays.indices(numbers)], schema=held_schema()))


def held_schema() -> pa.Schema:
    """The columns of the timeline, and the number of the row."""
    return dataset_schema("timeline").append(schema_put_by("timeline").field(ROW.name))
