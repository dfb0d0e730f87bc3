"""Columns of any Arrow type, as they come out of a database, made into those that our writers and readers know.

Knows Arrow types.  Does not know what was asked.
"""

from __future__ import annotations

import json
from collections import Counter
from typing import TYPE_CHECKING, Any

import pyarrow as pa
import pyarrow.types as kinds

from tcptrace_py.tables.rows import text_array

if TYPE_CHECKING:
    from collections.abc import Callable

INSTANT = pa.timestamp("ns", "UTC")


def tidied(table: pa.Table) -> pa.Table:
    """Times in nanoseconds (UTC), whole sums as int64, spans in words, and every column under a name of its own."""
    columns = [_tidied(column) for column in table.columns]
    return pa.Table.from_arrays(columns, names=_names(table.column_names))


def _names(names: list[str]) -> list[str]:
    """The second ``capture`` becomes ``capture_2``."""
    seen: Counter[str] = Counter()
    made: list[str] = []
    for name in names:
        seen[name] += 1
        fresh = name
        while fresh in made or (fresh != name and fresh in names):
            seen[name] += fresh != name
            fresh = f"{name}_{seen[name]}"
        made.append(fresh)
    return made


def _tidied(column: pa.ChunkedArray) -> pa.ChunkedArray | pa.Array:
    kind = column.type
    wanted = None
    if kinds.is_interval(kind):  # Parquet has none
        return _spelled(column)
    if kinds.is_timestamp(kind):
        wanted = INSTANT
    elif kinds.is_decimal(kind) and kind.scale == 0:
        wanted = pa.int64()
    try:
        return column.cast(wanted) if wanted else column
    except pa.ArrowInvalid:  # beyond the year 2262, or 2**63: as it is
        return column


def in_text(table: pa.Table) -> pa.Table:
    """The same with what a line of text has no form for spelled out: dates, octets, structures."""
    columns = [column if _has_form(column.type) else _spelled(column) for column in table.columns]
    return pa.Table.from_arrays(columns, names=table.column_names)


def _has_form(kind: pa.DataType) -> bool:
    if kinds.is_list(kind):
        return _has_form(kind.value_type) and not kinds.is_list(kind.value_type)
    simple: tuple[Callable[[Any], bool], ...] = (kinds.is_boolean, kinds.is_integer, kinds.is_floating, kinds.is_string)
    labels = kinds.is_dictionary(kind) and kinds.is_string(kind.value_type)
    return bool(kind == INSTANT or kinds.is_decimal(kind) or labels or any(test(kind) for test in simple))


def _spelled(column: pa.ChunkedArray) -> pa.Array:
    missing = pa.array([value is None for value in column.to_pylist()])
    texts = text_array(["" if value is None else _spell(value) for value in column.to_pylist()])
    return pa.compute.if_else(missing, pa.nulls(len(texts), pa.string()), texts)


def _spell(value: Any) -> str:
    if isinstance(value, bytes):
        return value.hex()
    if isinstance(value, pa.MonthDayNano):
        parts = zip(value, ("months", "days", "ns"), strict=True)
        return " ".join(f"{number} {unit}" for number, unit in parts if number) or "0 ns"
    return json.dumps(value, default=_spell) if isinstance(value, dict | list) else str(value)
