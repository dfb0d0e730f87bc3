"""Attacks that show only over many connections, or many findings of one: looked for when all have ended.

Knows connections as the tracker leaves them and the findings that were noted.  Nothing is counted while segments pass:
whoever keeps the connections asks afterwards.
"""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from tcptrace_py.tracker import handshake_shape
from tcptrace_py.vocabulary import BY_NAME, Handshake

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    Place = tuple[int, int, int]  # address in two words, port

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


def attacks(ended: Iterable[Any], noted: Iterable[tuple[int, ...]]) -> Iterator[Attack]:
    """All of them; `noted` are findings of segments as the journal has them."""
    at: dict[Place, list[Any]] = defaultdict(list)
    by: dict[tuple[int, int], list[Any]] = defaultdict(list)
    for conn in ended:
        client, server = ends(conn)
        at[server].append(conn)
        by[client[:2]].append(conn)
    yield from _floods(at)
    yield from _scans(by)
    yield from guesses(noted)


def ends(conn: Any) -> tuple[Place, Place]:
    """Client and server."""
    first, second, _ = conn.pair
    return (first, second) if conn.client_side == 0 else (second, first)


def shape(conn: Any) -> Handshake:
    """How it was opened."""
    return SHAPES[int(handshake_shape(conn))]


def _floods(at: dict[Place, list[Any]]) -> Iterator[Attack]:
    for listener, conns in at.items():
        if len(conns) < FLOOD:
            continue
        vain = [conn for conn in conns if shape(conn) in NEVER_COMPLETED]
        if 2 * len(vain) > len(conns) and busiest(sorted(conn.start for conn in vain)) >= FLOOD:
            sources = {ends(conn)[0][:2] for conn in vain}
            yield Attack("atk_syn_flood", len(vain), begin(vain), listener, len(sources))


def busiest(times: list[int]) -> int:
    """The most of the times that lie within one second."""
    most = first = 0
    for last, time in enumerate(times):
        while time - times[first] >= SECOND:
            first += 1
        most = max(most, last - first + 1)
    return most


def _scans(by: dict[tuple[int, int], list[Any]]) -> Iterator[Attack]:
    for source, conns in by.items():
        if len(conns) < SCAN:
            continue
        vain = [conn for conn in conns if shape(conn) in NOT_ACCEPTED]
        targets, all_targets = {ends(conn)[1] for conn in vain}, {ends(conn)[1] for conn in conns}
        if len(targets) >= SCAN and 2 * len(targets) > len(all_targets):
            yield Attack("atk_scan", len(targets), begin(vain), (*source, 0), len({place[:2] for place in targets}))


def begin(conns: list[Any]) -> int | None:
    """When the first of them began; None where there are no times."""
    return min((conn.start for conn in conns if conn.timed), default=None)


def guesses(noted: Iterable[tuple[int, ...]]) -> Iterator[Attack]:
    """Connections for whose numbers somebody tried; each shows by its own findings."""
    tried: dict[int, dict[int, int]] = defaultdict(dict)  # connection -> distance from what was expected -> time
    for conn_id, _, _, time, code, evidence, _ in noted:
        if code in TRIED:
            tried[conn_id].setdefault(evidence, time)
    for conn_id, distances in tried.items():
        if len(distances) >= GUESSES:
            yield Attack("atk_blind", len(distances), min(distances.values()), conn_id=conn_id)
