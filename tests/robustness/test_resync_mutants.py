"""Damaged captures read with resync: tables that add up, or `UnreadableError`; never anything else."""

import gzip
import io
import random

import pytest

import tcptrace_py as tt
from tcptrace_py.errors import UnreadableError
from tcptrace_py.tables.schema import TABLES
from tests.containers import pcap, pcapng, snoop
from tests.robustness.hostile.door import TEN

SEED = 20261125
INPUTS = {
    "pcap": pcap(TEN * 3),
    "pcap-be-ns": pcap(TEN * 3, ">", unit=1),
    "pcapng": pcapng(TEN * 3),
    "pcapng-sections": pcapng(TEN * 2, ">") + pcapng(TEN),
    "snoop": snoop(TEN * 3),
    "gzip": gzip.compress(pcap(TEN * 5)),
}


def mutant(chance, data):
    data = bytearray(data)
    for _ in range(chance.choice((1, 2, 4, 8))):
        at = chance.randrange(len(data))
        kind = chance.randrange(4)
        if kind == 0:
            data[at] = chance.choice((0, 0x7F, 0x80, 0xFF, chance.randrange(256)))
        elif kind == 1:
            del data[at : at + chance.randrange(1, 60)]
        elif kind == 2:
            data[at:at] = chance.randbytes(chance.randrange(1, 60))
        else:
            data[at : at + 4] = chance.choice((b"\xff" * 4, bytes(4), chance.randbytes(4)))
    return bytes(data)


@pytest.mark.parametrize("name", INPUTS)
def test_mutants(name):
    chance = random.Random(f"{SEED} {name}")
    kept = 0
    for number in range(60):
        data = mutant(chance, INPUTS[name])
        try:
            trace = tt.analyze(
                io.BytesIO(data), resync=True, tables=list(TABLES), batch_size=chance.choice((1, 7, 4096))
            )
        except UnreadableError:
            continue
        (capture,) = trace.summary.captures
        rows = {table: trace.arrow(table).num_rows for table in TABLES}
        assert rows["timeline"] == capture["segments"], number
        assert rows["connections"] == capture["connections"], number
        assert (capture["status"] == "ok") == (not capture["reason"]) == (not capture["message"]), number
        kept += capture["packets_read"]
    assert kept > 60  # of gzip data most is lost
