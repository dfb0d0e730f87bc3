"""An Arrow table as a pandas DataFrame.

Whole numbers and truth values of a column that is declared nullable come in pandas' nullable types (Int64, UInt32,
boolean), whether or not a null is there: an acknowledgment number stays whole, and a column's type does not depend on
the capture.  All other columns come in numpy's types; times are ``datetime64[ns, UTC]``, labels are categories.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import pandas as pd
import pyarrow as pa

if TYPE_CHECKING:
    from collections.abc import Callable

NULLABLE = {
    pa.bool_(): pd.BooleanDtype(),
    pa.int64(): pd.Int64Dtype(),
    pa.uint8(): pd.UInt8Dtype(),
    pa.uint16(): pd.UInt16Dtype(),
    pa.uint32(): pd.UInt32Dtype(),
    pa.uint64(): pd.UInt64Dtype(),
}


def dataframe(table: pa.Table) -> pd.DataFrame:
    """The table with its columns in their order."""
    exact = [field.name for field in table.schema if field.nullable and field.type in NULLABLE]
    others = [name for name in table.column_names if name not in exact]
    parts = [_of(table.select(others)), _of(table.select(exact), NULLABLE.get)]
    frame: pd.DataFrame = pd.concat(parts, axis=1)[table.column_names]
    return frame


def _of(table: pa.Table, types: Callable[[pa.DataType], object] | None = None) -> pd.DataFrame:
    made: pd.DataFrame = table.to_pandas(types_mapper=types)
    return made
