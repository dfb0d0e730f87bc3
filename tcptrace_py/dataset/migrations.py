"""What has changed in the columns from one version to the next, declared; rows of an earlier one brought up to date.

Knows Arrow columns.  Does not know where rows come from, or what they mean.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from tcptrace_py.errors import UnsupportedError
from tcptrace_py.tables.of_datasets import dataset_schema
from tcptrace_py.tables.schema import SCHEMA_VERSION

if TYPE_CHECKING:
    import pyarrow as pa


@dataclass(frozen=True, slots=True)
class Migration:
    """What a version has changed since `version`, table by table.

    `renamed` maps an old name to the new one; `added` a new name to the value that rows of the old version get (None
    where they cannot know).  Columns that are not declared any more are dropped, and types follow the declaration.
    """

    version: int
    tells: str
    renamed: dict[str, dict[str, str]] = field(default_factory=dict)
    added: dict[str, dict[str, Any]] = field(default_factory=dict)


MIGRATIONS: tuple[Migration, ...] = ()
"""One for each version before the present one, in order.  Version 1 is the first."""


def brought_up(table: str, batch: pa.RecordBatch, version: int) -> pa.RecordBatch:
    """Rows of an earlier version as rows of the present one.

    Raises
    ------
    UnsupportedError
        When nothing says how: then the captures have to be read again.
    """
    import pyarrow as pa

    columns: dict[str, Any] = dict(zip(batch.schema.names, batch.columns, strict=True))
    for each in way_from(version):
        renamed = each.renamed.get(table, {})
        columns = {renamed.get(name, name): column for name, column in columns.items()}
        for name, value in each.added.get(table, {}).items():
            columns[name] = pa.nulls(len(batch)) if value is None else pa.array([value] * len(batch))
    schema = dataset_schema(table)
    return pa.RecordBatch.from_arrays([columns[field.name].cast(field.type) for field in schema], schema=schema)


def way_from(version: int) -> list[Migration]:
    """The migrations that lead from a version to the present one."""
    way = [each for each in MIGRATIONS if version <= each.version < SCHEMA_VERSION]
    if [each.version for each in way] != list(range(version, SCHEMA_VERSION)):
        raise UnsupportedError(
            f"nothing leads from schema {version} to {SCHEMA_VERSION}: run tcpflows batch again", "older_dataset"
        )
    return way
