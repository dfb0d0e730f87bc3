"""What later evidence changes in rows already labelled; applied when the rows are made.

The tracker never reaches back: it names rows and what is right there.  A first pass over an input gathers this, and
the pass that makes the timeline applies it, so every row has its final form and no row has to be held.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from tcptrace_py.tracker.suspension import CONN_OF_LABEL, LABEL_WORDS, STATE_WORDS

if TYPE_CHECKING:
    from collections.abc import Collection, Iterator

    import numpy.typing as npt

    Columns = dict[str, npt.NDArray[Any]]


M64 = (1 << 64) - 1


class Amendments:
    """Amendments of one pass, for batches of rows that come in order.

    Parameters
    ----------
    log : Journal
        The tracker's.  Where two states of one end overlap, the later one holds.
    """

    def __init__(self, log: Any) -> None:
        self._states = _sorted(log.states.view(), STATE_WORDS, by=2)
        self._labels = _sorted(log.labels.view(), LABEL_WORDS, by=0)
        self._next_state = self._next_label = 0
        self._active: list[tuple[int, list[int]]] = []

    def again(self) -> Amendments:
        """The same, from the first row."""
        self._next_state = self._next_label = 0
        self._active = []
        return self

    def apply(self, first_row: int, columns: Columns) -> None:
        """Put rows first_row... right in place: columns `conn`, `anomalies`, `client_state`, `server_state`."""
        self.apply_to(np.arange(first_row, first_row + len(columns["conn"])), columns)

    def apply_to(self, numbers: npt.NDArray[Any], columns: Columns) -> None:
        """The same for rows of these numbers, in ascending order; those between them are passed over."""
        if not len(numbers):
            return
        after = int(numbers[-1]) + 1
        order, states = self._states
        while self._next_state < len(states) and states[self._next_state, 2] < after:
            at = self._next_state
            self._active.append((int(order[at]), states[at].tolist()))
            self._next_state += 1
        for _, (conn_id, side, begin, end, state) in sorted(self._active, key=lambda entry: entry[0]):
            rows = slice(*np.searchsorted(numbers, (begin, end)).tolist())
            here = np.flatnonzero(columns["conn"][rows] == conn_id) + rows.start
            columns["server_state" if side else "client_state"][here] = state
        self._active = [entry for entry in self._active if entry[1][3] > after]
        _, labels = self._labels
        while self._next_label < len(labels) and labels[self._next_label, 0] < after:
            row, add, drop = labels[self._next_label, :3].tolist()
            at = int(np.searchsorted(numbers, row))
            if numbers[at] == row:
                columns["anomalies"][at] = (columns["anomalies"][at] | np.uint64(add & M64)) & ~np.uint64(drop & M64)
            self._next_label += 1


def label_rows(labels: memoryview, only: Collection[int] | None = None) -> Iterator[tuple[int, ...]]:
    """The amendments of anomalies: (row, bits to add, bits to drop, conn_id, frame, time, evidence, basis).

    `only`: those that concern these connections.
    """
    if only is not None:
        words = np.frombuffer(labels, np.int64).reshape(-1, LABEL_WORDS)
        theirs = words[np.isin(words[:, CONN_OF_LABEL], np.fromiter(only, np.int64, len(only)))]
        labels = theirs.reshape(-1).data
    for row, add, drop, *rest in zip(*[iter(labels)] * LABEL_WORDS, strict=True):
        yield row, add & M64, drop & M64, *rest


def _sorted(words: memoryview, width: int, *, by: int) -> tuple[npt.NDArray[Any], npt.NDArray[Any]]:
    """The order of the amendments by one of their words, and the amendments in it."""
    rows = np.frombuffer(words, np.int64).reshape(-1, width)
    order = np.argsort(rows[:, by], kind="stable")
    return order, rows[order]
