"""What may be read of a dataset: the parts that its manifest tells of as finished, all of one moment.

Knows the manifest.  Writes nothing, and does not know who reads the parts, or how.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from tcptrace_py.dataset.manifest import Row
from tcptrace_py.dataset.store import MANIFEST, SUFFIX, Store
from tcptrace_py.errors import ChangedError, UnreadableError, UnsupportedError
from tcptrace_py.tables.of_datasets import DATASET_TABLES
from tcptrace_py.tables.schema import SCHEMA_VERSION

if TYPE_CHECKING:
    import os
    from collections.abc import Callable, Iterable
    from typing import TypeVar

    T = TypeVar("T")

ATTEMPTS = 10  # a compaction replaces parts while they are read; that one does so ten times in a row is no accident


@dataclass(frozen=True, slots=True)
class Finished:
    """The finished captures of a dataset, and which state of the manifest says so."""

    folder: Path
    rows: tuple[Row, ...]
    stamps: dict[str, tuple[int, int]]  # of the manifest's files: which file, and when it changed

    @property
    def tables(self) -> list[str]:
        """The tables that there are parts of."""
        made = {table for row in self.rows for table in row.rows}
        return [table for table in DATASET_TABLES if table in made]

    def parts(self, table: str) -> tuple[list[str], dict[str, list[str]]]:
        """The files of a table: those that are read whole, and of others the captures that are still valid in them.

        A capture that was joined with others and has changed since left its old rows behind.
        """
        store, valid = Store(self.folder), dict[str, list[Row]]()
        for row in self.rows:
            if table in row.rows:
                for part in row.parts(table):
                    valid.setdefault(part, []).append(row)
        whole, some = list[str](), dict[str, list[str]]()
        for part, rows in valid.items():
            path = str(store.path(table, part))
            if rows[0].joined and len(rows) < rows[0].joined_of:
                some[path] = [row.capture for row in rows]
            else:
                whole.append(path)
        return whole, some

    def still_stands(self) -> bool:
        """Whether nothing of it has been replaced since; what is new does not matter."""
        return all(_stamp(self.folder, name) == stamp for name, stamp in self.stamps.items())


def finished(folder: str | os.PathLike[str]) -> Finished:
    """What is finished of the dataset in `folder`.

    Raises
    ------
    UnreadableError
        If it is no dataset, if nothing of it is finished, or if it was made by a version with other columns.
    """
    path = Path(folder).absolute()
    store, rows, stamps = Store(path), [], {}
    if not (path / MANIFEST).is_dir():
        why = "there is no such folder" if not path.exists() else "it has no manifest; make one with tcpflows batch"
        raise UnreadableError(f"{folder}: no dataset: {why}", "no_dataset")
    for name in sorted(store.names(MANIFEST)):
        stamp = _stamp(path, name)
        row = store.row(name)
        if row is not None and row.rows and stamp is not None:
            rows.append(row)
            stamps[name] = stamp
    if not rows:
        raise UnreadableError(f"{folder}: nothing is finished in this dataset yet", "empty_dataset")
    _check_versions(str(folder), rows)
    return Finished(path, tuple(rows), stamps)


def _stamp(folder: Path, name: str) -> tuple[int, int] | None:
    try:
        facts = (folder / MANIFEST / (name + SUFFIX[MANIFEST])).stat()
    except OSError:
        return None
    return facts.st_ino, facts.st_mtime_ns


def _check_versions(folder: str, rows: list[Row]) -> None:
    refuse_later(folder, rows)
    oldest = min(row.schema_version for row in rows)
    if oldest < SCHEMA_VERSION:
        raise UnsupportedError(
            f"{folder}: made by an earlier version (schema {oldest}, now {SCHEMA_VERSION}); "
            f"bring it up to date with tcpflows compact --migrate {folder}",
            "older_dataset",
        )


def refuse_later(folder: str | os.PathLike[str], rows: Iterable[Row]) -> None:
    """Leave alone what a later version has made."""
    latest = max((row.schema_version for row in rows), default=0)
    if latest > SCHEMA_VERSION:
        raise UnsupportedError(
            f"{folder}: made by a later version of tcptrace_py (schema {latest}, this one knows {SCHEMA_VERSION})",
            "later_dataset",
        )


def read_at_once(folder: str | os.PathLike[str], read: Callable[[Finished], T]) -> T:
    """What `read` makes of the finished parts, all of one moment: again where they were replaced meanwhile."""
    for _ in range(ATTEMPTS):
        now = finished(folder)
        try:
            result = read(now)
        except (OSError, UnreadableError):
            if now.still_stands():
                raise
            continue
        if now.still_stands():
            return result
    raise ChangedError(f"{folder}: changed while it was read, {ATTEMPTS} times; ask again", "changed")
