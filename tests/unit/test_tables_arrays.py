"""Columns into Arrow: values, nulls, lists; and that nothing shares memory with a batch."""

from __future__ import annotations

import random

import numpy as np
import pyarrow as pa
import pytest

from tcptrace_py.tables import arrays
from tcptrace_py.tables.schema import CONNECTIONS, STATES, TABLES, TIMELINE, arrow_type

COLUMN = {column.name: column for column in (*CONNECTIONS, *STATES, *TIMELINE)}
SIZES = [0, 1, 7, 8, 9, 64, 1000]


@pytest.mark.parametrize("size", SIZES)
@pytest.mark.parametrize("name", ["frame", "seq", "window_raw", "ttl", "rtt_ns", "time"])
def test_numbers(name, size):
    chance = np.random.default_rng(size)
    column = COLUMN[name]
    values = chance.integers(0, 200, size)
    known = chance.random(size) < 0.5
    array = arrays.numbers(column, values, known)
    array.validate(full=True)
    assert array.type == arrow_type(column)
    plain = array.cast(pa.int64()) if name == "time" else array
    assert plain.to_pylist() == [int(v) if k else None for v, k in zip(values, known, strict=True)]


def test_numbers_keep_the_largest():
    assert arrays.numbers(COLUMN["seq"], np.array([0xFFFFFFFF, 0], np.uint32)).to_pylist() == [0xFFFFFFFF, 0]
    assert arrays.numbers(COLUMN["rel_seq"], np.array([-(2**63), 2**63 - 1])).to_pylist() == [-(2**63), 2**63 - 1]


def test_numbers_do_not_share_memory():
    values = np.array([1, 2, 3], np.int64)
    array = arrays.numbers(COLUMN["rel_seq"], values)
    values[:] = 9
    assert array.to_pylist() == [1, 2, 3]


def test_numbers_of_every_second_row():
    values = np.arange(10, dtype=np.int64)[::2]
    assert arrays.numbers(COLUMN["rel_seq"], values).to_pylist() == [0, 2, 4, 6, 8]


def test_labels():
    array = arrays.labels(COLUMN["direction"], np.array([1, 0, 1]), np.array([True, True, False]))
    array.validate(full=True)
    assert array.to_pylist() == ["s2c", "c2s", None]
    assert array.dictionary.to_pylist() == ["c2s", "s2c"]


@pytest.mark.parametrize("size", SIZES)
def test_bits_as_lists_of_names(size):
    chance = random.Random(size)
    names = [f"name_{bit}" for bit in range(64)]
    words = [chance.choice((0, 1, 1 << 63, chance.getrandbits(64), 1 << chance.randrange(64))) for _ in range(size)]
    array = arrays.bit_names(np.array(words, np.uint64), names)
    array.validate(full=True)
    assert array.to_pylist() == [[names[bit] for bit in range(64) if word >> bit & 1] for word in words]


def test_booleans_with_nulls():
    array = arrays.booleans(np.array([True, False, True]), np.array([True, True, False]))
    assert array.to_pylist() == [True, False, None]


@pytest.mark.parametrize(
    ("name", "values"),
    [
        ("community_id", ["1:abc", "", "é"]),
        ("client_addr", [bytes(16), bytes(range(16))]),
        ("handshake_ok", [True, None, False]),
        ("findings", [[], ["duplicate_ack", "cap_loss"], []]),
        ("handshake", ["three_way", "not_seen", "three_way"]),
        ("closed_first", ["both", None, "client"]),
        ("capture", ["b.pcap", "a.pcap", "b.pcap"]),
        ("c2s_throughput", [1.5, None, 0.0]),
        ("retry_of", [None, 0xFFFFFFFF, 0]),
        ("c2s_ttl", [None, 255]),
    ],
)
def test_from_values(name, values):
    column = COLUMN[name]
    array = arrays.from_values(column, values)
    array.validate(full=True)
    assert (array.type, array.to_pylist()) == (arrow_type(column), values)


@pytest.mark.parametrize("table", sorted(TABLES))
def test_no_values(table):
    for column in TABLES[table]:
        if column.type != "bools":  # made from bits only
            array = arrays.from_values(column, [])
            array.validate(full=True)
            assert (array.type, len(array)) == (arrow_type(column), 0)


def test_a_word_that_is_not_in_its_set():
    with pytest.raises(KeyError):
        arrays.from_values(COLUMN["handshake"], ["perfect"])
