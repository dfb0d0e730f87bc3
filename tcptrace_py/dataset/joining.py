"""Rows of several captures in one part: read from where they are, written in an order and form that depend on nothing.

Knows parts and rows.  Does not know which captures belong together, or when old parts may go.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from tcptrace_py.dataset.migrations import brought_up
from tcptrace_py.errors import UnreadableError
from tcptrace_py.tables.of_datasets import dataset_schema
from tcptrace_py.tables.schema import SCHEMA_VERSION
from tcptrace_py.tables.write import ROW_GROUP

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator
    from pathlib import Path

    from tcptrace_py.dataset.manifest import Row
    from tcptrace_py.dataset.store import Store

AT_ONCE = 16_384  # rows read together


def captures_in(table: str, batch: pa.RecordBatch | pa.Table) -> pa.Array:
    """What the rows of a table call their capture: of a set of rotated files, the set."""
    if table == "captures":
        return pc.coalesce(batch.column("set"), batch.column("path"))
    return batch.column("capture").cast(pa.string())


def joined_rows(store: Store, table: str, rows: list[Row]) -> Iterator[pa.RecordBatch]:
    """The rows that these captures have in a table, capture by capture, in batches of one row group."""
    return even(_rows(store, table, rows), dataset_schema(table))


def _rows(store: Store, table: str, rows: list[Row]) -> Iterator[pa.RecordBatch]:
    opened: dict[str, _Part] = {}
    for row in rows:
        for name in row.parts(table):
            if name not in opened:
                opened[name] = _Part(opened_part(store.path(table, name)), table)
            part = opened[name]
            for batch in part.of(row.capture) if row.joined_of > 1 else part.all():
                yield batch if row.schema_version == SCHEMA_VERSION else brought_up(table, batch, row.schema_version)
            if not row.joined:
                opened.pop(name).file.close()
    for part in opened.values():
        part.file.close()


def opened_part(path: Path) -> pq.ParquetFile:
    """A part; what is wrong with it in one line that names it."""
    try:
        return pq.ParquetFile(path)
    except (pa.ArrowException, OSError) as error:
        why = f"{path}: damaged ({str(error).splitlines()[0]}); remove it, and tcpflows batch makes it anew"
        raise UnreadableError(why, "bad_part") from None


class _Part:
    """A part whose captures are taken in the order in which they stand in it."""

    def __init__(self, file: pq.ParquetFile, table: str) -> None:
        self.file, self.table = file, table
        self._batches: Iterator[pa.RecordBatch] = file.iter_batches(AT_ONCE)
        self._ahead: pa.RecordBatch | None = None

    def all(self) -> Iterator[pa.RecordBatch]:
        """All rows: those of one capture."""
        return self._batches

    def of(self, capture: str) -> Iterator[pa.RecordBatch]:
        """The rows of a capture; rows of others before it, which nobody asked for, are passed over."""
        while (batch := self._ahead or next(self._batches, None)) is not None:
            self._ahead = None
            names = captures_in(self.table, batch)
            here = pc.equal(names, capture)
            if here.true_count:
                yield batch if here.true_count == len(here) else batch.filter(here)
            rest = batch.filter(pc.greater(names, capture))
            if rest.num_rows:
                self._ahead = rest
                return


def even(batches: Iterable[pa.RecordBatch], schema: pa.Schema) -> Iterator[pa.RecordBatch]:
    """The same rows in batches of `ROW_GROUP`, labels numbered as they come in each: whatever the batches were."""
    held: list[pa.RecordBatch] = []
    size = 0
    for batch in batches:
        held.append(batch)
        size += batch.num_rows
        while size >= ROW_GROUP:
            table = pa.Table.from_batches(held, schema)
            yield _renumbered(table.slice(0, ROW_GROUP), schema)
            held = table.slice(ROW_GROUP).to_batches()
            size -= ROW_GROUP
    if size:
        yield _renumbered(pa.Table.from_batches(held, schema), schema)


def _renumbered(table: pa.Table, schema: pa.Schema) -> pa.RecordBatch:
    columns = [
        column.cast(pa.string()).combine_chunks().dictionary_encode().cast(field.type)
        if pa.types.is_dictionary(field.type)
        else column.combine_chunks()
        for field, column in zip(schema, table.columns, strict=True)
    ]
    return pa.RecordBatch.from_arrays(columns, schema=schema)
