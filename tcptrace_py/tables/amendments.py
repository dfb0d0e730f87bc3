"""What later evidence changes in rows already labelled; applied when the rows are made.

The tracker never reaches back: it names rows and what is right there.  A first pass over an input gathers this, and
the pass that makes the timeline applies it, so every row has its final form and no row has to be held.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from tcptrace_py.tracker.suspension import CONN_OF_LABEL

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
        self._states = _sorted(log.states, by=2)
        self._labels = _sorted(log.labels, by=0)
        self._next_state = self._next_label = 0
        self._active = np.empty(0, np.int64)  # places of those states that reach beyond the rows so far

    def again(self) -> Amendments:
        """The same, from the first row."""
        self._next_state = self._next_label = 0
        self._active = self._active[:0]
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
        begun = int(np.searchsorted(states[:, 2], after))
        active = np.append(self._active, np.arange(self._next_state, begun))
        self._next_state = begun
        if len(active):
            _put_states(states[active[np.argsort(order[active])]], numbers, columns)
        self._active = active[states[active, 3] > after]
        _, labels = self._labels
        while self._next_label < len(labels) and labels[self._next_label, 0] < after:
            row, add, drop = labels[self._next_label, :3].tolist()
            at = int(np.searchsorted(numbers, row))
            if numbers[at] == row:
                columns["anomalies"][at] = (columns["anomalies"][at] | np.uint64(add & M64)) & ~np.uint64(drop & M64)
            self._next_label += 1


def _put_states(amendments: npt.NDArray[Any], numbers: npt.NDArray[Any], columns: Columns) -> None:
    """Apply amendments of states to the rows of these numbers; where two concern a row, the later one holds."""
    conn_id, side, begin, end, state = amendments.T
    n = len(numbers)
    ids, whose = np.unique(columns["conn"], return_inverse=True)
    keys = whose * (n + 1) + np.arange(n)  # a connection's rows stand together in their order
    rows_by_key = np.argsort(keys)
    keys = keys[rows_by_key]
    at = np.minimum(np.searchsorted(ids, conn_id), len(ids) - 1)
    first, last = (np.searchsorted(keys, at * (n + 1) + np.searchsorted(numbers, row)) for row in (begin, end))
    many = np.where(ids[at] == conn_id, last - first, 0)
    rows = rows_by_key[np.repeat(first - (np.cumsum(many) - many), many) + np.arange(many.sum())]
    by, to = np.repeat(side, many), np.repeat(state, many)
    for which, name in enumerate(("client_state", "server_state")):
        mine = np.flatnonzero(by == which)[::-1]
        concerned, latest = np.unique(rows[mine], return_index=True)
        columns[name][concerned] = to[mine][latest]


def label_rows(labels: Any, only: Collection[int] | None = None) -> Iterator[tuple[int, ...]]:
    """The amendments of anomalies: (row, bits to add, bits to drop, conn_id, frame, time, evidence, basis).

    `labels` is the journal's ledger of them; `only`: those that concern these connections.
    """
    numbers = labels.view()
    if only is not None:
        words = np.frombuffer(numbers, np.int64).reshape(-1, labels.width)
        theirs = words[np.isin(words[:, CONN_OF_LABEL], np.fromiter(only, np.int64, len(only)))]
        numbers = theirs.reshape(-1).data
    for row, add, drop, *rest in zip(*[iter(numbers)] * labels.width, strict=True):
        yield row, add & M64, drop & M64, *rest


def _sorted(ledger: Any, *, by: int) -> tuple[npt.NDArray[Any], npt.NDArray[Any]]:
    """The order of the amendments by one of their words, and the amendments in it."""
    rows = np.frombuffer(ledger.view(), np.int64).reshape(-1, ledger.width)
    order = np.argsort(rows[:, by], kind="stable")
    return order, rows[order]
