"""Columns of whole numbers as a short text: differences, their bytes sorted by weight, deflated, in base64.

`unpack.js` is the way back.  Differences of neighbours are small and alike, and bytes of one weight are more alike than
those of one number: a column of 200,000 times takes a quarter of what deflate alone makes of it.
"""

from __future__ import annotations

import base64
import zlib
from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Iterable

    import numpy.typing as npt

    Numbers = npt.NDArray[Any]
    Place = tuple[str, int, int]

LEVEL = 6  # 9 would save three octets of a hundred and take ten times as long


def packed(columns: Iterable[tuple[str, Numbers]]) -> tuple[list[Place], str]:
    """Where each column lies, as (name, rows, bytes of a number), and all of them as one text."""
    places: list[Place] = []
    pieces: list[bytes] = []
    for name, values in columns:
        planes = _planes(values)
        places.append((name, len(values), len(planes)))
        pieces.append(planes.tobytes())
    deflate = zlib.compressobj(LEVEL, zlib.DEFLATED, zlib.MAX_WBITS, zlib.DEF_MEM_LEVEL, zlib.Z_FILTERED)
    return places, base64.b64encode(deflate.compress(b"".join(pieces)) + deflate.flush()).decode()


def _planes(values: Numbers) -> Numbers:
    """The bytes of all differences, a row for each weight that occurs; the sign is the lowest bit."""
    steps: Numbers = np.diff(values.astype(np.int64), prepend=0)
    folded = ((steps << 1) ^ (steps >> 63)).astype("<u8")
    planes = folded.view(np.uint8).reshape(-1, 8).T
    used = int(max(np.flatnonzero(planes.any(axis=1)), default=-1)) + 1
    return np.ascontiguousarray(planes[:used])
