"""Columns of numbers without numpy, whose import alone takes as long as the summary of a small capture.

The ground floor.  `array.array` gives the memory; kernels take views of it, and numpy can, without a copy.
"""

from __future__ import annotations

from array import array
from typing import Any


def zeros(code: str, rows: int) -> array[Any]:
    """A column of zeros, not a byte longer; `code` is that of the array module: q, Q, i, I, H, B, b."""
    return array(code, [0]) * rows  # from bytes it would have spare room, where a wrong index goes unnoticed


def filled(code: str, rows: int, value: int) -> array[Any]:
    """A column of one value."""
    return array(code, [value]) * rows


def held(octets: bytes, code: str) -> array[Any]:
    """A column out of its octets, as ``memoryview(column).tobytes()`` gives them on this machine."""
    column = array(code)
    column.frombytes(octets)
    return column


def longer(code: str, column: Any, rows: int) -> memoryview:
    """A view of a new column with room for `rows`, which begins with what `column` holds."""
    grown = memoryview(zeros(code, rows))
    grown[: len(column)] = memoryview(column)
    return grown
