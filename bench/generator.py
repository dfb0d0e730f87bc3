"""Workloads: captures of any size, the same bytes every time, in bounded memory.

python -m bench.generator NAME FILE [quick]
"""

from __future__ import annotations

import sys
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from bench.dialogues import CLIENT, SERVER, Dialogue, cast, lone_syn
from bench.frames import RECORD, Templates, Writer, address, get, put
from bench.workloads import WORKLOADS, Workload, quick

if TYPE_CHECKING:
    from collections.abc import Iterator
    from typing import BinaryIO

CLIENTS = 4096
SERVERS = 3000
WAVE = 20_000  # connections begun together
CHUNK = 100_000  # packets written together


def make(workload: Workload, path: Path) -> tuple[int, int]:
    """Write the capture; the numbers of packets and of TCP connections in it."""
    rng = np.random.default_rng(9293)
    with path.open("wb") as file:
        if workload.kind == "flow":
            return _flow(workload, rng, file)
        talks = cast(rng)
        if workload.kind == "scan":
            talks = [Dialogue(rng)]
            lone_syn(talks[0])
        return _copies(workload, Writer(file, Templates.of(talks), workload.snap), rng)


# -- many connections --------------------------------------------------------------------------------------------------


def _copies(workload: Workload, writer: Writer, rng: np.random.Generator) -> tuple[int, int]:
    """Copies of all dialogues, each between other ends, overlapping in time."""
    templates, left, connections = writer.templates, workload.packets, 0
    for time, which, who in _in_order(templates, workload.per_second, rng):
        for at in range(0, min(left, len(time)), CHUNK):
            piece = slice(at, min(at + CHUNK, left))
            chosen, ends = which[piece], who[piece]
            rows = templates.rows[chosen]
            server = ends * 2_654_435_761 % 2**32 * SERVERS >> 32
            server = server * server // SERVERS  # some get more than others
            address(templates, rows, chosen, (ends % CLIENTS, server, 20_000 + ends // CLIENTS % 40_000))
            writer.write(rows, chosen, time[piece])
            opens = np.isin(chosen, templates.first) & templates.tcp[chosen]
            connections += int(opens.sum())
        left -= len(time)
        if left <= 0:
            break
    return workload.packets, connections


def _in_order(
    templates: Templates, per_second: int, rng: np.random.Generator
) -> Iterator[tuple[np.ndarray, np.ndarray, np.ndarray]]:
    """Time, template and number of the connection of every packet, sorted by time, without end.

    Connections begin in waves; what lasts into the next wave waits for it, so memory is bounded by what is open.
    """
    waiting = [np.empty(0, np.int64)] * 3
    begun, gap = 0, 1_000_000 // per_second
    while True:
        who = np.arange(begun, begun + WAVE)
        start = who * gap + rng.integers(0, gap, WAVE)
        story = rng.integers(0, len(templates.count), WAVE)
        count = templates.count[story]
        within = np.arange(count.sum()) - np.repeat(np.cumsum(count) - count, count)
        which = np.repeat(templates.first[story], count) + within
        packets = (np.repeat(start, count) + templates.time[which], which, np.repeat(who, count))
        time, which, who = (np.concatenate(pair) for pair in zip(waiting, packets, strict=True))
        order = np.argsort(time, kind="stable")
        begun += WAVE
        ready = int(np.searchsorted(time[order], begun * gap))
        now, later = order[:ready], order[ready:]
        yield time[now], which[now], who[now]
        waiting = [time[later], which[later], who[later]]


# -- one connection ----------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Growing:
    """A number in some rows that is `step` more in every round."""

    rows: np.ndarray
    columns: np.ndarray
    step: int
    width: int = 4


def _flow(workload: Workload, rng: np.random.Generator, file: BinaryIO) -> tuple[int, int]:
    """One long transfer: its middle part again and again, all its numbers carried on."""
    talk = Dialogue(rng)
    talk.rtt = 8_000
    talk.next[SERVER] = 2**32 - workload.packets * 480  # about half of what it sends
    talk.open()
    talk.ask(100)
    opened, begun, sent = len(talk.packets), talk.now, talk.next[SERVER]
    talk.answer(2_000_000, losses=13)
    talk.now += -(talk.now - begun) % 1000  # whole milliseconds, the unit of the timestamps
    closes, period, octets = len(talk.packets), talk.now - begun, talk.next[SERVER] - sent
    talk.end(CLIENT)
    templates = Templates.of([talk])
    writer = Writer(file, templates, workload.snap)
    rounds = max(1, (workload.packets - opened - (len(talk.packets) - closes)) // (closes - opened))
    steps = _steps(templates, octets, period // 1000)
    everything = np.arange(len(talk.packets))
    for number in range(rounds):
        first = 0 if number == 0 else opened
        last = len(talk.packets) if number == rounds - 1 else closes
        part = everything[first:last]
        rows = _carried_on(templates.rows, steps, number)[part]
        address(templates, rows, part, (part * 0, part * 0, part * 0 + 20_000))
        writer.write(rows, part, templates.time[part] + period * number)
    return rounds * (closes - opened) + opened + len(talk.packets) - closes, 1


def _steps(templates: Templates, octets: int, milliseconds: int) -> list[Growing]:
    """The numbers that grow with every round."""
    every = np.arange(len(templates.rows))
    transport = templates.transport
    flags = templates.rows[every, transport + 13]
    stamped = every[(flags & 2) == 0]  # timestamps stand at the same place in all segments but SYNs
    server, client = every[templates.side == SERVER], every[templates.side == CLIENT]
    with_sack = client[templates.header[client] >= 14 + 20 + 20 + 24]
    return [
        Growing(every, np.full(len(every), RECORD + 18), len(every), 2),  # IP's ident
        Growing(server, transport[server] + 4, octets),
        Growing(client, transport[client] + 8, octets),
        Growing(with_sack, transport[with_sack] + 36, octets),
        Growing(with_sack, transport[with_sack] + 40, octets),
        Growing(stamped, transport[stamped] + 24, milliseconds),
        Growing(stamped, transport[stamped] + 28, milliseconds),
    ]


def _carried_on(rows: np.ndarray, steps: list[Growing], times: int) -> np.ndarray:
    """A copy of the rows in which all these numbers are so many steps further."""
    moved = rows.copy()
    for number in steps:
        part = moved[number.rows]
        value = get(part, number.columns, number.width) + number.step * times
        put(part, number.columns, value % 256**number.width, number.width)
        moved[number.rows] = part
    return moved


if __name__ == "__main__":
    name, path, size = (*sys.argv[1:], "")[:3]
    chosen = WORKLOADS[name]
    print("{:,} packets, {:,} TCP connections".format(*make(quick(chosen) if size == "quick" else chosen, Path(path))))
