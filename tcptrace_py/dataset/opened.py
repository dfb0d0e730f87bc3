"""open_dataset(): the tables of a dataset as DataFrames and Arrow, read when they are asked for."""

from __future__ import annotations

import html
import os
from collections import Counter
from typing import TYPE_CHECKING, Any, TypeAlias

from tcptrace_py.dataset.finished import finished, read_at_once
from tcptrace_py.dataset.questions import question
from tcptrace_py.errors import ChangedError, UnreadableError, UsageError
from tcptrace_py.tables.of_datasets import DATASET_TABLES, dataset_schema
from tcptrace_py.tables.safe_text import safe_text

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    import pandas as pd
    import pyarrow as pa
    from pyarrow.dataset import Expression

    from tcptrace_py.dataset.finished import Finished

    Where: TypeAlias = Expression | list[tuple[str, str, Any]] | list[list[tuple[str, str, Any]]]


def open_dataset(path: str | os.PathLike[str]) -> Dataset:
    """Open a dataset that `batch` has made; nothing is read but its manifest.

    Parameters
    ----------
    path : path
        The folder.

    Returns
    -------
    Dataset

    Raises
    ------
    UnreadableError
        When there is no dataset, nothing of it is finished, or another version made it.

    Examples
    --------
    >>> import tcptrace_py as tt
    >>> dataset = tt.open_dataset("dataset")  # doctest: +SKIP
    >>> dataset.arrow("connections", ["server_ip"], [("teardown", "=", "refused")])  # doctest: +SKIP
    """
    return Dataset(path)


class Dataset:
    """What many captures hold: the tables of a dataset.

    Only what is finished is read, and each call reads one state of the dataset; a batch may write to it meanwhile.
    Nothing is kept: a DataFrame that is used twice is worth a name.

    Attributes
    ----------
    path : str
        The folder.
    tables : list of str
        The tables that there are.
    captures, connections, timeline, states, events, features : pandas.DataFrame
        The tables, whole, with the types of `Trace`'s; rows in the order of captures' names in the dataset.
    """

    def __init__(self, path: str | os.PathLike[str]) -> None:
        self.path = os.fspath(path)
        finished(path)

    @property
    def tables(self) -> list[str]:
        """The tables that there are."""
        return finished(self.path).tables

    @property
    def captures(self) -> pd.DataFrame:
        """The `captures` table: a row a capture."""
        return self.frame("captures")

    @property
    def connections(self) -> pd.DataFrame:
        """The `connections` table: a row a connection; `conn_id` counts within a `capture`."""
        return self.frame("connections")

    @property
    def timeline(self) -> pd.DataFrame:
        """The `timeline` table: a row a segment.  It is large: `arrow` and `batches` read parts of it."""
        return self.frame("timeline")

    @property
    def states(self) -> pd.DataFrame:
        """The `states` table: a row for every endpoint in every state."""
        return self.frame("states")

    @property
    def events(self) -> pd.DataFrame:
        """The `events` table: a row a finding."""
        return self.frame("events")

    @property
    def features(self) -> pd.DataFrame:
        """The `features` table: CICFlowMeter's columns, a row a connection."""
        return self.frame("features")

    def frame(self, table: str, columns: Sequence[str] | None = None, where: Where | None = None) -> pd.DataFrame:
        """Columns and rows of a table as a DataFrame; parameters as for `arrow`."""
        from tcptrace_py.tables.dataframe import dataframe

        return dataframe(self.arrow(table, columns, where))

    def arrow(self, table: str, columns: Sequence[str] | None = None, where: Where | None = None) -> pa.Table:
        """Columns and rows of a table; nothing else is read of it.

        Parameters
        ----------
        table : str
            Its name.
        columns : sequence of str, optional
            These alone, in this order; default all.
        where : pyarrow.dataset.Expression or list of tuples, optional
            Rows that meet it: ``pc.field("syn_rtt_ns") > 10**8``, or ``[("server_port", "=", 443)]`` as for
            `pandas.read_parquet`.

        Returns
        -------
        pyarrow.Table
            Times as ``timestamp[ns, UTC]``, labels as dictionaries.

        Raises
        ------
        UsageError
            When the dataset has no such table, or the table no such column.
        """
        import pyarrow as pa

        schema = _schema(table, columns)

        def read(now: Finished) -> pa.Table:
            batches = list(_batches(now, table, schema.names, where))
            return pa.Table.from_batches(batches, schema).unify_dictionaries()

        return read_at_once(self.path, read)

    def batches(
        self, table: str, columns: Sequence[str] | None = None, where: Where | None = None
    ) -> Iterator[pa.RecordBatch]:
        """The same a record batch at a time, in bounded memory.

        Raises
        ------
        ChangedError
            When parts were replaced meanwhile; what was given until then is of an earlier state.
        """
        schema, now = _schema(table, columns), finished(self.path)
        try:
            yield from _batches(now, table, schema.names, where)
        except OSError:
            if now.still_stands():
                raise
        if not now.still_stands():
            raise ChangedError(f"{self.path}: changed while it was read; begin again", "changed")

    def query(self, sql: str, **parameters: Any) -> pd.DataFrame:
        """The answer to one SELECT; ``$name`` in it stands for a parameter.  Needs DuckDB (extra ``query``)."""
        from tcptrace_py.dataset.query import query
        from tcptrace_py.tables.dataframe import dataframe

        return dataframe(query(self.path, sql, parameters))

    def ask(self, name: str, **settings: float) -> pd.DataFrame:
        """The answer to a question that is known by name, as ``tcpflows query --ask`` gives it."""
        known = question(name)
        return self.query(known.sql, **known.values(settings))

    def __len__(self) -> int:
        return len(finished(self.path).rows)

    def __repr__(self) -> str:
        return f"<Dataset {self.path}: {self._told()[0]}>"

    def _repr_html_(self) -> str:
        lines = [f"<b>{html.escape(safe_text(self.path))}</b>", *map(html.escape, self._told())]
        return "<pre>" + "\n".join(lines) + "</pre>"

    def _told(self) -> list[str]:
        """What there is, in a few lines."""
        now = finished(self.path)
        statuses = Counter(row.status for row in now.rows)
        wrong = [f"{number:,} {status}" for status, number in sorted(statuses.items()) if status != "ok"]
        rows = Counter[str]()
        for row in now.rows:
            rows.update(row.rows)
        captures = f"{len(now.rows):,} captures" + (f" ({', '.join(wrong)})" if wrong else "")
        return [captures, *(f"{rows[table]:>14,}  {table}" for table in now.tables)]


def _schema(table: str, columns: Sequence[str] | None) -> pa.Schema:
    if table not in DATASET_TABLES:
        raise UsageError(f"there is no table {table!r}; there are {', '.join(DATASET_TABLES)}")
    unknown = [name for name in columns or () if name not in dataset_schema(table).names]
    if unknown:
        raise UsageError(f"{table} has no column {', '.join(map(repr, unknown))}")
    return dataset_schema(table, columns or ())


def _batches(now: Finished, table: str, columns: list[str], where: Where | None) -> Iterator[pa.RecordBatch]:
    import pyarrow as pa
    import pyarrow.compute as pc
    import pyarrow.dataset
    from pyarrow.parquet import filters_to_expression

    if table not in now.tables:
        made = " with --timeline" if table == "timeline" else f" with --tables {table}"
        raise UsageError(f"{now.folder}: there is no {table} in this dataset; make it{made}")
    asked = filters_to_expression(where) if isinstance(where, list) else where
    whole, some = now.parts(table)
    field = pyarrow.dataset.field
    key = pc.coalesce(field("set"), field("path")) if table == "captures" else field("capture")
    chosen = [(whole, asked)] if whole else []
    chosen += [([p], key.isin(c) if asked is None else key.isin(c) & asked) for p, c in some.items()]
    try:
        for paths, condition in chosen:
            parts = pyarrow.dataset.dataset(paths, schema=dataset_schema(table), format="parquet")
            yield from parts.to_batches(columns=columns, filter=condition)
    except pa.ArrowInvalid as error:
        raise UnreadableError(str(error).splitlines()[0], "bad_part") from None
