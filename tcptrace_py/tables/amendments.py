"""What later evidence changes in rows already labelled; applied when the rows are made.

The tracker never reaches back: it names rows and what is right there.  A first pass over an input gathers this, and
the pass that makes the timeline applies it, so every row has its final form and no row has to be held.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Iterable

    import numpy.typing as npt

    Columns = dict[str, npt.NDArray[Any]]


class Amendments:
    """Amendments of one pass, for batches of rows that come in order.

    Parameters
    ----------
    states : iterable of (conn_id, side, first row, row after the last, state)
        Right states of one end (side 0: client) in the rows of one connection; where two overlap, the later one holds.
    labels : iterable of (row, bits to add, bits to drop, ...)
        Anomalies of single rows.
    """

    def __init__(self, states: Iterable[Any], labels: Iterable[Any]) -> None:
        self._states = sorted(enumerate(states), key=lambda entry: entry[1][2])
        self._labels = sorted(enumerate(labels), key=lambda entry: entry[1][0])
        self._next_state = self._next_label = 0
        self._active: list[tuple[int, Any]] = []

    def again(self) -> Amendments:
        """The same, from the first row."""
        self._next_state = self._next_label = 0
        self._active = []
        return self

    def apply(self, first_row: int, columns: Columns) -> None:
        """Put rows first_row... right in place: columns `conn`, `anomalies`, `client_state`, `server_state`."""
        after = first_row + len(columns["conn"])
        while self._next_state < len(self._states) and self._states[self._next_state][1][2] < after:
            self._active.append(self._states[self._next_state])
            self._next_state += 1
        for _, (conn_id, side, begin, end, state) in sorted(self._active, key=lambda entry: entry[0]):
            rows = slice(max(begin - first_row, 0), min(end, after) - first_row)
            here = np.flatnonzero(columns["conn"][rows] == conn_id) + rows.start
            columns["server_state" if side else "client_state"][here] = state
        self._active = [entry for entry in self._active if entry[1][3] > after]
        while self._next_label < len(self._labels) and self._labels[self._next_label][1][0] < after:
            row, add, drop = self._labels[self._next_label][1][:3]
            word = int(columns["anomalies"][row - first_row])
            columns["anomalies"][row - first_row] = np.uint64((word | add) & ~drop)
            self._next_label += 1
