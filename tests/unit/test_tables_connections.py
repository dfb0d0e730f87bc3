"""The `connections` table: a column at a time, a row at a time, and its plain twin say the same."""

from __future__ import annotations

import random
from pathlib import Path

import pyarrow as pa
import pytest

from tcptrace_py import pipeline
from tcptrace_py.options import Options
from tcptrace_py.tables import build, connections
from tcptrace_py.tables.schema import CONNECTIONS, arrow_schema
from tcptrace_py.tables.shares import put_by, schema_put_by
from tcptrace_py.vocabulary import ANOMALIES, RolesFrom, State
from tests import seg
from tests.naive import connections as naive
from tests.unit.test_scenarios import SCENARIOS, script_of

FIXTURES = sorted((Path(__file__).resolve().parents[1] / "fixtures").glob("*.pcap"))
BESIDE = {"capture", "network", "instance"}
U8, U16, U32, S64 = 2**8 - 1, 2**16 - 1, 2**32 - 1, 2**63 - 1

FLAGS = (False, True)
SMALL = (0, 1, 2, 20, U32)
NUMBERS = (0, 1, 1448, U32, 2**53 + 1, S64)
SEEN = (-1, *NUMBERS)
OF_CONNECTIONS = {
    **dict.fromkeys(("start", "end"), (0, 1, 1_700_000_000 * 10**9, S64)),
    **dict.fromkeys(("syn_time", "syn_ack_time", "hs_ack_time", "reuse_gap"), SEEN),
    **dict.fromkeys(("retry_of", "continues"), (-1, 0, 1, U32)),
    **dict.fromkeys(("timed", "evicted", "refused", "reset_after_close"), FLAGS),
    **dict.fromkeys(("syns", "syn_acks"), SMALL),
    **dict.fromkeys(("steps_checked", "steps_failed"), range(128)),
    "found": [0, *(1 << each.code for each in ANOMALIES if each.code < 64), 1 << 63, 2**64 - 1],
    "found_conn": [0, *(1 << each.code - 64 for each in ANOMALIES if each.code >= 64), 2**64 - 1],
    "reset_by": (0, 1, 2),
    "client_side": (0, 1),
    "roles_from": range(len(RolesFrom)),
    "conn_id": (0, U32),
}
OF_ENDS = {
    **dict.fromkeys(("wire_bytes", "octets", "unique_octets", "resent_octets", "zero_window_ns"), NUMBERS),
    **dict.fromkeys(("window_min", "window_max", "initial_window", "first_data", "last_data", "idle_max"), SEEN),
    **dict.fromkeys(("rtt_min", "rtt_max", "fin_time", "fin_acked_time", "fin_end", "fin_ack"), SEEN),
    **dict.fromkeys(("max_in_flight", "after_fin_octets"), NUMBERS),
    **dict.fromkeys(("segments", "data_segments", "retransmissions", "recoveries", "out_of_order"), SMALL),
    **dict.fromkeys(("lost_segments", "copies", "duplicate_acks", "syns", "fins", "rsts"), SMALL),
    **dict.fromkeys(("zero_windows", "rtt_n", "max_segment"), SMALL),
    **dict.fromkeys(("sack_permitted", "timestamps", "seen"), FLAGS),
    **dict.fromkeys(("rtt_sum", "rtt_squares"), (0.0, 0.5, 2.5, 1e9 / 3, 7.1e17)),
    **dict.fromkeys(("state", "proved"), range(len(State))),
    "missing_octets": (0, 1, U32),
    "front": (0, 1, 5),
    "ranges": (None, [], [7, 9], [7, 9, 12, 2**40]),
    "mss": (-1, 0, 1460, U16),
    "wscale": (-1, 0, 14),
    "ttl": (0, 1, 64, U8),
}
ENDS = ((0, 0xFFFF_0A00_0001, 0), (0, 0xFFFF_0A00_0102, U16), (0x2001_0DB8 << 32, 1, 443), (2**64 - 1, 2**64 - 1, 80))


def ended(path):
    """A pass over a capture, and the connections that it left."""
    done = pipeline.run(path, Options(), keep=frozenset({"connections"}))
    return done, sorted(done.tracker.finished, key=lambda conn: conn.conn_id)


def columnwise(done, conns, capture="it"):
    batch = build.connections_batch(done, conns, capture, build.Instances())
    batch.validate(full=True)
    assert batch.schema.equals(arrow_schema("connections"), check_metadata=True)
    return build.as_rows(batch)


def all_say_the_same(done, conns):
    rows = columnwise(done, conns)
    instances = build.Instances()
    assert rows == [build.connection(done, conn, "it", instances) for conn in conns]
    assert [{name: row[name] for name in row if name not in BESIDE} for row in rows] == list(map(naive.row, conns))


@pytest.mark.parametrize("name", SCENARIOS)
def test_scenarios(tmp_path, name):
    all_say_the_same(*ended(seg.write(script_of(name), tmp_path / "scenario.pcap")))


@pytest.mark.parametrize("path", FIXTURES, ids=lambda path: path.stem)
def test_fixtures(path):
    all_say_the_same(*ended(path))


@pytest.mark.parametrize("seed", range(40))
def test_extreme_values(seed):
    chance = random.Random(seed)
    done, conns = ended(FIXTURES[seed % len(FIXTURES)])
    for conn in conns:
        conn.pair = (*chance.choices(ENDS, k=2), chance.choice((0, 5)))
        for thing, values in ((conn, OF_CONNECTIONS), (conn.client, OF_ENDS), (conn.server, OF_ENDS)):
            for name in chance.sample(sorted(values), chance.choice((1, 5, len(values)))):
                setattr(thing, name, chance.choice(values[name]))
    all_say_the_same(done, conns)


def test_no_connection_is_a_batch_without_rows():
    done, _ = ended(FIXTURES[0])
    assert columnwise(done, []) == []
    (batch,) = build.connection_rows(done, [], "it", build.Instances())
    assert batch.num_rows == 0


def test_nulls_hold_zero():
    """Nobody reads what stands where a value is null, but files that are written should not differ by it."""
    done, conns = ended(FIXTURES[0])
    for conn in conns:
        conn.retry_of = conn.client.mss = -1
        conn.end = conn.start  # no duration, so no throughput
    batch = build.connections_batch(done, conns, "it", build.Instances())
    for name, kind in (("retry_of", "I"), ("c2s_mss", "H"), ("c2s_throughput", "d")):
        assert batch.column(name).null_count == len(conns)
        assert memoryview(batch.column(name).buffers()[1]).cast(kind).tolist() == [0] * len(conns)


def test_as_a_share_puts_them_by():
    """Numbers of connections are wider there; all else is the same."""
    done, conns = ended(FIXTURES[0].with_name("port_reuse.pcap"))
    batch = build.connections_batch(done, conns, "it", build.Instances(), put_by("connections"))
    assert batch.schema.equals(schema_put_by("connections"))
    assert batch.schema.field("retry_of").type == pa.int64()
    rows = [{name: row[name] for name in row if name != "capture"} for row in columnwise(done, conns)]
    assert build.as_rows(batch) == rows


def test_every_column_follows_from_a_fact():
    assert set(connections.ALL_FACTS) | BESIDE == {column.name for column in CONNECTIONS}
