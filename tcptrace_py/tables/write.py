"""Writers: record batches of a table become csv, ndjson, json, parquet or arrow.

Knows formats.  Does not know what a column means, nor where a batch came from.  Never imports pandas.
"""

from __future__ import annotations

import contextlib
from typing import TYPE_CHECKING, Protocol

import pyarrow as pa
import pyarrow.compute as pc

from tcptrace_py.tables.output import Sink, failures_named, standard_output, whole_file
from tcptrace_py.tables.rows import CsvRows, JsonRows, lines
from tcptrace_py.tables.schema import SCHEMA_VERSION

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator
    from pathlib import Path

    Put = Callable[[str, pa.RecordBatch], None]

FORMATS = ("csv", "json", "ndjson", "parquet", "arrow")
ROW_GROUP = 131_072  # rows: readers skip and share out by row group, and a tiny one costs more than it holds


class Writer(Protocol):
    """Tables on their way into one file."""

    def put(self, table: str, batch: pa.RecordBatch) -> None:
        """Take the next rows of a table."""

    def close(self) -> None:
        """Write what is still held, and the file's end."""


class LineWriter:
    """CSV under a line of names, or JSON with an object a line."""

    def __init__(self, sink: Sink, rows: CsvRows | JsonRows) -> None:
        self.sink, self.rows = sink, rows
        if isinstance(rows, CsvRows):
            sink.write(rows.header())

    def put(self, _table: str, batch: pa.RecordBatch) -> None:
        """Write the next rows."""
        for text in lines(batch, self.rows):
            self.sink.write(text)

    def close(self) -> None:
        """Nothing is held."""


class JsonDocument:
    """One JSON object: the schema version, and a list of rows under the name of each table, an object a line.

    The first table is written as it comes.  What comes of the others meanwhile is held: they are the small ones.
    """

    def __init__(self, sink: Sink, schemas: dict[str, pa.Schema]) -> None:
        self.sink, self.schemas = sink, schemas
        self.held: dict[str, list[pa.RecordBatch]] = {table: [] for table in schemas}
        self.before = b""
        self.first = next(iter(schemas))
        sink.write(f'{{"schema_version": {SCHEMA_VERSION}'.encode())
        self._open(self.first)

    def _open(self, table: str) -> None:
        self.sink.write(f',\n"{table}": ['.encode())
        self.before = b"\n"

    def put(self, table: str, batch: pa.RecordBatch) -> None:
        """Write the next rows, or hold them until their list begins."""
        if table == self.first:
            self._write(table, batch)
        else:
            self.held[table].append(batch)

    def _write(self, table: str, batch: pa.RecordBatch) -> None:
        for text in lines(batch, JsonRows(self.schemas[table])):  # a line break is nowhere but behind a row
            self.sink.write(self.before + bytes(text).removesuffix(b"\n").replace(b"}\n{", b"},\n{"))
            self.before = b",\n"

    def close(self) -> None:
        """Write the lists of the other tables, and the end."""
        for table, batches in self.held.items():
            if table != self.first:
                self.sink.write(b"]")
                self._open(table)
            for batch in batches:
                self._write(table, batch)
        self.sink.write(b"]}\n")


class ParquetWriter:
    """Parquet in row groups of `ROW_GROUP`: zstd, dictionaries for the label columns only."""

    def __init__(self, sink: Sink, schema: pa.Schema, *, indexed: bool = False) -> None:
        from pyarrow.parquet import ParquetWriter as Parquet

        labels = [field.name for field in schema if pa.types.is_dictionary(field.type)]
        how = {"compression": "zstd", "compression_level": 1, "use_dictionary": labels, "write_statistics": indexed}
        self.file = Parquet(sink, schema, **how)
        self.schema = schema
        self.held: list[pa.RecordBatch] = []
        self.rows = 0

    def put(self, _table: str, batch: pa.RecordBatch) -> None:
        """Hold the next rows until they fill a row group."""
        self.held.append(batch)
        self.rows += batch.num_rows
        if self.rows >= ROW_GROUP:
            self._write()

    def _write(self) -> None:
        table = pa.Table.from_batches(self.held, self.schema).unify_dictionaries()
        self.held, self.rows = [], 0
        self.file.write_table(table, ROW_GROUP)

    def close(self) -> None:
        """Write the last row group and the footer."""
        if self.rows:
            self._write()
        self.file.close()


class ArrowWriter:
    """An Arrow IPC file or stream.  A label column has one dictionary, which grows; what is new is sent as a delta."""

    def __init__(self, sink: Sink, schema: pa.Schema, *, stream: bool = False) -> None:
        options = pa.ipc.IpcWriteOptions(emit_dictionary_deltas=True)
        self.file = (pa.ipc.new_stream if stream else pa.ipc.new_file)(sink, schema, options=options)
        self.schema = schema
        self.known: dict[str, pa.Array] = {}

    def put(self, _table: str, batch: pa.RecordBatch) -> None:
        """Write the next rows."""
        columns = [self._grown(field, batch.column(field.name)) for field in self.schema]
        self.file.write_batch(pa.RecordBatch.from_arrays(columns, schema=self.schema))

    def _grown(self, field: pa.Field, column: pa.Array) -> pa.Array:
        """The column over the dictionary that its earlier batches used, new values added at its end."""
        if not pa.types.is_dictionary(field.type):
            return column
        values = column.dictionary
        known = self.known.setdefault(field.name, values)
        if values.equals(known):
            return column
        fresh = values.filter(pc.invert(pc.is_in(values, value_set=known)))
        known = self.known[field.name] = pa.concat_arrays([known, fresh])
        places = pc.index_in(values, value_set=known).cast(field.type.index_type)
        return pa.DictionaryArray.from_arrays(places.take(column.indices), known)

    def close(self) -> None:
        """Write the footer."""
        self.file.close()


@contextlib.contextmanager
def one_file(
    kind: str, path: Path | None, schemas: dict[str, pa.Schema], *, raw_csv: bool = False, indexed: bool = False
) -> Iterator[Writer]:
    """A writer into one file, or to standard output; only a JSON document holds more than one table.

    Parameters
    ----------
    kind : str
        One of `FORMATS`.
    path : Path or None
        The file, which appears when all is written; None is standard output (Arrow as a stream).
    schemas : dict
        What each table's batches look like.
    raw_csv : bool
        Leave formulas and control characters in CSV cells as they are.
    indexed : bool
        Parquet with statistics for every row group.
    """
    schema = next(iter(schemas.values()))
    with whole_file(path) if path else standard_output() as sink:
        writer: Writer
        if kind == "json":
            writer = JsonDocument(sink, schemas)
        elif kind == "parquet":
            writer = ParquetWriter(sink, schema, indexed=indexed)
        elif kind == "arrow":
            writer = ArrowWriter(sink, schema, stream=path is None)
        else:
            writer = LineWriter(sink, CsvRows(schema, raw=raw_csv) if kind == "csv" else JsonRows(schema))
        yield writer
        writer.close()


@contextlib.contextmanager
def file_per_table(kind: str, folder: Path, schemas: dict[str, pa.Schema], *, raw_csv: bool = False) -> Iterator[Put]:
    """One file a table in `folder`, named for it; each appears whole or not at all."""
    with failures_named(str(folder)):
        folder.mkdir(parents=True, exist_ok=True)
    with contextlib.ExitStack() as stack:
        writers = {
            table: stack.enter_context(one_file(kind, folder / f"{table}.{kind}", {table: schema}, raw_csv=raw_csv))
            for table, schema in schemas.items()
        }
        yield lambda table, batch: writers[table].put(table, batch)


def write_table(  # noqa: PLR0913 - where, what, how
    kind: str,
    path: Path | None,
    table: str,
    schema: pa.Schema,
    batches: Iterable[pa.RecordBatch],
    *,
    indexed: bool = False,
) -> int:
    """Write one table; the number of its rows."""
    rows = 0
    with one_file(kind, path, {table: schema}, indexed=indexed) as writer:
        for batch in batches:
            writer.put(table, batch)
            rows += batch.num_rows
    return rows
