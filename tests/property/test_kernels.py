"""Small kernels and their naive twins, each through the door by which its result comes out."""

from __future__ import annotations

import io
import tempfile
from itertools import pairwise
from pathlib import Path

from hypothesis import given, settings
from hypothesis import strategies as st

import tcptrace_py as tt
from tcptrace_py.decode import Batch
from tcptrace_py.flows import FlowTable
from tests import packets
from tests.naive import kernels
from tests.packets import ACK, PSH, SYN

few = settings(max_examples=60, deadline=None, derandomize=True)
steps = st.lists(st.integers(-(2**29), 2**29), min_size=2, max_size=30)
spans = st.lists(st.tuples(st.integers(1, 3000), st.integers(1, 300)), min_size=1, max_size=40)


def one_way(sent: list[tuple[int, int]], flags: int = ACK | PSH) -> tt.Trace:
    """Segments (seq, octets) of one sender, 100 ms apart."""
    data = [packets.ipv4(packets.tcp(flags, seq=seq, payload=bytes(size)), ip_id=0) for seq, size in sent]
    times = [packets.BASE_NS + place * 10**8 for place in range(len(sent))]
    with tempfile.TemporaryDirectory() as folder:
        path = packets.write_pcap(Path(folder) / "one_way.pcap", data, 101, times=times)
        return tt.analyze(io.BytesIO(path.read_bytes()), tables=("connections", "timeline"))


@few
@given(st.integers(0, 2**32 - 1), steps)
def test_numbers_are_unwrapped_to_the_nearest_of_the_highest(first, ways):
    seqs = [first]
    for way in ways:
        seqs.append((seqs[-1] + way) % 2**32)
    line = kernels.unwrap_to_highest(seqs)
    rows = one_way([(seq, 0) for seq in seqs])[0].rows()
    assert [row["rel_seq"] - rows[0]["rel_seq"] for row in rows] == [number - line[0] for number in line]


@few
@given(st.integers(0, 2**32 - 1), st.lists(st.integers(0, 2**31 - 1), min_size=2, max_size=12))
def test_numbers_that_only_grow_are_unwrapped_without_end(first, ways):
    seqs = [first]
    for way in ways:
        seqs.append((seqs[-1] + way // 2) % 2**32)
    assert kernels.unwrap(seqs) == kernels.unwrap_to_highest(seqs)
    rows = one_way([(seq, 0) for seq in seqs])[0].rows()
    assert rows[-1]["rel_seq"] - rows[0]["rel_seq"] == sum(way // 2 for way in ways)


@few
@given(spans, st.integers(0, 2**32 - 1))
def test_octets_of_a_direction_are_a_set(sent, isn):
    """Sent in any order, overlapping in any way: seen, seen again, and missing below the highest."""
    whole = [((isn + lo) % 2**32, size) for lo, size in sent]
    record = one_way(whole)[0].record
    held = kernels.merged([(lo, lo + size) for lo, size in sent])
    unique = sum(hi - lo for lo, hi in held)
    ways = ("c2s", "s2c")
    assert sum(record[f"{way}_unique_octets"] for way in ways) == unique
    assert sum(record[f"{way}_resent_octets"] for way in ways) == sum(size for _, size in sent) - unique
    missing = sum(above[0] - below[1] for below, above in pairwise(held))
    assert sum(record[f"{way}_missing_octets"] for way in ways) == missing


@few
@given(spans)
def test_a_row_is_called_resent_where_its_octets_were_seen(sent):
    seen: set[int] = set()
    for (lo, size), row in zip(sent, one_way(sent)[0].rows(), strict=True):
        octets = set(range(lo, lo + size))
        if octets & seen:
            assert "retransmission" in row["anomalies"]
        elif seen and lo >= max(seen):
            assert "retransmission" not in row["anomalies"]
        seen |= octets


@few
@given(st.binary(max_size=300), st.integers(0, 2**32 - 1), st.integers(0, 0xFFFF))
def test_a_checksum_is_right_where_the_sum_over_all_words_says_so(payload, seq, claimed):
    right = packets.tcp(ACK, seq=seq, payload=payload)
    wrong = packets.tcp(ACK, seq=seq, payload=payload, checksum=claimed)
    addresses = packets.ipv4(b"", packets.CLIENT, packets.SERVER)[12:20]
    for made in (right, wrong):
        segment = made.packed(addresses[:4], addresses[4:])
        whole = addresses + bytes((0, 6)) + len(segment).to_bytes(2, "big") + segment
        data = [packets.ipv4(packets.tcp(SYN)), packets.ipv4(made)]
        with tempfile.TemporaryDirectory() as folder:
            path = packets.write_pcap(Path(folder) / "sum.pcap", data, 101)
            rows = tt.analyze(io.BytesIO(path.read_bytes()), tables=("timeline",))[0].rows()
        sound = kernels.internet_checksum(whole) == 0
        unfinished = "checksum_offload" in rows[1]["marks"]
        assert ("bad_checksum" in rows[1]["anomalies"]) == (not sound and not unfinished)


ends = st.tuples(st.integers(0, 2), st.integers(1, 3))  # address, port


@few
@given(st.lists(st.tuples(ends, ends, st.integers(0, 1)), min_size=1, max_size=60), st.integers(0, 2**64 - 1))
def test_pairs_of_endpoints_are_told_apart(pairs, seed):
    batch = Batch(len(pairs))
    batch.n = len(pairs)
    for place, (source, target, net) in enumerate(pairs):
        for name, value in zip(("src_lo", "sport", "dst_lo", "dport", "net"), (*source, *target, net), strict=True):
            batch.column(name)[place] = value
    slots, sides = memoryview(bytearray(4 * batch.n)).cast("i"), memoryview(bytearray(batch.n))
    FlowTable(seed).assign(batch, slots, sides)
    assert list(zip(slots, sides, strict=True)) == kernels.assign(pairs)
