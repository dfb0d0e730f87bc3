"""The decoder over batches: where it stops, what it leaves behind, what a frame's container says."""

from __future__ import annotations

from array import array
from collections import Counter

import pytest

from tcptrace_py.capture.frames import LINK_PRINTED
from tcptrace_py.columns import filled
from tcptrace_py.decode import Batch, Decoder, DpktDecoder
from tcptrace_py.decode.nets import Nets
from tcptrace_py.vocabulary import Unused
from tests import packets as p
from tests.decoding import decoded, why_unused
from tests.packets import frames

ACK = p.ethernet(p.ipv4(p.tcp()))
ARP = p.ethernet(b"\0" * 28, 0x0806)
DATA = p.ethernet(p.ipv4(p.tcp(payload=b"hello")))


@pytest.mark.parametrize("kind", [Decoder, DpktDecoder])
def test_stops_when_the_batch_is_full(kind: type[Decoder]) -> None:
    decoder, data, batch = kind(), frames([ACK, ARP, ACK, ARP, ACK]), Batch(2)
    assert decoder.decode(data, 0, batch) == 3
    assert (batch.n, decoder.unused[Unused.not_ip]) == (2, 1)
    assert decoder.decode(data, 3, batch) == 3
    batch.n = 0
    assert decoder.decode(data, 3, batch) == 5
    assert (batch.n, int(batch.frame[0]), decoder.unused[Unused.not_ip]) == (1, 5, 2)


def test_appends_to_what_is_there() -> None:
    decoder, batch = Decoder(), Batch(8)
    assert decoder.decode(frames([ACK]), 0, batch) == 1
    assert decoder.decode(frames([DATA], first_frame=100), 0, batch) == 1
    assert batch.column("frame").tolist() == [1, 100]
    assert batch.column("payload").tolist() == [0, 5]


@pytest.mark.parametrize("kind", [Decoder, DpktDecoder])
def test_lets_go_of_the_buffer(kind: type[Decoder]) -> None:
    """A reader resizes its buffer between batches; a view of it that is still held would forbid that."""
    data = frames([ACK, p.ethernet(p.gre(ACK, protocol=0x6558))])
    data.buffer = bytearray(data.buffer)
    assert kind().decode(data, 0, Batch(8)) == 2
    data.buffer += b"more"


def test_rest_of_an_aggregate_waits_for_room() -> None:
    aggregate = p.a_msdu(*[p.ipv4(p.tcp(seq=number)) for number in range(5)])
    decoder, data, batch = Decoder(), frames([aggregate], 105), Batch(2)
    found, calls, at = [], 0, 0
    while at < data.n:
        batch.n = 0
        at = decoder.decode(data, at, batch)
        found += batch.column("seq").tolist()
        calls += 1
    assert (found, calls) == ([0, 1, 2, 3, 4], 3)
    assert sum(decoder.unused) == 0


@pytest.mark.parametrize("kind", [Decoder, DpktDecoder])
@pytest.mark.parametrize(("mark", "seen"), [(0, 0), (1, 1), (2, 2), (4, 0), (8, 32768), (11, 32771)])
def test_marks_of_the_container(kind: type[Decoder], mark: int, seen: int) -> None:
    data = frames([ACK, p.ethernet(p.gre(ACK, protocol=0x6558))])
    data.marks[:] = filled("i", data.n, mark)
    assert [row["marks"] for row in decoded(data, kind).rows] == [seen | 256] * 2


def test_interface_and_time_are_the_frame_s() -> None:
    data = frames([ACK, ACK], step_ns=7)
    data.interface[:] = array("i", [3, 4])
    rows = decoded(data).rows
    assert [(row["interface"], row["time_ns"]) for row in rows] == [(3, p.BASE_NS), (4, p.BASE_NS + 7)]


@pytest.mark.parametrize("kind", [Decoder, DpktDecoder])
def test_two_link_types_in_one_capture(kind: type[Decoder]) -> None:
    data = frames([ACK, p.sll(p.ipv4(p.tcp())), b"x", p.ipv4(p.tcp())], [1, 113, 147, 101])
    result = decoded(data, kind)
    assert [row["frame"] for row in result.rows] == [1, 2, 4]
    assert result.unused == {"unsupported_link": 1}


@pytest.mark.parametrize("kind", [Decoder, DpktDecoder])
def test_payloads_where_all_of_one_was_captured(kind: type[Decoder]) -> None:
    cut = frames([DATA], snaplen=56)
    tunnelled = p.ethernet(p.vxlan(DATA))
    whole = frames([DATA, ACK, tunnelled])
    assert [row["octets"] for row in decoded(whole, kind, payloads=True).rows] == [b"hello", b"", b"hello"]
    assert [row["octets"] for row in decoded(cut, kind, payloads=True).rows] == [None]
    assert "octets" not in decoded(whole, kind).rows[0]


def test_nets() -> None:
    nets = Nets(Counter(), 4)
    assert (nets.name(0), nets.name(5), nets.name(3 << 12 | 5)) == ("", "vlan 5", "vlan 3.5")
    vxlan = nets.inside(5, "vxlan", 42)
    assert (vxlan, nets.name(vxlan)) == (1 << 63, "vlan 5, vxlan 42")
    assert nets.inside(0, "vxlan", 42) == 1 << 63 | 1
    assert nets.inside(5, "vxlan", 42) == vxlan
    assert nets.name(nets.inside(vxlan, "gtp", None)) == "vlan 5, vxlan 42, gtp"
    assert nets.inside(5, "vlan", 6) == 5 << 12 | 6
    full = (1 << 60) - 1
    assert nets.name(full) == "vlan 4095.4095.4095.4095.4095"
    assert nets.name(nets.inside(full, "vlan", 1)) == "vlan 4095.4095.4095.4095.4095, vlan 1"


@pytest.mark.parametrize("kind", [Decoder, DpktDecoder])
def test_printed_packet(kind: type[Decoder]) -> None:
    line = (
        b"12:00:00.000001 IP 10.0.0.1.40000 > 10.0.0.2.80: Flags [S], seq 7, win 512, "
        b"options [mss 1460,sackOK,TS val 5 ecr 0,nop,wscale 7], length 0"
    )
    (row,) = decoded(frames([line], LINK_PRINTED), kind).rows
    assert (row["src_lo"], row["sport"], row["dst_lo"], row["dport"]) == (0xFFFF0A000001, 40000, 0xFFFF0A000002, 80)
    assert (row["flags"], row["seq"], row["window"], row["mss"], row["wscale"], row["tsval"]) == (2, 7, 512, 1460, 7, 5)
    assert row["marks"] & 16384
    assert why_unused(b"nothing of the kind", LINK_PRINTED) in ({"unparsed_line": 1}, {"not_ip": 1})


def test_printed_packet_with_sack_and_ipv6() -> None:
    line = (
        b"12:00:00.000001 IP6 2001:db8::1.40000 > 2001:db8::2.80: Flags [.], ack 7, win 512, "
        b"options [nop,nop,sack 2 {10:20}{30:40}], length 0"
    )
    (row,) = decoded(frames([line], LINK_PRINTED)).rows
    assert (row["src_hi"], row["src_lo"], row["sack"]) == (0x20010DB800000000, 1, [10, 20, 30, 40])
    assert row["marks"] & (4 | 4096) == 4 | 4096


def test_unused_names_every_reason() -> None:
    assert len(Decoder().unused) == len(DpktDecoder().unused) == len(Unused)
