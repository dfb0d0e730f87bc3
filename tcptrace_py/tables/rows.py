"""Arrow columns to lines of text: a row of CSV, an object of JSON.

Knows Arrow types and how each format spells a value.  Does not know tables, columns' meanings or files.
Works a column at a time inside Arrow; Python sees each *different* text once.  Python values are never handed to
Arrow for conversion (``pa.array([...])``, ``pa.scalar(...)``): that would import pandas, 0.3 s for nothing.
"""

from __future__ import annotations

import csv
import io
import json
from array import array
from itertools import accumulate
from typing import TYPE_CHECKING, Any

import pyarrow as pa
import pyarrow.compute as pc

from tcptrace_py.tables.safe_text import CONTROLS, safe_text

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

ROWS_AT_ONCE = 16_384  # rows of text made together: bounds memory, and keeps a string column below 2 GiB
FORMULA = ("=", "+", "-", "@", "\t", "\r")  # a spreadsheet takes a cell that begins so for a formula


def text_array(values: list[str]) -> pa.StringArray:
    """An Arrow column of these texts."""
    whole = "".join(values)
    if whole.isascii():  # as nearly all are: a character is an octet
        lengths, octets = map(len, values), whole.encode()
    else:
        encoded = list(map(_utf_8, values))
        lengths, octets = map(len, encoded), b"".join(encoded)
    ends = array("i", accumulate(lengths, initial=0))
    return pa.StringArray.from_buffers(len(values), pa.py_buffer(ends), pa.py_buffer(octets))


def _utf_8(text: str) -> bytes:
    r"""The text in UTF-8; a file name that is not text has its odd bytes written as ``\xff``."""
    try:
        return text.encode()
    except UnicodeEncodeError:
        return safe_text(text).encode()


def constant(text: str) -> pa.StringScalar:
    """One text as an Arrow scalar."""
    return text_array([text])[0]


def csv_cell(text: str, *, raw: bool = False) -> str:
    """A text as one CSV cell; safe for terminals and spreadsheets unless `raw`."""
    if not raw:
        text = ("'" if text.startswith(FORMULA) else "") + safe_text(text)
    line = io.StringIO()
    csv.writer(line, lineterminator="\r\n").writerow([text])  # both characters in it are quoted then
    return line.getvalue().removesuffix("\r\n") if text else text  # an empty cell alone in its row would be quoted


def json_text(text: str) -> str:
    """A text as a JSON string, without a character that acts on a terminal."""
    return CONTROLS.sub(lambda found: f"\\u{ord(found[0]):04x}", json.dumps(text, ensure_ascii=False))


def _map_text(column: pa.Array, spell: Callable[[str], str]) -> pa.Array:
    """A text or label column with each different value spelled anew."""
    if not pa.types.is_dictionary(column.type):
        column = column.dictionary_encode()
    return text_array([spell(value) for value in column.dictionary.to_pylist()]).take(column.indices)


def _instants(column: pa.Array) -> pa.Array:
    """Times as ISO 8601 in UTC, to the nanosecond."""
    return pc.utf8_replace_slice(column.cast(pa.string()), start=10, stop=11, replacement="T")


def _join_lists(column: pa.Array, separator: str, spell: Callable[[pa.Array], pa.Array], missing: str) -> pa.Array:
    """Each list as one text; `spell` turns all items at once into text, `missing` stands for a null item."""
    starts = column.offsets
    items = column.values.slice(starts[0].as_py(), starts[len(starts) - 1].as_py() - starts[0].as_py())
    spelled = pc.coalesce(spell(items), constant(missing))
    return pc.binary_join(pa.ListArray.from_arrays(pc.subtract(starts, starts[0]), spelled), constant(separator))


def _finite(column: pa.Array) -> pa.Array:
    """Floats as text, null for what JSON cannot say."""
    return pc.if_else(pc.is_finite(column), column.cast(pa.string()), pa.nulls(len(column), pa.string()))


def _is_text(kind: pa.DataType) -> bool:
    return bool(pa.types.is_dictionary(kind) or pa.types.is_string(kind))


class CsvRows:
    """Rows as CSV: lists joined by semicolons, null as nothing."""

    missing = ""

    def __init__(self, schema: pa.Schema, *, raw: bool = False) -> None:
        self.names = spoken(schema)
        self.raw = raw

    def header(self) -> bytes:
        """The line of names."""
        return (",".join(csv_cell(name, raw=self.raw) for name in self.names) + "\n").encode()

    def cells(self, column: pa.Array) -> pa.Array:
        """A column as text."""
        kind = column.type
        if pa.types.is_list(kind):
            joined = _join_lists(column, ";", lambda items: items.cast(pa.string()), "")
            return _map_text(joined, self._cell)
        if _is_text(kind):
            return _map_text(column, self._cell)
        return _instants(column) if pa.types.is_timestamp(kind) else column.cast(pa.string())

    def _cell(self, text: str) -> str:
        return csv_cell(text, raw=self.raw)

    def pieces(self, batch: pa.RecordBatch) -> Iterator[Any]:
        """The columns of a batch as text, and the constants between them."""
        for i, name in enumerate(self.names):
            if i:
                yield constant(",")
            yield self.cells(batch.column(name))
        yield constant("\n")


class JsonRows:
    """Rows as JSON objects, each on a line of its own: null is written, times are ISO 8601 texts."""

    missing = "null"

    def __init__(self, schema: pa.Schema) -> None:
        self.names = spoken(schema)

    def cells(self, column: pa.Array) -> pa.Array:
        """A column as text."""
        kind = column.type
        if pa.types.is_list(kind):
            return _join_lists(column, ",", self.cells, "null")
        if _is_text(kind):
            return _map_text(column, json_text)
        if pa.types.is_timestamp(kind):
            quote = constant('"')
            return pc.binary_join_element_wise(quote, _instants(column), quote, constant(""))
        return _finite(column) if pa.types.is_floating(kind) else column.cast(pa.string())

    def pieces(self, batch: pa.RecordBatch) -> Iterator[Any]:
        """The columns of a batch as text, and the constants between them."""
        before = "{"
        for name in self.names:
            column = batch.column(name)
            listed = pa.types.is_list(column.type)
            yield constant(f"{before}{json_text(name)}:" + "[" * listed)
            yield self.cells(column)
            before = "]," if listed else ","
        yield constant(before.removesuffix(",") + "}\n")


def spoken(schema: pa.Schema) -> list[str]:
    """The columns that text can carry: all but the binary ones."""
    return [field.name for field in schema if not pa.types.is_fixed_size_binary(field.type)]


def lines(batch: pa.RecordBatch, rows: CsvRows | JsonRows) -> Iterator[memoryview]:
    """The text of a batch, many rows at a time."""
    for start in range(0, batch.num_rows, ROWS_AT_ONCE):
        pieces = rows.pieces(batch.slice(start, ROWS_AT_ONCE))
        text = pc.binary_join_element_wise(
            *pieces, constant(""), null_handling="replace", null_replacement=rows.missing
        )
        _, ends, characters = text.buffers()
        yield memoryview(characters)[: memoryview(ends).cast("i")[len(text)]]
