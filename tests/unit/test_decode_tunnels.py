"""Tunnels: the innermost segment, the network that it belongs to, and how deep it may be."""

from __future__ import annotations

import struct

import pytest

from tcptrace_py.options import Limits
from tests import packets as p
from tests.decoding import address, decoded, one, why_unused

SYN = p.ipv4(p.tcp(p.SYN, seq=7, payload=b"abc"))
SYN_6 = p.ipv6(p.tcp(p.SYN, seq=7, payload=b"abc"))
FRAME = p.ethernet(SYN)

TUNNELS = {
    "IPIP": (p.ipip(SYN), "ipip"),
    "IPv4 in IPv6": (p.ip_in_ipv6(SYN), "ipip"),
    "protocol 94": (p.ipv4(SYN, protocol=94), "ipip"),
    "GRE": (p.gre(SYN), "gre"),
    "GRE with key and sequence": (p.gre(SYN, key=99, sequence=3), "gre"),
    "GRE with checksum": (p.ipv4(b"\x80\0\x08\0\0\0\0\0" + SYN, protocol=47), "gre"),
    "GRE with Ethernet": (p.gre(FRAME, protocol=0x6558), "gre"),
    "GRE with PPP": (p.gre_pptp(SYN), "pptp"),
    "GRE with PPP and acknowledgement": (p.gre_pptp(SYN, ack=4), "pptp"),
    "GRE with MPLS": (p.gre(p.mpls(SYN, 16)), "gre"),
    "GRE from an Aruba access point": (p.gre(p.wlan(SYN), protocol=0x8240), "gre"),
    "GRE in UDP": (p.over_udp(b"\0\0\x08\0" + SYN, 4754), "gre"),
    "ERSPAN I": (p.gre(FRAME, protocol=0x88BE), "erspan"),
    "ERSPAN II": (p.gre(b"\x10\1\0\1\0\0\0\1" + FRAME, protocol=0x88BE, sequence=1), "erspan"),
    "ERSPAN III": (p.gre(b"\x20\1" + b"\0" * 10 + FRAME, protocol=0x22EB, sequence=1), "erspan"),
    "ERSPAN III with platform": (p.gre(b"\x20\1" + b"\0" * 9 + b"\1" + b"\0" * 8 + FRAME, protocol=0x22EB), "erspan"),
    "WCCP": (p.gre(SYN, protocol=0x883E), "wccp"),
    "WCCP 2": (p.gre(b"\0\0\0\1" + SYN, protocol=0x883E), "wccp"),
    "EtherIP": (p.ipv4(b"\x30\0" + FRAME, protocol=97), "etherip"),
    "MPLS in IP": (p.ipv4(p.mpls(SYN, 16), protocol=137), ""),
    "MPLS in UDP": (p.over_udp(p.mpls(SYN, 16), 6635), ""),
    "VXLAN": (p.vxlan(FRAME, 42), "vxlan 42"),
    "VXLAN on Linux's first port": (p.over_udp(b"\x08\0\0\0\0\0\x2a\0" + FRAME, 8472), "vxlan 42"),
    "VXLAN with a policy group": (p.over_udp(b"\x88\0\0\7\0\0\x2a\0" + FRAME, 4789), "vxlan 42"),
    "VXLAN to the sender's port": (p.ipv4(p.udp(b"\x08\0\0\0\0\0\x2a\0" + FRAME, 4789, 1234), protocol=17), "vxlan 42"),
    "VXLAN-GPE": (p.over_udp(b"\x0c\0\0\1\0\0\x2a\0" + SYN, 4790), "vxlan 42"),
    "VXLAN-GPE with Ethernet": (p.over_udp(b"\x08\0\0\0\0\0\x2a\0" + FRAME, 4790), "vxlan 42"),
    "VXLAN with a tag inside": (p.vxlan(p.ethernet(p.vlan(7, SYN)), 42), "vxlan 42, vlan 7"),
    "Geneve": (p.geneve(FRAME, 42), "geneve 42"),
    "Geneve with options": (p.geneve(FRAME, 42, options=b"\1\2\x80\1abcd"), "geneve 42"),
    "Geneve with IP": (p.geneve(SYN, 42, protocol=0x0800), "geneve 42"),
    "GTP-U": (p.gtp_u(SYN), "gtp"),
    "GTP-U with an extension header": (p.gtp_u(SYN, extension=b"\x85\1\0\1\0"), "gtp"),
    "GTP-U with sequence numbers": (p.over_udp(b"\x32\xff\0\x2f\0\0\0\1\0\1\0\0" + SYN, 2152), "gtp"),
    "L2TP": (p.l2tp(SYN), "l2tp"),
    "L2TP with length, sequence, offset": (
        p.over_udp(struct.pack(">HHHHHHH", 0x4A02, 99, 7, 8, 1, 1, 2) + b"\0\0" + p.ppp(SYN), 1701),
        "l2tp",
    ),
    "LISP": (p.over_udp(b"\x80" + b"\0" * 7 + SYN, 4341), "lisp"),
    "AYIYA": (p.over_udp(b"\x44\x52\x11\x04" + b"\0" * 4 + b"\0" * 16 + b"\0" * 20 + SYN, 5072), "ayiya"),
}  # fmt: skip


@pytest.mark.parametrize("case", TUNNELS)
def test_ipv4_inside(case: str) -> None:
    outer, name = TUNNELS[case]
    for frame in (p.ethernet(outer), p.ethernet(outer) + b"\0" * 8):
        row = one(frame)
        found = (address(row, "src"), address(row, "dst"), row["seq"], row["payload"], row["marks"])
        assert found == (p.CLIENT, p.SERVER, 7, 3, 256)
        assert row["net_name"] == name


TUNNELS_6 = {
    "6in4": (p.ipip(SYN_6), "ipip"),
    "IPv6 in IPv6": (p.ip_in_ipv6(SYN_6), "ipip"),
    "GRE": (p.gre(SYN_6), "gre"),
    "GTP-U": (p.gtp_u(SYN_6), "gtp"),
    "VXLAN": (p.vxlan(p.ethernet(SYN_6)), "vxlan 42"),
    "VXLAN-GPE": (p.over_udp(b"\x0c\0\0\2\0\0\x2a\0" + SYN_6, 4790), "vxlan 42"),
    "Geneve": (p.geneve(SYN_6, protocol=0x86DD), "geneve 42"),
    "Teredo": (p.over_udp(SYN_6, 3544), "teredo"),
    "Teredo with origin": (p.over_udp(b"\0\0" + b"\0" * 6 + SYN_6, 3544), "teredo"),
    "Teredo with authentication and origin": (
        p.over_udp(b"\0\1\0\0" + b"\0" * 9 + b"\0\0" + b"\0" * 6 + SYN_6, 3544),
        "teredo",
    ),
    "AYIYA": (p.over_udp(b"\x44\x52\x11\x29" + b"\0" * 4 + b"\0" * 16 + b"\0" * 20 + SYN_6, 5072), "ayiya"),
    "UDP over IPv6": (p.ipv6(p.udp(b"\x08\0\0\0\0\0\x2a\0" + p.ethernet(SYN_6), 9, 4789), protocol=17), "vxlan 42"),
}


@pytest.mark.parametrize("case", TUNNELS_6)
def test_ipv6_inside(case: str) -> None:
    outer, name = TUNNELS_6[case]
    row = one(p.ethernet(outer))
    assert (address(row, "src"), address(row, "dst"), row["payload"], row["marks"]) == (
        p.CLIENT_6,
        p.SERVER_6,
        3,
        256 | 4096,
    )
    assert row["net_name"] == name


@pytest.mark.parametrize(
    ("data", "port"),
    [
        (b"hello", 4789),
        (b"\0" * 60, 4789),
        (b"\x04" * 60, 4790),
        (b"\x08\0\0\x09\0\0\x2a\0" + FRAME, 4790 + 0),
        (b"\0\0\0\5" + b"\0" * 60, 6081),
        (b"\x40" + b"\0" * 60, 6081),
        (b"\x32\1\0\4\0\0\0\0\0\0\0\0", 2152),  # echo request
        (b"\x30\xff\0\4\0\0\0\1\0\0\0\0", 2152),  # no IP inside
        (b"\x34\xff\0\4\0\0\0\1\0\1\0\x85\0\0\0\0", 2152),  # an extension header of no length
        (b"\xc8\2\0\x0c\0\0\0\0\0\0\0\0", 1701),  # control message
        (b"\0\3" + b"\0" * 30, 1701),
        (b"\0\0" + b"\0" * 60, 3544),
        (b"\x80" + b"\0" * 60, 4341),
        (b"\x44\x52\x12\x29" + b"\0" * 60, 5072),
        (b"", 8472),
        (b"", 4754),
    ],
)
def test_other_udp_on_a_tunnel_port(data: bytes, port: int) -> None:
    if port == 4790 and data[:4] == b"\x08\0\0\x09":
        data = b"\x0c" + data[1:]  # a protocol that VXLAN-GPE does not have
    assert why_unused(p.ethernet(p.over_udp(data, port))) == {"not_tcp": 1}


def test_no_segment_inside() -> None:
    arp = p.ethernet(b"\0" * 28, 0x0806)
    assert why_unused(p.ethernet(p.vxlan(arp))) == {"not_ip": 1}
    assert why_unused(p.ethernet(p.gre(b"", protocol=0))) == {"not_ip": 1}  # Cisco's keep-alive
    assert why_unused(p.ethernet(p.ipv4(b"\x20\1\x88\x0b\0\0\0\7", protocol=47))) == {"not_tcp": 1}  # PPTP ACK only
    assert why_unused(p.ethernet(p.ipv4(b"\x40\0\x08\0" + SYN, protocol=47))) == {"not_decoded": 1}
    assert why_unused(p.ethernet(p.ipip(SYN)[:40])) == {"truncated_header": 1}


def test_pppoe_and_backbone() -> None:
    assert one(p.ethernet(p.pppoe(SYN, 17)))["net_name"] == "pppoe 17"
    assert one(p.ethernet(b"\0\0\x30\x39" + FRAME, 0x88E7))["net_name"] == "pbb 12345"
    assert one(p.pppoe(SYN, 3), 51)["net_name"] == "pppoe 3"


def test_outer_vlan_and_inner_vlan() -> None:
    row = one(p.ethernet(p.vlan(3, p.vlan(5, p.vxlan(p.ethernet(p.vlan(7, p.vlan(8, SYN))), 9)))))
    assert row["net_name"] == "vlan 3.5, vxlan 9, vlan 7, vlan 8"


def test_numbers_are_given_in_order_of_appearance() -> None:
    packets = [
        p.ethernet(packet) for packet in (p.vxlan(FRAME, 9), p.vxlan(FRAME, 8), SYN, p.gtp_u(SYN), p.vxlan(FRAME, 9))
    ]
    nets = [row["net"] for row in decoded(p.frames(packets)).rows]
    assert nets == [1 << 63, 1 << 63 | 1, 0, 1 << 63 | 2, 1 << 63]


def test_both_directions_are_one_network() -> None:
    there = [p.gtp_u(SYN, 1), p.gre(SYN, key=1), p.l2tp(SYN, 1, 2), p.mpls(SYN, 16, 17)]
    back = [p.gtp_u(SYN, 2), p.gre(SYN, key=2), p.l2tp(SYN, 3, 4), p.mpls(SYN, 99)]
    rows = decoded(p.frames([p.ethernet(packet) for pair in zip(there, back, strict=True) for packet in pair])).rows
    nets = [row["net"] for row in rows]
    assert nets[::2] == nets[1::2]
    assert len(set(nets)) == 4


@pytest.mark.parametrize("depth", [4, 5, 6, 3000])
def test_depth(depth: int) -> None:
    packet = SYN
    for _ in range(min(depth, 3000)):
        packet = p.ipv4(packet, protocol=4, total=min(len(packet) + 20, 65535))
    if depth <= 4:
        assert one(packet, 101)["payload"] == 3
    else:
        assert why_unused(packet, 101) == {"depth_limit": 1}


def test_depth_is_an_option() -> None:
    assert why_unused(p.ipip(SYN), 101, limits=Limits(max_tunnels=0)) == {"depth_limit": 1}
    assert one(p.ipip(p.ipip(SYN)), 101, limits=Limits(max_tunnels=2))["payload"] == 3


def test_depth_without_tunnels() -> None:
    """Headers that are no tunnels have a bound as well."""
    packet: bytes = SYN
    for _ in range(40):
        packet = p.ethernet(packet, 0x8909 if packet is not SYN else 0x0800)
        packet = b"\1\1\0\1\0\0\x65\x58" + packet
    assert why_unused(p.ethernet(packet, 0x8909)) == {"depth_limit": 1}


def test_ip_length_of_the_innermost_packet_counts() -> None:
    row = one(p.ethernet(p.gtp_u(p.ipv4(p.tcp(payload=b"abc"), total=1500))))
    assert (row["payload"], row["marks"]) == (1460, 1024 | 8192)
    row = one(p.ethernet(p.vxlan(p.ethernet(p.ipv4(p.tcp(payload=b"abc"), total=0)))))
    assert (row["payload"], row["marks"]) == (3, 512)
