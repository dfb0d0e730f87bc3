"""One share of a capture: all of it read, the connections of some pairs followed, and their rows put by.

A task for a worker; done twice it leaves two sets of files, of which one is used.  Knows when rows are final.  Does not
know the other shares, nor what becomes of the rows.
"""

from __future__ import annotations

import contextlib
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from tcptrace_py import pipeline
from tcptrace_py.capture import CaptureSet
from tcptrace_py.dataset import archives, work
from tcptrace_py.dataset.report import Report
from tcptrace_py.dataset.spills import Spill, Spilled
from tcptrace_py.dataset.streams import Hashed, Piece, opened
from tcptrace_py.errors import UnreadableError
from tcptrace_py.flows import FlowTable
from tcptrace_py.options import Options
from tcptrace_py.summary import summary_of
from tcptrace_py.tables import shares
from tcptrace_py.tables.amendments import Amendments
from tcptrace_py.tables.views_cic import Features
from tcptrace_py.trace import KEPT

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from tcptrace_py.dataset.sources import Input

ENDED_AT_ONCE = 8192  # connections whose rows are one sorted run
ROWS_AT_ONCE = 512  # rows that a merge holds of every run


@dataclass(frozen=True, slots=True)
class Share:
    """What a worker needs to know: which share of how many; all have one `seed`, which says whose a pair is."""

    task: work.Task
    seed: int
    number: int
    of: int


@dataclass(frozen=True, slots=True)
class Followed:
    """What a share leaves behind: its line of each file in `captures`, and its rows, put by."""

    captures: list[dict[str, Any]]
    joined: dict[str, Any] | None
    digests: list[str | None]
    gaps: list[Any]
    spilled: dict[str, Spilled]

    def remove(self) -> None:
        """Nobody wants it any more."""
        for each in self.spilled.values():
            each.remove()


def follow(share: Share) -> Followed | Report | None:
    """Carry a share out; None where there is nothing to be shared: no capture, or none that can be read."""
    try:
        return _Following(share).run()
    except UnreadableError:
        return None
    except Exception as error:  # noqa: BLE001 - a bug of ours costs one input, not the batch
        report = Report()
        work.tell_failure(report, share.task.input.capture, error)
        return report


class _Following:
    def __init__(self, share: Share) -> None:
        self.share = share
        self.input = share.task.input
        self.capture = self.input.capture
        self.tables = set(share.task.settings.tables)
        self.options = Options.of(share.task.settings.options)
        self.ended = shares.EndedRows(self.capture)
        self.spills: dict[str, Spill] = {}

    def run(self) -> Followed | None:
        if not self.input.files:
            with opened(self.capture) as file:
                if archives.archive_kind(file, self.options.limits):
                    return None
        wanted = ["numbers", *sorted(KEPT & self.tables), *sorted(work.TWICE_READ & self.tables)]
        if "events" in self.tables:
            wanted.append("begun")
        try:
            for table in wanted:
                folder = Path(self.share.task.folder) / ("captures" if table in shares.NO_TABLES else table)
                self.spills[table] = Spill(folder, shares.schema_put_by(table))
            return self._followed()
        except BaseException:
            for spill in self.spills.values():
                spill.abandon()
            raise

    def _followed(self) -> Followed:
        source, files = _source(self.input)
        with contextlib.closing(source):
            for done in self._steps(source, keep=(KEPT & self.tables) | {"connections"}):
                self._put_by_ended(done, ENDED_AT_ONCE)
            self._put_by_ended(done, 1)
            digests = [each.finish() for each in files]
        summary = summary_of(done, self.capture)
        if work.TWICE_READ & self.tables:
            self._read_again(done)
        spilled = {table: spill.finish() for table, spill in self.spills.items()}
        return Followed(summary.captures, summary.joined, digests, done.info.gaps, spilled)

    def _steps(self, source: Any, **how: Any) -> Iterator[pipeline.Pass]:
        flows = FlowTable(self.share.seed, self.share.number, self.share.of)
        return pipeline.steps(source, self.options, flows=flows, **how)

    def _put_by_ended(self, done: pipeline.Pass, least: int) -> None:
        """Put by the rows of connections that have ended, if there are enough of them, and let the connections go."""
        ended = done.tracker.finished
        while len(ended) >= least:
            some = sorted(ended[:ENDED_AT_ONCE], key=lambda conn: conn.conn_id)
            del ended[:ENDED_AT_ONCE]
            for table, spill in self.spills.items():
                if table not in work.TWICE_READ:
                    spill.run(self.ended.of(table, done, some, ROWS_AT_ONCE))

    def _read_again(self, done: pipeline.Pass) -> None:
        """The tables that take a second reading."""
        features = Features(self.capture) if "features" in self.tables else None
        rows = shares.SharedTimeline(self.capture, Amendments(done.tracker.log))
        sink: Any = work.Both(rows, features) if features else rows
        if "timeline" in self.tables:
            self.spills["timeline"].run(self._timeline(rows, sink))
        else:
            self._whole_pass(features)
        if features is not None:
            made = ({name: row[name] for name in row if name != "capture"} for row in features.records())
            self.spills["features"].run(shares.batches_of("features", made, ROWS_AT_ONCE))

    def _timeline(self, rows: shares.SharedTimeline, sink: Any) -> Iterator[Any]:
        with contextlib.closing(_source(self.input)[0]) as source:
            for _ in self._steps(source, sink=sink):
                yield from rows.take()

    def _whole_pass(self, sink: Any) -> None:
        with contextlib.closing(_source(self.input)[0]) as source:
            for _ in self._steps(source, sink=sink):
                pass


def _source(of: Input) -> tuple[Any, Sequence[Hashed]]:
    """The input, opened once more, and its files, whose digests are taken as they are read."""
    if of.files:
        pieces = CaptureSet(tuple(map(Piece, of.files)), of.capture)
        return pieces, pieces.sources
    hashed = Hashed(opened(of.capture), of.capture)
    return hashed, [hashed]
