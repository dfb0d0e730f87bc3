"""In which form a result is written: as asked for, as the output's name says, or what suits the question."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING

from tcptrace_py.errors import UsageError

if TYPE_CHECKING:
    from pathlib import Path

SUFFIXES = {
    ".csv": "csv",
    ".json": "json",
    ".ndjson": "ndjson",
    ".jsonl": "ndjson",
    ".parquet": "parquet",
    ".arrow": "arrow",
    ".feather": "arrow",
}


def form_of(asked: str, output: Path | None, default: str) -> str:
    """The form; `default` is that of standard output."""
    if asked:
        form = asked
    elif output:
        form = SUFFIXES.get(output.suffix.lower(), "")
        if not form:
            raise UsageError(f"{output}: say with --format what to write")
    else:
        form = default
    if output is None and form == "parquet":
        raise UsageError("parquet needs a file: use -o FILE or -o FOLDER")
    if output is None and form == "arrow" and sys.stdout.isatty():
        raise UsageError("arrow is not for a terminal: use -o FILE or a pipe")
    if output and form == "table":
        raise UsageError("table is for reading; with -o choose csv, json, ndjson, parquet or arrow")
    return form
