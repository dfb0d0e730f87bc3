"""Amendments against a twin that looks at each row alone."""

from __future__ import annotations

import random
from array import array
from types import SimpleNamespace

import numpy as np
import pytest

from tcptrace_py.tables.amendments import Amendments

ROWS, CONNECTIONS = 60, 4


def made_up(seed):
    """Rows (connection, anomalies, client state, server state) and amendments of any shape."""
    chance = random.Random(seed)
    rows = [
        (chance.randrange(CONNECTIONS), chance.getrandbits(64), chance.randrange(11), chance.randrange(11))
        for _ in range(ROWS)
    ]
    states = []
    for _ in range(chance.randrange(12)):
        first = chance.randrange(ROWS)
        after = chance.randrange(first, ROWS) + 1
        states.append([chance.randrange(CONNECTIONS), chance.randrange(2), first, after, chance.randrange(11)])
    labels = []
    for _ in range(chance.randrange(12)):
        word = 1 << chance.randrange(64)
        labels.append((chance.randrange(ROWS), word, chance.getrandbits(64) & ~word, 0, 0, 0, 0, 0))
    return rows, states, labels


def one_by_one(rows, states, labels):
    """What each row should be: every amendment in turn, where the later one holds."""
    final = []
    for number, (conn, anomalies, client, server) in enumerate(rows):
        ends = [client, server]
        for whose, side, first, after, state in states:
            if whose == conn and first <= number < after:
                ends[side] = state
        word = anomalies
        for row, add, drop, *_ in labels:
            if row == number:
                word = (word | add) & ~drop
        final.append((conn, word, *ends))
    return final


def amendments_of(states, labels):
    """As the tracker's journal has them: flat, and words of bits signed."""
    return Amendments(SimpleNamespace(states=ledger(states, 5), labels=ledger(labels, 8)))


def ledger(rows, width):
    flat = array("q", [word - (word >> 63 << 64) for row in rows for word in row])
    return SimpleNamespace(width=width, view=lambda: memoryview(flat))


def in_batches(rows, amendments, size):
    final = []
    for at in range(0, len(rows), size):
        part = rows[at : at + size]
        columns = {
            "conn": np.array([row[0] for row in part], np.int64),
            "anomalies": np.array([row[1] for row in part], np.uint64),
            "client_state": np.array([row[2] for row in part], np.uint8),
            "server_state": np.array([row[3] for row in part], np.uint8),
        }
        amendments.apply(at, columns)
        final += [tuple(int(column[i]) for column in columns.values()) for i in range(len(part))]
    return final


@pytest.mark.parametrize("size", [1, 3, 7, ROWS])
def test_amendments(size):
    for seed in range(200):
        rows, states, labels = made_up(seed)
        amendments = amendments_of(states, labels)
        assert in_batches(rows, amendments, size) == one_by_one(rows, states, labels), seed


def test_again_from_the_first_row():
    rows, states, labels = made_up(5)
    amendments = amendments_of(states, labels)
    first = in_batches(rows, amendments, 7)
    assert in_batches(rows, amendments.again(), 7) == first
    assert first != rows
