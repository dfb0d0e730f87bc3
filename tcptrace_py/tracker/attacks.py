"""Attacks that show only over many connections, or many findings of one: looked for when all have ended.

Knows how connections were begun and the findings that were noted.  Nothing is counted while segments pass: whoever
keeps the connections, or what `Begun` has of each, asks afterwards.
"""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, NamedTuple

from tcptrace_py.tracker import handshake_shape
from tcptrace_py.vocabulary import BY_NAME, Handshake

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Sequence

Place = tuple[int, int, int]
"""An address in two words, and a port."""

SECOND = 1_000_000_000
FLOOD = 100  # connections to a listener, begun within a second and never completed
SCAN = 50  # targets of a source that do not accept
GUESSES = 10  # numbers tried by RSTs
SHAPES = list(Handshake)
NEVER_COMPLETED = {Handshake.no_answer, Handshake.half_open}
NOT_ACCEPTED = NEVER_COMPLETED | {Handshake.refused}
TRIED = {BY_NAME[name].code for name in ("rst_out_of_window", "rst_inexact")}


@dataclass(frozen=True, slots=True)
class Attack:
    """What was found: at whom or by whom (None: see the connection), when it began, and two numbers.

    `number` counts connections, targets or guesses; `others` the addresses on the other side.
    """

    name: str
    number: int
    begin: int | None
    who: Place | None = None
    others: int = 0
    conn_id: int | None = None


class Begun(NamedTuple):
    """What the rules over many connections want to know of one."""

    client: Place
    server: Place
    shape: int  # index into `Handshake`
    start: int
    timed: bool

    def opened(self, shapes: set[Handshake]) -> bool:
        """Whether it was opened in one of these ways."""
        return SHAPES[self.shape] in shapes


def attacks(ended: Iterable[Any], noted: Iterable[tuple[int, ...]]) -> Iterator[Attack]:
    """All of them; `noted` are findings of segments as the journal has them."""
    at: dict[Place, list[Any]] = defaultdict(list)
    by: dict[tuple[int, int], list[Any]] = defaultdict(list)
    for conn in ended:
        client, server = ends(conn)
        at[server].append(conn)
        by[client[:2]].append(conn)
    yield from over_many(at.items(), by.items(), begun)
    yield from guesses(noted)


def ends(conn: Any) -> tuple[Place, Place]:
    """Client and server."""
    first, second, _ = conn.pair
    return (first, second) if conn.client_side == 0 else (second, first)


def begun(conn: Any) -> Begun:
    """How a connection was begun."""
    return Begun(*ends(conn), int(handshake_shape(conn)), conn.start, conn.timed)


def over_many(
    at: Iterable[tuple[Place, Sequence[Any]]],
    by: Iterable[tuple[tuple[int, int], Sequence[Any]]],
    begun: Callable[[Any], Begun],
) -> Iterator[Attack]:
    """Floods and scans: connections by the listener that they go to, and by the address that they come from.

    They may be whatever `begun` makes a `Begun` of, which is made where there are enough of them.
    """
    for listener, conns in at:
        if len(conns) >= FLOOD:
            yield from _flood(listener, [begun(conn) for conn in conns])
    for source, conns in by:
        if len(conns) >= SCAN:
            yield from _scan(source, [begun(conn) for conn in conns])


def _flood(listener: Place, conns: list[Begun]) -> Iterator[Attack]:
    vain = [conn for conn in conns if conn.opened(NEVER_COMPLETED)]
    if 2 * len(vain) > len(conns) and busiest(sorted(conn.start for conn in vain)) >= FLOOD:
        sources = {conn.client[:2] for conn in vain}
        yield Attack("atk_syn_flood", len(vain), begin(vain), listener, len(sources))


def busiest(times: list[int]) -> int:
    """The most of the times that lie within one second."""
    most = first = 0
    for last, time in enumerate(times):
        while time - times[first] >= SECOND:
            first += 1
        most = max(most, last - first + 1)
    return most


def _scan(source: tuple[int, int], conns: list[Begun]) -> Iterator[Attack]:
    vain = [conn for conn in conns if conn.opened(NOT_ACCEPTED)]
    targets, all_targets = {conn.server for conn in vain}, {conn.server for conn in conns}
    if len(targets) >= SCAN and 2 * len(targets) > len(all_targets):
        yield Attack("atk_scan", len(targets), begin(vain), (*source, 0), len({place[:2] for place in targets}))


def begin(conns: list[Begun]) -> int | None:
    """When the first of them began; None where there are no times."""
    return min((conn.start for conn in conns if conn.timed), default=None)


def guesses(noted: Iterable[tuple[int, ...]]) -> Iterator[Attack]:
    """Blind resets, which show in the findings of one connection."""
    tried: dict[int, dict[int, int]] = defaultdict(dict)  # connection -> distance from what was expected -> time
    for conn_id, _, _, time, code, evidence, _ in noted:
        if code in TRIED:
            tried[conn_id].setdefault(evidence, time)
    for conn_id, distances in tried.items():
        if len(distances) >= GUESSES:
            yield Attack("atk_blind", len(distances), min(distances.values()), conn_id=conn_id)
