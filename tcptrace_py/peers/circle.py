"""Distances on the circle of 2**32 raw sequence numbers: the one door for those who replay other programs' rules."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, TypeVar

if TYPE_CHECKING:
    import numpy.typing as npt

Number = TypeVar("Number", int, "npt.NDArray[Any]")
HALF, CIRCLE = 1 << 31, 1 << 32


def ahead(a: Number, b: Number) -> Number:
    """Signed distance a - b (RFC 9293 section 3.4), of numbers or of columns of int64."""
    distance: Number = (a - b + HALF) % CIRCLE - HALF
    return distance
