"""SQL over a dataset: DuckDB, in memory, that sees the finished parts as tables and nothing else.

Knows how to keep DuckDB to itself.  Does not know what is asked, or how the answer is written.
"""

from __future__ import annotations

import contextlib
import importlib
import shutil
import tempfile
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING, Any

from tcptrace_py.dataset.finished import read_at_once
from tcptrace_py.errors import UnreadableError, UsageError
from tcptrace_py.tables.answers import tidied

if TYPE_CHECKING:
    import os
    from collections.abc import Iterator, Mapping

    import pyarrow as pa

    from tcptrace_py.dataset.finished import Finished

SETTINGS = {
    "autoinstall_known_extensions": "false",
    "autoload_known_extensions": "false",
    "python_enable_replacements": "false",
}
"""From the start: nothing is loaded from anywhere, and the caller's variables are no tables."""

MACROS = (
    """CREATE MACRO prefix(ip, addr) AS CASE
        WHEN instr(ip, ':') = 0 THEN regexp_replace(ip, '[.][0-9]+$', '.0/24')
        ELSE regexp_replace(regexp_replace(lower(concat_ws(':',
            coalesce(nullif(ltrim(hex(addr[1:2]), '0'), ''), '0'),
            coalesce(nullif(ltrim(hex(addr[3:4]), '0'), ''), '0'),
            coalesce(nullif(ltrim(hex(addr[5:6]), '0'), ''), '0'))), '(:0)+$', ''), '^0$', '') || '::/48'
        END""",
)
"""``prefix(client_ip, client_addr)``: the network of an address, /24 or /48."""


def query(folder: str | os.PathLike[str], sql: str, parameters: Mapping[str, Any] | None = None) -> pa.Table:
    """The answer to one SELECT over the tables of a dataset.

    Parameters
    ----------
    folder : path
        The dataset.
    sql : str
        One statement that reads; the tables are those of the dataset (`connections`, `states`, ...).
    parameters : mapping, optional
        Values for ``$name`` in the statement.

    Returns
    -------
    pyarrow.Table
        Times as ``timestamp[ns, UTC]``, exact.

    Raises
    ------
    UsageError
        When DuckDB is not installed, or the statement makes no sense or would do more than read.
    UnreadableError
        When there is no such dataset, or a part of it is damaged.
    """
    duckdb = _duckdb()

    def read(now: Finished) -> pa.Table:
        try:
            with _database(duckdb, now) as database:
                return _answer(duckdb, database, sql, parameters or {})
        except duckdb.Error as error:  # also from the views: a part that comes first is looked into when they are made
            if isinstance(error, (duckdb.IOException, duckdb.InvalidInputException)) and str(now.folder) in str(error):
                raise UnreadableError(_in_a_line(error), "bad_part") from None
            raise UsageError(f"query: {_in_a_line(error)}") from None

    return read_at_once(folder, read)


def _duckdb() -> Any:
    try:
        return importlib.import_module("duckdb")  # so, because few have it
    except ModuleNotFoundError:
        raise UsageError("query needs DuckDB: pip install 'tcptrace_py[query]'") from None


@contextlib.contextmanager
def _database(duckdb: Any, now: Finished) -> Iterator[Any]:
    """A database in memory with the tables as views, which can be given no other file."""
    try:
        spill = tempfile.mkdtemp(prefix="tcpflows-")
    except OSError:  # nothing can be written here: all has to fit into memory
        spill = ""
    try:
        with duckdb.connect(config={**SETTINGS, "temp_directory": spill}) as database:
            database.execute("SET TimeZone = 'UTC'")
            for table in now.tables:
                _show(database, now, table)
            for macro in MACROS:
                database.execute(macro)
            database.execute(
                "SET allowed_directories = $folders", {"folders": [f"{now.folder / t}/" for t in now.tables]}
            )
            database.execute("SET enable_external_access = false")
            database.execute("SET lock_configuration = true")
            yield database
    finally:
        if spill:
            shutil.rmtree(spill, ignore_errors=True)


def _show(database: Any, now: Finished, table: str) -> None:
    """Make a view of the parts of a table."""
    whole, some = now.parts(table)
    key = 'coalesce("set", path)' if table == "captures" else "capture"
    views = []
    for number, path in enumerate(some):  # parts that hold rows which are valid no more
        name = f"{table} {number}"
        database.execute(f'SET VARIABLE "path of {name}" = $path', {"path": path})
        database.execute(f'SET VARIABLE "captures of {name}" = $captures', {"captures": some[path]})
        valid = f"{key} IN (SELECT unnest(getvariable('captures of {name}')))"
        views.append(f"FROM read_parquet(getvariable('path of {name}')) WHERE {valid}")
    if whole:
        database.execute(f'SET VARIABLE "parts of {table}" = $paths', {"paths": whole})
        views.append(f"FROM read_parquet(getvariable('parts of {table}'))")
    database.execute(f"CREATE VIEW {table} AS {' UNION ALL '.join(views)}")


def _answer(duckdb: Any, database: Any, sql: str, parameters: Mapping[str, Any]) -> pa.Table:
    statements = database.extract_statements(sql)
    if [each.type for each in statements] != [duckdb.StatementType.SELECT]:
        raise UsageError("query: one statement that reads, as in SELECT ... FROM connections")
    return tidied(_carried_out(database, sql, parameters))


def _carried_out(database: Any, sql: str, parameters: Mapping[str, Any]) -> pa.Table:
    """The answer, in a thread of its own: a signal reaches us at once, and is not lost in DuckDB."""
    with ThreadPoolExecutor(1) as thread:
        answer = thread.submit(lambda: database.sql(sql, params=dict(parameters)).to_arrow_table())
        try:
            return answer.result()
        except (KeyboardInterrupt, SystemExit):
            database.interrupt()
            raise


def _in_a_line(error: Exception) -> str:
    """What DuckDB says, without the picture of where."""
    rows = [row.strip() for row in str(error).partition("\nLINE ")[0].splitlines() if row.strip()]
    hint = [row for row in rows[1:] if row.startswith(("Did you mean", "Candidate bindings"))]
    return "; ".join([rows[0], *hint[:1]])
