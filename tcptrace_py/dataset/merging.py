"""The rows that all shares of a capture have put by, as the parts that one pass over it would have made.

Knows in which order and in which batches the rows of each table stand, on which a part's bytes depend.  Does not know
which worker has made them.
"""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pyarrow as pa

from tcptrace_py.dataset import work
from tcptrace_py.dataset.manifest import name_for
from tcptrace_py.dataset.report import Report
from tcptrace_py.dataset.spills import evenly, merged
from tcptrace_py.dataset.store import Store
from tcptrace_py.tables import arrays, build, shares
from tcptrace_py.tables.write import ROW_GROUP

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tcptrace_py.dataset.share import Followed
    from tcptrace_py.dataset.spills import Keys

    Batches = Iterator[pa.RecordBatch]

EACH_FOLLOWS_ITS_OWN = {"max_connections", "max_ranges", "max_unacked", "max_amendments"}
"""Bounds on what is followed, reached in each share by itself; the others are reached in all of them alike."""

AT_ONCE = {"connections": build.AT_ONCE, "features": build.AT_ONCE}
"""How many rows one pass writes together, where it does not write row groups."""


@dataclass(frozen=True, slots=True)
class Merge:
    """One table of one capture."""

    task: work.Task
    table: str
    shares: tuple[Followed, ...]


def merge(asked: Merge) -> int | Report:
    """Write the part; the number of its rows."""
    capture = asked.task.input.capture
    try:
        store = Store(Path(asked.task.folder))
        name = name_for(capture)
        store.begin(name, asked.task.settings.tables)
        return store.put(asked.table, name, _rows(asked.table, asked.shares, capture))
    except Exception as error:  # noqa: BLE001 - a bug of ours costs one input, not the batch
        report = Report()
        work.tell_failure(report, capture, error)
        return report


def captures(of: tuple[Followed, ...]) -> list[dict[str, Any]]:
    """The rows of `captures`, with the digests."""
    lines = zip(*(each.captures for each in of), strict=True)
    return [_line(same) | {"sha256": sha256} for same, sha256 in zip(lines, of[0].digests, strict=True)]


def joined(of: tuple[Followed, ...]) -> dict[str, Any] | None:
    """The row that a set of files would have if it were one."""
    lines = [each.joined for each in of]
    return _line(lines) if all(lines) else None


def agree(of: tuple[Followed, ...]) -> bool:
    """Whether all shares have read the same."""
    unlike = {"connections", "findings", "limits"}
    seen = [[{k: v for k, v in line.items() if k not in unlike} for line in each.captures] for each in of]
    return all(each == seen[0] for each in seen) and all(each.digests == of[0].digests for each in of)


def _line(lines: Any) -> dict[str, Any]:
    """One row of `captures` out of what each share says."""
    found = {name for line in lines for name in line["findings"]}
    limits = [dict(text.split(": ") for text in line["limits"]) for line in lines]
    reached = {}
    for name in sorted({name for each in limits for name in each}):
        numbers = [int(each.get(name, 0)) for each in limits]
        reached[name] = sum(numbers) if name in EACH_FOLLOWS_ITS_OWN else max(numbers)
    own: dict[str, Any] = lines[0]
    return own | {
        "connections": sum(line["connections"] for line in lines),
        "findings": [name for name in build.QUALITY if name in found],
        "limits": [f"{name}: {number}" for name, number in reached.items()],
    }


def _rows(table: str, of: tuple[Followed, ...], capture: str) -> Batches:
    if table == "captures":
        yield build.as_batch("captures", captures(of))
        return
    ids = np.sort(arrays.plain(_put_by("numbers", of).column("conn_id")))
    if table == "timeline":
        made = _timeline(of)
    elif table == "events":
        more = shares.of_all(_put_by("begun", of), of[0].gaps, capture)
        runs = [*_runs("events", of), shares.batches_of("events", more, ROW_GROUP)]
        made = evenly(merged(runs, _place), ROW_GROUP)
    else:
        made = evenly(merged(_runs(table, of), _conn_id), AT_ONCE.get(table, ROW_GROUP))
    yield from _ahead(map(partial(shares.numbered, table, ids=ids, capture=capture), made))


def _ahead(made: Batches) -> Batches:
    """The same, each made while the one before it is written: both are work that Python does not wait for."""
    with ThreadPoolExecutor(1) as other:
        coming = other.submit(next, made, None)
        while (batch := coming.result()) is not None:
            coming = other.submit(next, made, None)
            yield batch


def _runs(table: str, of: tuple[Followed, ...]) -> list[Batches]:
    return [run for each in of for run in each.spilled[table].opened()]


def _put_by(table: str, of: tuple[Followed, ...]) -> pa.Table:
    batches = [batch for run in _runs(table, of) for batch in run]
    return pa.Table.from_batches(batches, shares.schema_put_by(table)).combine_chunks()


def _conn_id(batch: pa.RecordBatch) -> Keys:
    return (arrays.plain(batch.column("conn_id")),)


def _place(batch: pa.RecordBatch) -> Keys:
    """Where events stand.  Those of one frame and connection are of one run, in their order."""
    return [arrays.plain(batch.column(name), build.LAST).astype(np.int64) for name in ("frame", "conn_id")]


def _timeline(of: tuple[Followed, ...]) -> Batches:
    """Batch for batch as one pass has them: every share has made one of each, of the rows that are its own."""
    held: list[tuple[pa.RecordBatch, ...]] = []
    rows = 0
    for one_of_each in zip(*_runs("timeline", of), strict=True):
        held.append(one_of_each)
        rows += sum(batch.num_rows for batch in one_of_each)
        if rows >= ROW_GROUP:
            yield from _interleaved(held)
            held, rows = [], 0
    if held:
        yield from _interleaved(held)


def _interleaved(held: list[tuple[pa.RecordBatch, ...]]) -> Batches:
    """The rows of all shares by their places, in batches as they were; many at a time, because that is quicker."""
    whole = pa.concat_batches([batch for one_of_each in held for batch in one_of_each])
    whole = whole.take(arrays.indices(np.argsort(arrays.plain(whole.column("row")), kind="stable")))
    at = 0
    for one_of_each in held:
        rows = sum(batch.num_rows for batch in one_of_each)
        yield whole.slice(at, rows)
        at += rows
