"""How many endpoints are in which state over time, and which are in which at one moment: made of `states`.

A *stay* is an endpoint in one state.  It ends where `states` says that the end left; or, for TIME_WAIT, after 2MSL; or
when the next connection of the same two ends begins at that end.  Any other stay lasts to the end of the capture.
CLOSED is no stay: a closed end has nothing that could be counted.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np
import pyarrow as pa

from tcptrace_py.errors import UsageError
from tcptrace_py.tables import arrays
from tcptrace_py.tables.on_demand import POPULATION, STANDING
from tcptrace_py.tables.schema import schema_of
from tcptrace_py.tables.times import rounded_step
from tcptrace_py.vocabulary import State

if TYPE_CHECKING:
    from collections.abc import Iterator

    import numpy.typing as npt

    Numbers = npt.NDArray[Any]

FOREVER = np.iinfo(np.int64).max
STEPS = 20  # unless a step is asked for
MOST_STEPS = 100_000
STATES = [state for state in State if state is not State.CLOSED]
IDENTITY = ("network", "client_ip", "client_port", "server_ip", "server_port")


class Stays(NamedTuple):
    """Endpoints in a state, as columns; times in nanoseconds, `proved` is `FOREVER` where nothing proves it."""

    conn: Numbers
    endpoint: Numbers  # 0 client, 1 server
    state: Numbers
    entered: Numbers
    left: Numbers
    proved: Numbers
    frame: Numbers

    def where(self, mask: Numbers) -> Stays:
        """Some of them."""
        return Stays(*(column[mask] for column in self))


def stays(states: pa.Table, connections: pa.Table, msl2_ns: int) -> Stays:
    """The stays that have a time, in the order of `states`, CLOSED among them."""
    state = arrays.plain(states.column("state"))
    entered = arrays.plain(states.column("entered_time"), -FOREVER)
    left = np.maximum(arrays.plain(states.column("left_time"), FOREVER), entered)
    waiting = (state == State.TIME_WAIT) & (left == FOREVER) & (entered < FOREVER - msl2_ns)
    left[waiting] = entered[waiting] + msl2_ns
    made = Stays(
        arrays.plain(states.column("conn_id")),
        arrays.plain(states.column("endpoint")),
        state,
        entered,
        left,
        arrays.plain(states.column("proved_time"), FOREVER),
        arrays.plain(states.column("entered_frame")),
    ).where(entered != -FOREVER)
    _succeeded(made, connections)
    return made


def _succeeded(made: Stays, connections: pa.Table) -> None:
    """End what the next connection of the same two ends has put an end to."""
    if not np.any(arrays.plain(connections.column("instance"))):
        return
    begins = np.full((connections.num_rows, 2), FOREVER)
    np.minimum.at(begins, (made.conn, made.endpoint), made.entered)
    until = np.full_like(begins, FOREVER)
    last: dict[tuple[Any, ...], tuple[int, int]] = {}
    for conn_id, (network, *ends) in enumerate(_identities(connections)):
        for endpoint, pair in enumerate(((*ends[:2], *ends[2:]), (*ends[2:], *ends[:2]))):
            key = (network, *pair)
            if key in last:
                until[last[key]] = begins[conn_id, endpoint]
            last[key] = conn_id, endpoint
    np.minimum(made.left, np.maximum(until[made.conn, made.endpoint], made.entered), out=made.left)


def _identities(connections: pa.Table) -> Iterator[tuple[Any, ...]]:
    return zip(*(connections.column(name).to_pylist() for name in IDENTITY), strict=True)


def population(made: Stays, first: int, last: int, step: int | None) -> pa.RecordBatch:
    """The `population` table from `first` to `last`: rows by time, then state, those of states that occur.

    Raises
    ------
    UsageError
        For a step that makes more than `MOST_STEPS` rows a state, or none.
    """
    step = rounded_step(max(last - first, 1), STEPS) if step is None else step
    if step <= 0:
        raise UsageError("a step lasts longer than nothing")
    if (last - first) // step >= MOST_STEPS:
        raise UsageError(f"so short a step makes {(last - first) // step + 1:,} of them; {MOST_STEPS:,} is the most")
    times = np.arange(first, last + 1, step, dtype=np.int64)
    found = [state for state in STATES if np.any(made.state == state)]
    counted = [_counted(made.where(made.state == state), times, step) for state in found]
    columns = {
        "time": np.repeat(times, len(found)),
        **{name: np.stack([each[name] for each in counted], 1).ravel() for name in (counted[0] if counted else ())},
    }
    codes = np.tile(np.array(found, np.int8), len(times))
    held = [
        arrays.labels(column, codes)
        if column.type == "label"
        else arrays.numbers(column, columns.get(column.name, np.empty(0)))
        for column in POPULATION
    ]
    return pa.RecordBatch.from_arrays(held, schema=schema_of("population", POPULATION))


def _counted(some: Stays, times: Numbers, step: int) -> dict[str, Numbers]:
    """The counts of one state in every step."""
    entered, left = np.sort(some.entered), np.sort(some.left)
    proved = some.where(some.proved < some.left)
    ends = np.append(times[1:], times[-1] + step)
    return {
        "endpoints": _before(entered, times, "right") - _before(left, times, "right"),
        "proved": _before(np.sort(proved.proved), times, "right") - _before(np.sort(proved.left), times, "right"),
        "most": _most(entered, left, times),
        "entered": _before(entered, ends, "left") - _before(entered, times, "left"),
    }


def _before(times: Numbers, when: Numbers, side: Any) -> Numbers:
    return np.searchsorted(times, when, side).astype(np.int64)


def _most(entered: Numbers, left: Numbers, times: Numbers) -> Numbers:
    """The most at once within each step: at its beginning, or after any change within it."""
    changes = np.unique(np.concatenate([entered, left, times]))
    present = _before(entered, changes, "right") - _before(left, changes, "right")
    most: Numbers = np.maximum.reduceat(present, np.searchsorted(changes, times))
    return most


def standing(made: Stays, connections: pa.Table, at: int) -> pa.RecordBatch:
    """The `standing` table: the ends that are in a state other than CLOSED at the time `at`."""
    from tcptrace_py.tables.build import as_batch

    here = np.flatnonzero((made.entered <= at) & (at < made.left) & (made.state != State.CLOSED))
    about = connections.select([*IDENTITY, "capture"]).take(arrays.indices(made.conn[here])).to_pylist()
    rows = [_standing(made, int(row), at, conn) for row, conn in zip(here, about, strict=True)]
    return as_batch("standing", rows, STANDING)


def _standing(made: Stays, row: int, at: int, conn: dict[str, Any]) -> dict[str, Any]:
    local, peer = ("client", "server") if made.endpoint[row] == 0 else ("server", "client")
    ends = {"local": local, "peer": peer}
    possible = [made.state[row]]
    first = row
    while made.proved[first] > at and first and _same_end(made, first - 1, row):
        first -= 1
        possible.append(made.state[first])
    return {
        "capture": conn["capture"],
        "conn_id": int(made.conn[row]),
        "endpoint": local,
        "state": State(made.state[row]).name,
        **{f"{end}_{what}": conn[f"{side}_{what}"] for end, side in ends.items() for what in ("ip", "port")},
        "network": conn["network"],
        "entered_time": int(made.entered[row]),
        "entered_frame": int(made.frame[row]) or None,
        "proved": bool(made.proved[row] <= at),
        "possible": [State(state).name for state in reversed(possible)],
    }


def _same_end(made: Stays, one: int, other: int) -> bool:
    return bool(made.conn[one] == made.conn[other] and made.endpoint[one] == made.endpoint[other])
