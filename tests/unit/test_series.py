"""What graphs show: thinned out where there is too much, and which connections are the worst."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pyarrow as pa
import pytest

import tcptrace_py as tt
from bench.generator import make
from bench.workloads import Workload
from tcptrace_py.tables import series
from tcptrace_py.tables.ranking import worst_first
from tests.containers import START, pcap

FIXTURES = Path(__file__).resolve().parents[1] / "fixtures"
LOSS = FIXTURES / "loss_bulk.pcap"


def both_ways(trace, conn_id=0):
    return series.ways(pa.Table.from_batches(list(trace.batches("timeline", conn_id))).select(series.NEEDED))


@pytest.mark.parametrize("most", [2, 10, 40, 84, 85, 1000])
def test_thinned(most):
    way = both_ways(tt.analyze(LOSS))["s2c"]
    some = series.thinned(way, most)
    assert len(some.time) == min(most, 85)
    assert some.segments == way.segments == 85
    assert set(some.frame) <= set(way.frame)
    assert all(len(column) == len(some.time) for column in (*some[:4], *some.columns.values()))
    if most >= 40:
        assert set(way.frame[way.marks != 0]) <= set(some.frame)
    if most >= 85:
        assert some is way
    places = {frame: place for place, frame in enumerate(way.frame)}
    for name, column in some.columns.items():
        assert [way.columns[name][places[frame]] for frame in some.frame] == column.tolist()


def test_sack_blocks_stay_with_their_rows():
    way = both_ways(tt.analyze(LOSS))["c2s"]
    some = series.thinned(way, 20)
    held = {(way.frame[row], left, right) for row, left, right in way.sack.T}
    kept = {(some.frame[row], left, right) for row, left, right in some.sack.T}
    assert kept == {block for block in held if block[0] in set(some.frame)}
    assert kept


def test_rows_are_in_the_order_of_time(tmp_path):
    packets = [(stamp, data) for stamp, data in zip([0, 5, 3, 9], packets_of(LOSS), strict=False)]
    path = tmp_path / "back.pcap"
    path.write_bytes(pcap([(START + stamp * 1000, data) for stamp, data in packets], link=101))
    ways = both_ways(tt.analyze(path))
    assert all((np.diff(way.time) >= 0).all() for way in ways.values())
    assert sum(len(way.time) for way in ways.values()) == 4


def packets_of(path):
    data = path.read_bytes()[24:]
    while data:
        size = int.from_bytes(data[8:12], "little")
        yield data[16 : 16 + size]
        data = data[16 + size :]


def test_throughput_has_as_many_octets_as_the_connection(tmp_path):
    path = tmp_path / "flow.pcap"
    make(Workload("flow", 6000, snap=96), path)
    trace = tt.analyze(path)
    table = pa.Table.from_batches([series.throughput(both_ways(trace))]).to_pandas()
    record = trace[0].record
    for way in ("c2s", "s2c"):
        mine = table[table["direction"] == way]
        assert mine["octets"].sum() == record[f"{way}_octets"]
        assert (mine["throughput"] * mine["step_ns"] / 1e9).sum() == pytest.approx(record[f"{way}_octets"])
    assert table["step_ns"].nunique() == 1


def test_the_worst_are_those_of_the_summary(tmp_path):
    path = tmp_path / "mix.pcap"
    make(Workload("mix", 6000), path)
    for capture in (path, *sorted(FIXTURES.glob("*.pcap"))):
        trace = tt.analyze(capture)
        order = worst_first(trace.arrow("connections")).tolist()
        assert order[:20] == [record["conn_id"] for record in trace.summary.worst]
        assert sorted(order) == list(range(len(trace)))
