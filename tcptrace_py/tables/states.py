"""The `states` table: an endpoint in one state, with the earliest time it can have entered and what proves it.

Made of the changes that the tracker notes for a connection, in order: a state ``entered`` as far as one may assume,
``proved`` by the endpoint's own segment, or ``refuted``: not entered before now, although assumed since an earlier row;
``passed`` is an input that changed nothing then, and does once another is refuted.
"""

from __future__ import annotations

from dataclasses import dataclass
from itertools import zip_longest
from typing import TYPE_CHECKING, Any

from tcptrace_py.tracker.states import CHANGES
from tcptrace_py.vocabulary import State

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator


BEFORE = (State.UNKNOWN, State.LISTEN, State.CLOSED)  # an endpoint is in one of these before anything is captured


def changes_of(words: Iterable[int]) -> Iterator[tuple[str, int, int, int, int, int]]:
    """The changes that the tracker has noted, four words each, as (kind, side, state, row, frame, time)."""
    each = iter(words)
    for packed, row, frame, time in zip(each, each, each, each, strict=True):
        yield CHANGES[packed >> 16], packed >> 8 & 1, packed & 255, row, frame, time


@dataclass(slots=True)
class Stay:
    """An endpoint in a state."""

    state: int
    row: int
    entered: tuple[int, int]  # time, frame
    proved: tuple[int, int] | None = None
    proved_row: int = -1


def stays(changes: Iterable[tuple[str, int, int, int, int, int]], side: int) -> list[Stay]:
    """The states of one endpoint in order; a change is (kind, side, state, row, frame, time)."""
    found: list[Stay] = []
    seen: dict[int, tuple[int, int]] = {}  # row -> its time and frame
    for kind, whose, state, row, frame, time in changes:
        if kind != "refuted":
            seen[row] = (time, frame)
        if whose != side or kind == "passed":
            continue
        if kind == "refuted":
            _refute(found, state, row, seen.get(row))
        elif kind == "proved":
            _prove(found, state, row, (time, frame))
        elif not found or found[-1].state != state:
            found.append(Stay(state, row, (time, frame)))
    return [
        stay
        for stay, after in zip_longest(found, found[1:])
        if not after or after.row > stay.row or stay.proved == stay.entered
    ]


def _refute(found: list[Stay], state: int, since: int, at: tuple[int, int] | None) -> None:
    """What had been assumed from row `since` on is wrong, it was `state`; what was proved stays, from its proof on."""
    shown: list[Stay] = []
    while found and found[-1].row >= since and (found[-1].proved is None or found[-1].proved_row > since):
        stay = found.pop()
        if stay.proved is not None:
            shown.append(Stay(stay.state, stay.proved_row, stay.proved, stay.proved, stay.proved_row))
    if at and found and found[-1].state == state:
        found[-1].row, found[-1].entered = min((found[-1].row, found[-1].entered), (since, at))
    elif at and (found or state not in BEFORE):
        found.append(Stay(state, since, at))
    for stay in reversed(shown):
        if found and found[-1].state == stay.state:
            found[-1].proved, found[-1].proved_row = stay.proved, stay.proved_row
        else:
            found.append(stay)


def _prove(found: list[Stay], state: int, row: int, at: tuple[int, int]) -> None:
    """The end's own segment shows `state`; one that was only passed through stands where the estimate left it out."""
    for stay in reversed(found):
        if stay.state == state:
            if stay.proved is None:
                stay.proved, stay.proved_row = at, row
            return
    for place, stay in enumerate(found):
        if stay.proved is None:
            found.insert(place, Stay(state, stay.row, stay.entered, at, row))
            return
    found.append(Stay(state, row, at, at, row))


def state_rows(conn: Any, capture: str) -> Iterator[dict[str, Any]]:
    """The rows of one connection, client first."""
    for side, endpoint in enumerate(("client", "server")):
        found = stays(changes_of(conn.changes), side)
        for stay, after in zip_longest(found, found[1:]):
            yield {
                "capture": capture,
                "conn_id": conn.conn_id,
                "endpoint": endpoint,
                "state": State(stay.state).name,
                "entered_time": stay.entered[0] if conn.timed else None,
                "entered_frame": stay.entered[1],
                "proved_time": stay.proved[0] if stay.proved and conn.timed else None,
                "proved_frame": stay.proved[1] if stay.proved else None,
                "left_time": after.entered[0] if after and conn.timed else None,
                "left_frame": after.entered[1] if after else None,
            }
