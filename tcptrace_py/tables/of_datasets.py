"""The tables that a dataset may have: the five, and `features`, which is the view `cic` of every capture."""

from __future__ import annotations

from typing import TYPE_CHECKING

from tcptrace_py.tables import views_cic
from tcptrace_py.tables.schema import TABLES, Column, schema_of

if TYPE_CHECKING:
    from collections.abc import Sequence

    import pyarrow as pa

DATASET_TABLES: dict[str, tuple[Column, ...]] = {**TABLES, "features": tuple(views_cic.COLUMNS)}


def dataset_schema(table: str, names: Sequence[str] = ()) -> pa.Schema:
    """The Arrow schema of a table, or of some of its columns, with the schema version in its metadata."""
    return schema_of(table, DATASET_TABLES[table], names)
