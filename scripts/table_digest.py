"""A digest of every table of every capture, to compare two installations (compiled and not) or two ways of reading.

python scripts/table_digest.py CAPTURE...      a line each: sha256, table, capture

A capture that cannot be read has one line with the reason.  The name of the capture is not part of a digest.
"""

from __future__ import annotations

import hashlib
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pyarrow as pa

import tcptrace_py as tt
from tcptrace_py.errors import UnreadableError
from tcptrace_py.tables.schema import TABLES

if TYPE_CHECKING:
    from collections.abc import Iterator

NAMES = {"capture", "path"}  # columns that tell which file it was


def plain(column: pa.ChunkedArray) -> list[Any]:
    """The values of a column, times in int nanoseconds."""
    return list((column.cast(pa.int64()) if pa.types.is_timestamp(column.type) else column).to_pylist())


def digest(table: pa.Table) -> str:
    """What stands in a table, whatever its batches and dictionaries are."""
    seen = hashlib.sha256()
    for name in table.column_names:
        if name not in NAMES:
            seen.update(f"{name} {plain(table[name])!r}\n".encode())
    return seen.hexdigest()


def digests(source: Any, **options: Any) -> dict[str, str]:
    """Table -> digest; for an input that cannot be read, "unreadable" -> reason."""
    try:
        trace = tt.analyze(source, tables=["connections", "states", "events"], **options)
    except UnreadableError as error:
        return {"unreadable": error.reason}
    return {table: digest(trace.arrow(table)) for table in TABLES}


def report(paths: list[str]) -> Iterator[str]:
    """The lines for all captures, in the order in which they were named."""
    for path in paths:
        for table, value in digests(path).items():
            yield f"{value} {table} {Path(path).name}"


if __name__ == "__main__":
    if len(sys.argv) < 2:
        sys.exit(__doc__)
    for line in report(sys.argv[1:]):
        print(line, flush=True)
