"""numpy columns and Python values into Arrow arrays, without pandas.

``pa.array`` would import pandas (0.3 s), so arrays are put together from their buffers.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import pyarrow as pa

from tcptrace_py.tables.rows import text_array
from tcptrace_py.tables.schema import Column, arrow_type

if TYPE_CHECKING:
    from collections.abc import Sequence

    import numpy.typing as npt

    Numbers = npt.NDArray[Any]
    Mask = npt.NDArray[np.bool_]

NUMBER = {
    "int64": np.int64,
    "uint64": np.uint64,
    "uint32": np.uint32,
    "uint16": np.uint16,
    "uint8": np.uint8,
    "float64": np.float64,
    "time": np.int64,
}


def validity(known: Mask | None) -> pa.Buffer | None:
    """Arrow's bitmap of the values that are not null."""
    if known is None or known.all():
        return None
    return pa.py_buffer(np.packbits(known, bitorder="little"))


def numbers(column: Column, values: Numbers, known: Mask | None = None) -> pa.Array:
    """A column of numbers or times; null where not `known`.  A copy: the batch they stand in will be filled again."""
    data = np.array(values, NUMBER[column.type], order="C")
    return pa.Array.from_buffers(arrow_type(column), len(data), [validity(known), pa.py_buffer(data)])


def labels(column: Column, codes: Numbers, known: Mask | None = None) -> pa.Array:
    """A column of words of a closed set; `codes` are positions in it."""
    indices = np.ascontiguousarray(codes, np.int8)
    array = pa.Array.from_buffers(pa.int8(), len(indices), [validity(known), pa.py_buffer(indices)])
    return pa.DictionaryArray.from_arrays(array, text_array(list(column.values)))


def open_labels(values: Sequence[str], codes: Numbers) -> pa.Array:
    """A column of words of an open set: the words, and each row's position among them."""
    indices = np.ascontiguousarray(codes, np.int16)
    array = pa.Array.from_buffers(pa.int16(), len(indices), [None, pa.py_buffer(indices)])
    return pa.DictionaryArray.from_arrays(array, text_array(list(values)))


def constant_label(value: str, rows: int) -> pa.Array:
    """The same word in every row."""
    return open_labels([value], np.zeros(rows, np.int16))


def booleans(values: Mask, known: Mask | None = None) -> pa.Array:
    """A column of bool."""
    bits = pa.py_buffer(np.packbits(np.asarray(values, np.bool_), bitorder="little"))
    return pa.Array.from_buffers(pa.bool_(), len(values), [validity(known), bits])


def bits_of(words: Numbers) -> tuple[Numbers, Numbers, Numbers]:
    """The set bits of every word: (row of each bit, its number, where each row's bits begin among them)."""
    wide = np.ascontiguousarray(words, np.uint64)
    rows = np.flatnonzero(wide)
    octets = wide[rows].view(np.uint8).reshape(-1, 8)
    some, place = np.nonzero(octets)  # most octets are zero: only the others are taken apart
    which, bit = np.nonzero(np.unpackbits(octets[some, place][:, np.newaxis], axis=1, bitorder="little"))
    row = rows[some[which]]
    starts = np.zeros(len(wide) + 1, np.int32)
    np.cumsum(np.bincount(row, minlength=len(wide)), out=starts[1:])
    return row, 8 * place[which] + bit, starts


def listed(starts: Numbers, items: pa.Array) -> pa.Array:
    """Lists out of all their items and where each list begins."""
    offsets = pa.Array.from_buffers(
        pa.int32(), len(starts), [None, pa.py_buffer(np.ascontiguousarray(starts, np.int32))]
    )
    return pa.ListArray.from_arrays(offsets, items)


def bit_names(words: Numbers, names: Sequence[str]) -> pa.Array:
    """Words of bits as lists of the bits' names."""
    _, bit, starts = bits_of(words)
    return listed(starts, named(bit, names))


def named(places: Numbers, names: Sequence[str]) -> pa.Array:
    """The name in each of these places."""
    return text_array(list(names)).take(indices(places))


def indices(values: Numbers) -> pa.Array:
    """Positions, as `take` wants them."""
    data = np.ascontiguousarray(values, np.int64)
    return pa.Array.from_buffers(pa.int64(), len(data), [None, pa.py_buffer(data)])


def from_values(column: Column, values: Sequence[Any]) -> pa.Array:
    """A column out of Python values, None for null."""
    known = np.array([value is not None for value in values], np.bool_) if None in values else None
    kind = column.type
    if kind == "text":
        texts = text_array([value or "" for value in values])
        return pa.Array.from_buffers(pa.string(), len(values), [validity(known), *texts.buffers()[1:]])
    if kind == "binary16":
        return pa.Array.from_buffers(pa.binary(16), len(values), [None, pa.py_buffer(b"".join(values))])
    if kind == "bool":
        return booleans(np.fromiter(map(bool, values), np.bool_, len(values)), known)
    if kind == "labels":
        return listed(_starts(values), text_array([item for value in values for item in value]))
    if kind == "numbers":
        return listed(_starts(values), indices(np.array([item for value in values for item in value], np.int64)))
    if kind == "label":
        words = column.values or sorted(set(values))
        place = {word: code for code, word in enumerate(words)} | ({} if known is None else {None: 0})
        codes = np.fromiter(map(place.__getitem__, values), np.int16, len(values))
        return labels(column, codes, known) if column.words else open_labels(words, codes)
    filled = values if known is None else [0 if value is None else value for value in values]
    return numbers(column, np.fromiter(filled, NUMBER[kind], len(values)), known)


def _starts(lists: Sequence[Sequence[Any]]) -> Numbers:
    return np.cumsum([0, *map(len, lists)])


def plain(column: pa.Array | pa.ChunkedArray, missing: int = 0) -> Numbers:
    """The numbers of a column in numpy: times in nanoseconds, labels as their codes, `missing` for null."""
    whole = column.combine_chunks() if isinstance(column, pa.ChunkedArray) else column
    whole = whole.indices if pa.types.is_dictionary(whole.type) else whole
    kind = np.dtype("int64") if pa.types.is_timestamp(whole.type) else np.dtype(str(whole.type).replace("double", "f8"))
    values = np.frombuffer(whole.buffers()[1] or b"", kind)[whole.offset : whole.offset + len(whole)].copy()
    if whole.null_count:
        values[~bits(whole.is_valid())] = missing
    return values


def bits(column: pa.BooleanArray) -> Mask:
    """A column of bool without nulls in numpy."""
    held = np.frombuffer(column.buffers()[1] or b"", np.uint8)
    return np.unpackbits(held, bitorder="little")[column.offset : column.offset + len(column)].astype(np.bool_)
