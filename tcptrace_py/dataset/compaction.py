"""compact(): small parts joined into larger ones, old captures removed, earlier versions brought up to date.

A part that others replace is removed after the manifest has stopped telling of it, and every row of the manifest
changes at one stroke: whoever reads by the manifest finds each capture once, at any time.  What is to be done follows
from what is in the dataset, not from how it got there: stopped anywhere and run again, it comes to the same.
"""

from __future__ import annotations

import hashlib
import json
from collections import defaultdict
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from tcptrace_py.dataset.finished import refuse_later
from tcptrace_py.dataset.joining import captures_in, joined_rows, opened_part
from tcptrace_py.dataset.migrations import way_from
from tcptrace_py.dataset.store import MANIFEST, Store
from tcptrace_py.errors import UnreadableError, UsageError
from tcptrace_py.tables.of_datasets import DATASET_TABLES
from tcptrace_py.tables.output import failures_named
from tcptrace_py.tables.schema import SCHEMA_VERSION

if TYPE_CHECKING:
    import os
    from collections.abc import Callable, Iterator

    from tcptrace_py.dataset.manifest import Row

PART_ROWS = 5_000_000
CAPTURES = 10_000  # in one part: labels are numbered with 16 bits
DAY = 86_400 * 10**9
JOINED = "joined-"


@dataclass(frozen=True, slots=True)
class Compaction:
    """What was done.

    Attributes
    ----------
    captures : int
        That the dataset holds now.
    removed : int
        Captures that were too old.
    migrated : int
        Captures whose rows were of an earlier version.
    written : int
        Parts that were written.
    before, after : int
        Parts that the dataset had and has.
    """

    captures: int
    removed: int
    migrated: int
    written: int
    before: int
    after: int


@dataclass(frozen=True, slots=True)
class _Group:
    """Captures that belong into one part, in their order there."""

    rows: list[Row]

    @property
    def name(self) -> str:
        """The name of the part: of what is in it, whatever has to be done to bring it there."""
        facts = [
            [row.capture, row.sha256, row.settings | {"schema_version": SCHEMA_VERSION}, row.rows] for row in self.rows
        ]
        return JOINED + hashlib.sha256(json.dumps(facts, sort_keys=True).encode()).hexdigest()[:12]

    @property
    def older(self) -> bool:
        """Whether there is something to bring up to date."""
        return any(row.schema_version < SCHEMA_VERSION for row in self.rows)

    @property
    def done(self) -> bool:
        """Whether all is where it belongs: a capture alone may keep the part that its batch has made."""
        if self.older:
            return False
        alone = len(self.rows) == 1 and not self.rows[0].joined
        return alone or {row.joined for row in self.rows} == {self.name}


def compact(
    dataset: str | os.PathLike[str],
    *,
    rows: int = PART_ROWS,
    before_ns: int | None = None,
    migrate_only: bool = False,
    progress: Callable[[int, int], object] | None = None,
) -> Compaction:
    """Join the small parts of a dataset into larger ones.

    Captures whose last packet is of one day (UTC) and that have the same tables are joined, in the order of their
    names, into parts of at most `rows` rows of all tables together.  A later `batch` knows them as done; one that has
    changed gets parts of its own again, until the next time.

    Parameters
    ----------
    dataset : path
        The folder.
    rows : int
        The most rows of all tables that are joined.
    before_ns : int, optional
        Remove captures whose last packet is older (nanoseconds since 1970, UTC).  A `batch` does not make them again.
    migrate_only : bool
        Touch only what an earlier version has made.
    progress : callable, optional
        Called with how many groups of captures are done, and how many there are.

    Returns
    -------
    Compaction

    Raises
    ------
    UnreadableError
        When there is no dataset, or a later version made it.
    OutputError
        When it cannot be written, or a batch is writing to it.
    """
    folder = Path(dataset).absolute()
    if rows < 1:
        raise UsageError(f"rows is at least 1, not {rows}")
    if not (folder / MANIFEST).is_dir():
        raise UnreadableError(f"{dataset}: no dataset: it has no manifest; make one with tcpflows batch", "no_dataset")
    store = Store(folder)
    with store.locked():
        known = [row for row in store.rows() if row.rows and (not row.runs or row.schema_version < SCHEMA_VERSION)]
        refuse_later(dataset, known)
        for version in {row.schema_version for row in known}:
            way_from(version)
        return _carry_out(store, known, rows, before_ns, migrate_only, progress or (lambda _done, _all: None))


def _carry_out(  # noqa: PLR0913, PLR0917 - what `compact` was asked for
    store: Store,
    known: list[Row],
    most: int,
    before_ns: int | None,
    migrate_only: bool,
    progress: Callable[[int, int], object],
) -> Compaction:
    parts = _count(store)
    ended = _last_times(store, known)
    old = [row for row in known if before_ns is not None and (ended.get(row.name) or before_ns) < before_ns]
    for row in old:
        store.point(replace(row, rows={}, joined="", joined_of=0))  # it stays known as done
    gone = {row.name for row in old}
    kept = [row for row in known if row.name not in gone]
    groups = [group for group in _groups(kept, ended, most) if not group.done and (group.older or not migrate_only)]
    for number, group in enumerate(groups):
        progress(number, len(groups))
        _join(store, group)
    progress(len(groups), len(groups))
    _sweep(store)
    migrated = sum(row.schema_version < SCHEMA_VERSION for row in kept)
    written = sum(len(group.rows[0].rows) for group in groups)
    return Compaction(len(kept), len(old), migrated, written, parts, _count(store))


def _count(store: Store) -> int:
    return sum(len(store.names(table)) for table in DATASET_TABLES)


def _last_times(store: Store, rows: list[Row]) -> dict[str, int | None]:
    """When each capture ends, by the names of captures in the dataset."""
    import pyarrow as pa

    by_part = defaultdict(list)
    for row in rows:
        by_part[row.parts("captures")[0]].append(row)
    ended: dict[str, int | None] = {}
    for part, held in by_part.items():
        table = opened_part(store.path("captures", part)).read(["path", "set", "last_time"])
        times: dict[str, list[int]] = defaultdict(list)
        for name, time in zip(
            captures_in("captures", table).to_pylist(), table["last_time"].cast(pa.int64()).to_pylist(), strict=True
        ):
            times[name if held[0].joined_of > 1 else held[0].capture] += [] if time is None else [time]
        ended |= {row.name: max(times[row.capture], default=None) for row in held}
    return ended


def _groups(rows: list[Row], ended: dict[str, int | None], most: int) -> Iterator[_Group]:
    """The captures of a day and of the same tables, in runs that fit into a part."""
    days = defaultdict(list)
    for row in rows:
        last = ended.get(row.name)
        alone = "" if _is_text(row.capture) else row.name  # how it is written in the tables is not unique
        days[-1 if last is None else last // DAY, tuple(sorted(row.rows)), alone].append(row)
    for _, held in sorted(days.items()):
        run: list[Row] = []
        size = 0
        for row in sorted(held, key=lambda row: row.capture):
            more = sum(row.rows.values())
            if run and (size + more > most or len(run) == CAPTURES):
                yield _Group(run)
                run, size = [], 0
            run.append(row)
            size += more
        yield _Group(run)


def _is_text(capture: str) -> bool:
    try:
        capture.encode()
    except UnicodeEncodeError:
        return False
    return True


def _join(store: Store, group: _Group) -> None:
    """Write the parts of a group, then have the manifest tell of them, then remove what they replace."""
    name, tables = group.name, sorted(group.rows[0].rows)
    for table in tables:
        store.put(table, name, joined_rows(store, table, group.rows), indexed=True)
    store.synchronise(tables)
    for row in group.rows:
        settings: dict[str, Any] = row.settings | {"schema_version": SCHEMA_VERSION}
        whole: dict[str, Any] = {"runs": 0, "pieces": [], "tail": []}  # another version cannot go on with a set
        store.point(replace(row, settings=settings, joined=name, joined_of=len(group.rows), **whole))
    store.synchronise([MANIFEST])
    for row in group.rows:
        store.forget_runs(row.name)
        for table in () if row.joined else row.rows:
            _remove(store.path(table, row.name))


def _remove(path: Path) -> None:
    with failures_named(str(path)):
        path.unlink(missing_ok=True)


def _sweep(store: Store) -> None:
    """Remove parts that the manifest tells of no more: of captures that were joined or removed, and joined ones."""
    rows = {row.name: row for row in store.rows()}
    told = {row.part for row in rows.values() if row.rows}
    for table in DATASET_TABLES:
        for part in store.names(table) - told:
            if part.startswith(JOINED) or part in rows:
                _remove(store.path(table, part))
