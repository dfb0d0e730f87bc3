"""Octets that come again with other content: what is found, what cannot be, and what tshark says."""

from __future__ import annotations

import shutil
import subprocess

import pytest

import tcptrace_py as tt
from tests import packets
from tests.packets import ACK, PSH, SYN

HEAD = b"HTTP/1.1 200 OK\r\nContent-Length: 300\r\n\r\n"
ASKED = b"GET / HTTP/1.1\r\nHost: a\r\n\r\n"
BODY = 1 + len(HEAD)
OPENING = [(0, SYN, 0, 0, b""), (1, SYN | ACK, 0, 1, b""), (0, ACK, 1, 1, b""), (0, PSH | ACK, 1, 1, ASKED)]


def captured(path, answers, *, cut=0):
    """An exchange in which the server sends `answers`, (number, octets), captured without their last `cut` octets."""
    answered = [(1, PSH | ACK, number, 1 + len(ASKED), octets) for number, octets in answers]
    return written(path, [*OPENING, *answered], cut=cut)


def written(path, segments, *, gap_ns=10**7, cut=0):
    """Segments (side, flags, seq, ack, octets) as a capture."""
    homes, data = ((packets.CLIENT, 40_000), (packets.SERVER, 80)), []
    for place, (side, flags, seq, ack, octets) in enumerate(segments):
        (source, sport), (target, dport) = homes[side], homes[1 - side]
        acked = (1000 + ack) * bool(flags & ACK)
        tcp = packets.tcp(flags, seq=1000 + seq, ack=acked, payload=octets, sport=sport, dport=dport)
        whole = packets.ipv4(tcp, source, target, ip_id=100 + place)
        data.append(whole[: len(whole) - cut] if len(octets) > cut else whole)
    return packets.write_pcap(path, data, 101, times=[packets.BASE_NS + place * gap_ns for place in range(len(data))])


def differing(path, **options):
    """Frame -> frame that it differs from."""
    trace = tt.analyze(str(path), tables=("events",), **({"overlaps": True} | options))
    rows = trace.arrow("events").to_pylist()
    return {row["frame"]: row["evidence"] for row in rows if row["code"] == "seq_overlap_diff"}


REWRITTEN = [
    (1, HEAD + b"a" * 100),
    (BODY + 100, b"a" * 100),
    (BODY + 100, b"b" * 100),  # all other octets
    (BODY + 150, b"c" * 100),  # half of it over frame 6, half new
    (BODY + 200, b"a" * 100),  # over the new half of frame 8
    (BODY + 100, b"a" * 100),  # as it was first
]


@pytest.mark.parametrize("reader", ["own", "dpkt"])
@pytest.mark.parametrize("batch_size", [1, 3, 4096])
def test_in_whole_and_in_part(tmp_path, reader, batch_size):
    path = captured(tmp_path / "http.pcap", REWRITTEN)
    assert differing(path, reader=reader, batch_size=batch_size) == {7: 6, 8: 6, 9: 8}


def test_nothing_is_compared_unless_asked(tmp_path):
    path = captured(tmp_path / "http.pcap", REWRITTEN)
    assert differing(path, overlaps=False) == {}
    assert "seq_overlap_diff" not in tt.analyze(path).summary.findings


def test_the_same_octets_however_cut_are_no_finding(tmp_path):
    whole = bytes(range(200))
    path = captured(tmp_path / "cut.pcap", [(1, whole[:120]), (121, whole[120:]), (1, whole), (51, whole[50:150])])
    assert differing(path) == {}


def test_tshark_finds_as_many_where_it_reassembles(tmp_path):
    """tshark compares what it puts together for a dissector, here a response of HTTP, and says so when it is whole."""
    if shutil.which("tshark") is None:
        pytest.skip("tshark is not installed")
    path = captured(tmp_path / "http.pcap", REWRITTEN[:5])
    asked = ["tshark", "-2", "-o", "tcp.reassemble_out_of_order:TRUE", "-r", str(path), "-T", "fields"]
    made = subprocess.run([*asked, "-e", "tcp.segment.overlap.conflict"], capture_output=True, text=True, check=True)
    assert made.stdout.count("1") == len(differing(path)) == 3


def test_a_cut_packet_is_not_compared(tmp_path):
    path = captured(tmp_path / "cut.pcap", [(1, b"a" * 100), (1, b"b" * 100)], cut=10)
    assert differing(path) == {}


def test_beyond_64_kib_octets_are_forgotten(tmp_path):
    near = [(1, b"a" * 1000), *((1001 + 1000 * k, b"a" * 1000) for k in range(60)), (1, b"b" * 1000)]
    far = [(1, b"a" * 1000), *((1001 + 1000 * k, b"a" * 1000) for k in range(66)), (1, b"b" * 1000)]
    assert differing(captured(tmp_path / "near.pcap", near)) == {len(OPENING) + 62: len(OPENING) + 1}
    assert differing(captured(tmp_path / "far.pcap", far)) == {}


def test_the_octet_of_a_keep_alive_may_be_anything(tmp_path):
    """RFC 9293 section 3.8.4: it may carry one garbage octet."""
    data = (1, PSH | ACK, 1, 1 + len(ASKED), b"a" * 100)
    acked = (0, ACK, 1 + len(ASKED), 101, b"")
    asks = (1, ACK, 100, 1 + len(ASKED), b"x")
    path = written(tmp_path / "alive.pcap", [*OPENING, data, acked, asks], gap_ns=2 * 10**9)
    assert "keep_alive" in tt.analyze(path, overlaps=True).summary.findings
    assert differing(path) == {}
