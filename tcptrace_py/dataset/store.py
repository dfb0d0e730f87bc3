"""The dataset on disk: a folder a table with a part a capture, and the manifest.  One batch at a time writes to it.

Every file is whole: written under a hidden name, synchronised, renamed.  A capture's row in the manifest goes before
any of its parts is replaced and comes back after the last one, so it never tells of parts that are not there.
"""

from __future__ import annotations

import contextlib
import fcntl
import glob
import os
from dataclasses import dataclass
from typing import TYPE_CHECKING

from tcptrace_py.dataset.manifest import RUN, Row, row_of, run_part
from tcptrace_py.errors import OutputError
from tcptrace_py.tables.of_datasets import DATASET_TABLES, dataset_schema
from tcptrace_py.tables.output import failures_named, whole_file
from tcptrace_py.tables.write import write_table

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator
    from pathlib import Path

    import pyarrow as pa

MANIFEST = "manifest"
CHECKPOINTS = "checkpoints"
LOCK = ".lock"
TEMPORARY = ".tcpflows-*.tmp"
SUFFIX = {MANIFEST: ".json", CHECKPOINTS: ""}


def checkpoint(name: str, run: int) -> str:
    """The file with the connections that were open after a run."""
    return f"{run_part(name, run)}.state"


def checkpoint_begun(name: str, run: int) -> str:
    """The file with how the connections were begun that had ended by then; each run leaves one."""
    return f"{run_part(name, run)}.begun"


def checkpoint_rows(name: str, run: int) -> str:
    """The file with their rows of the timeline, as they are without what later evidence may still say."""
    return f"{run_part(name, run)}.rows"


@dataclass(frozen=True, slots=True)
class Store:
    """The dataset in `folder`."""

    folder: Path

    def make(self, tables: Iterable[str], *, goes_on: bool = False) -> None:
        """Make the folders."""
        with failures_named(str(self.folder)):
            for name in (*tables, MANIFEST, *([CHECKPOINTS] if goes_on else [])):
                (self.folder / name).mkdir(parents=True, exist_ok=True)

    @contextlib.contextmanager
    def locked(self) -> Iterator[None]:
        """Alone with the dataset; the system lets go of it when this process ends, however it ends."""
        with failures_named(str(self.folder)):
            self.folder.mkdir(parents=True, exist_ok=True)
            file = (self.folder / LOCK).open("a+")
        with file:
            try:
                fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                file.seek(0)
                who = file.read().strip() or "unknown"
                raise OutputError(
                    f"{self.folder}: another batch or compaction is writing to it (process {who})"
                ) from None
            with contextlib.suppress(OSError):  # a full disk does not matter here
                file.truncate(0)
                file.write(str(os.getpid()))
                file.flush()
            self.sweep()
            try:
                yield
            finally:
                self.sweep()

    def sweep(self) -> None:
        """Remove what an earlier batch was writing when it was stopped."""
        for place in (*DATASET_TABLES, MANIFEST, CHECKPOINTS):
            for temporary in (self.folder / place).glob(TEMPORARY):
                temporary.unlink(missing_ok=True)

    def path(self, place: str, name: str) -> Path:
        """A file of the dataset: the part of a table, or a row of the manifest."""
        return self.folder / place / (name + SUFFIX.get(place, ".parquet"))

    def names(self, place: str) -> set[str]:
        """What a table or the manifest has files for."""
        suffix = SUFFIX.get(place, ".parquet")
        try:
            found = os.listdir(self.folder / place)  # noqa: PTH208 - names are all that is wanted
        except FileNotFoundError:
            return set()
        return {name.removesuffix(suffix) for name in found if name.endswith(suffix) and not name.startswith(".")}

    def rows(self) -> Iterator[Row]:
        """The manifest, in the order of names."""
        for name in sorted(self.names(MANIFEST)):
            row = self.row(name)
            if row is not None:
                yield row

    def row(self, name: str) -> Row | None:
        """The row of the manifest with that name, if there is one that makes sense."""
        try:
            return row_of(self.path(MANIFEST, name).read_bytes())
        except OSError:
            return None

    def has(self, row: Row) -> bool:
        """Whether all parts that a row tells of are there."""
        return all(self.path(table, part).exists() for table in row.rows for part in row.parts(table))

    def can_go_on(self, row: Row) -> bool:
        """Whether all parts of a set that goes on are there, and what it takes to go on."""
        return self.has(row) and self.path(CHECKPOINTS, checkpoint(row.name, row.runs)).exists()

    def told(self, table: str, rows: Iterable[Row]) -> set[str]:
        """The parts of a table that these rows tell of."""
        return {part for row in rows if table in row.rows for part in row.parts(table)}

    def begin(self, name: str, keep: Iterable[str]) -> None:
        """Forget the row of a capture, and its parts of tables that are not wanted any more."""
        with failures_named(str(self.folder)):
            self.path(MANIFEST, name).unlink(missing_ok=True)
            for table in DATASET_TABLES.keys() - set(keep):
                self.path(table, name).unlink(missing_ok=True)
            self.forget_runs(name)

    def forget_runs(self, name: str, told: Row | None = None) -> None:
        """Remove what the runs of a set that goes on have left: all, or what its row does not tell of."""
        for place in (*DATASET_TABLES, CHECKPOINTS):
            keep = set() if told is None else self.told(place, [told])
            if told is not None and place == CHECKPOINTS:
                keep = {checkpoint(name, told.runs), checkpoint_rows(name, told.runs)}
                keep |= {checkpoint_begun(name, run) for run in range(1, told.runs + 1)}
            for left in (self.folder / place).glob(f"{glob.escape(name)}{RUN}*"):
                if left.name.removesuffix(SUFFIX.get(place, ".parquet")) not in keep:
                    left.unlink(missing_ok=True)

    def put(self, table: str, name: str, batches: Iterable[pa.RecordBatch], *, indexed: bool = False) -> int:
        """Write a part; the number of its rows.  `indexed`: with statistics, by which readers pass over row groups."""
        return write_table("parquet", self.path(table, name), table, dataset_schema(table), batches, indexed=indexed)

    def finish(self, row: Row) -> None:
        """Write the row that says that all parts are there."""
        self.synchronise(row.rows)
        self.point(row)

    def synchronise(self, tables: Iterable[str]) -> None:
        """Have the names of new parts on disk."""
        for table in tables:
            _synchronise(self.folder / table)

    def point(self, row: Row) -> None:
        """Write a row of the manifest in the place of the one that is there."""
        with whole_file(self.path(MANIFEST, row.name)) as file:
            file.write(row.as_bytes())

    def remove(self, name: str) -> None:
        """Remove a capture from the dataset."""
        self.begin(name, ())


def _synchronise(folder: Path) -> None:
    """Have the names in a folder on disk."""
    with failures_named(str(folder)):
        handle = os.open(folder, os.O_RDONLY)
        try:
            os.fsync(handle)
        finally:
            os.close(handle)
