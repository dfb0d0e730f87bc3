"""Link layers and tags: whatever stands before the IP header, the segment behind it is the same."""

from __future__ import annotations

import struct

import pytest

from tcptrace_py.capture.frames import LINK_PRINTED
from tcptrace_py.decode.links import NAMES, is_decoded, named
from tcptrace_py.options import Limits
from tests import packets as p
from tests.decoding import address, decoded, one, why_unused

SYN = p.ipv4(p.tcp(p.SYN, seq=7, options=p.mss(1460)))
SYN_6 = p.ipv6(p.tcp(p.SYN, seq=7, options=p.mss(1440)))


def erf(kind: bytes, extensions: int = 0) -> bytes:
    """An ERF header for a frame with SYN."""
    size = 14 + len(SYN)
    return b"\0" * 8 + kind + struct.pack(">BHHH", 4, 16 + extensions + 2 + size, 0, size)


PLAIN = {
    "ethernet": (p.ethernet(SYN), 1),
    "802.3 with LLC and SNAP": (p.ieee_802_3(SYN), 1),
    "802.3 with IP's own SAP": (p.ethernet(b"\x06\x06\x03" + SYN, 3 + len(SYN)), 1),
    "cooked": (p.sll(SYN), 113),
    "cooked 2": (p.sll2(SYN), 276),
    "raw 101": (SYN, 101),
    "raw 12": (SYN, 12),
    "raw 14": (SYN, 14),
    "IPv4": (SYN, 228),
    "null, little-endian": (p.null(SYN), 0),
    "null, big-endian": (p.null(SYN, byte_order=">"), 0),
    "loop": (p.null(SYN, byte_order=">"), 108),
    "PPP": (p.ppp(SYN), 9),
    "PPP without address and control": (p.ppp(SYN)[2:], 9),
    "PPP with a protocol of one octet": (p.ppp(SYN)[3:], 9),
    "PPP in HDLC": (p.ppp(SYN), 50),
    "PPP with direction": (b"\0" + p.ppp(SYN), 204),
    "PPP bridging Ethernet": (b"\xff\x03\0\x31\0\1" + p.ethernet(SYN), 9),
    "PPP multilink, all in one": (b"\xff\x03\0\x3d\xc0\0\0\1" + p.ppp(SYN)[2:], 9),
    "PPP over MPLS": (b"\xff\x03\x02\x81" + p.mpls(SYN, 17), 9),
    "Cisco HDLC under PPP's link type": (p.chdlc(SYN), 9),
    "Cisco HDLC": (p.chdlc(SYN), 104),
    "frame relay, NLPID": (b"\x18\x41\x03\xcc" + SYN, 107),
    "frame relay, SNAP": (b"\x18\x41\x03\0\x80\0\0\0\x08\0" + SYN, 107),
    "frame relay, Cisco": (b"\x18\x41\x08\0" + SYN, 107),
    "FDDI": (p.fddi(SYN), 10),
    "Token Ring": (p.token_ring(SYN), 6),
    "Token Ring with a route": (p.token_ring(SYN, route=b"\x06\x30\0\x12\0\x30"), 6),
    "ARCNET, RFC 1051": (b"\1\2\xf0" + SYN, 7),
    "ARCNET, RFC 1201": (b"\1\2\xd4\0\0\1" + SYN, 7),
    "ARCNET, exception packet": (b"\1\2\xd4\xff\xff\xff\xd4\0\0\1" + SYN, 7),
    "ARCNET, Linux": (b"\1\2\0\0\xf0" + SYN, 129),
    "ATM, RFC 2684": (p.llc_snap(SYN), 100),
    "Fibre Channel": (b"\0" * 16 + p.llc_snap(SYN), 122),
    "IEEE 1394": (b"\0" * 16 + b"\x08\0" + SYN, 138),
    "InfiniBand": (b"\0" * 40 + b"\x08\0\0\0" + SYN, 242),
    "NFLOG": (
        b"\2\0\0\0"
        + struct.pack("<HHI", 8, 10, 1)
        + struct.pack("<HH", 5, 1)
        + b"x\0\0\0"
        + struct.pack("<HH", 4 + len(SYN), 9)
        + SYN,
        239,
    ),
    "NFLOG, big-endian": (b"\2\0\0\0" + struct.pack(">HHI", 8, 10, 1) + struct.pack(">HH", 4 + len(SYN), 9) + SYN, 239),
    "pflog": (b"\x3d\2" + b"\0" * 62 + SYN, 117),
    "enc": (b"\2\0\0\0" + b"\0" * 8 + SYN, 109),
    "PKTAP": (struct.pack("<III", 108, 1, 1) + b"\0" * 96 + p.ethernet(SYN), 258),
    "ERF, Ethernet": (erf(b"\2") + b"\0\0" + p.ethernet(SYN), 197),
    "ERF, Ethernet with extension headers": (erf(b"\x82", 16) + b"\x80" + b"\0" * 15 + b"\0\0" + p.ethernet(SYN), 197),
    "802.11": (p.wlan(SYN), 105),
    "802.11 with QoS": (p.wlan(SYN, qos=True), 105),
    "802.11 to the station": (p.wlan(SYN, to_ds=False), 105),
    "radiotap": (p.radiotap(p.wlan(SYN)), 127),
    "radiotap with time, flags and padding": (
        struct.pack("<BBHIQB", 0, 0, 17, 3, 0, 0x20)
        + p.wlan(SYN, qos=True)[:26]
        + b"\0\0"
        + p.wlan(SYN, qos=True)[26:],
        127,
    ),
    "Prism": (struct.pack("<II", 0x44, 144) + b"\0" * 136 + p.wlan(SYN), 119),
    "AVS": (struct.pack(">II", 0x80211001, 64) + b"\0" * 56 + p.wlan(SYN), 163),
    "PPI": (struct.pack("<BBHI", 0, 0, 8, 105) + p.wlan(SYN), 192),
    "MPLS": (p.ethernet(p.mpls(SYN, 16, 17, 18)), 1),
    "MPLS, a pseudowire with a control word": (p.ethernet(p.mpls(b"\0\0\0\1" + p.ethernet(SYN), 16)), 1),
    "MPLS, a pseudowire without": (p.ethernet(p.mpls(p.ethernet(SYN), 16)), 1),
    "VN-Tag": (p.ethernet(b"\0\1\0\2\x08\0" + SYN, 0x8926), 1),
    "E-Tag": (p.ethernet(b"\0" * 6 + b"\x08\0" + SYN, 0x893F), 1),
    "Cisco MetaData": (p.ethernet(b"\1\1\0\1\0\5\x08\0" + SYN, 0x8909), 1),
    "FabricPath": (p.ethernet(b"\0\1" + p.ethernet(SYN) + b"\0" * 4, 0x8903), 1),
    "TRILL": (p.ethernet(b"\0\x42\0\1\0\2" + b"\0" * 4 + p.ethernet(SYN), 0x22F3), 1),
    "NSH": (p.ethernet(b"\x0f\xc6\1\3" + b"\0" * 20 + p.ethernet(SYN), 0x894F), 1),
    "MACsec, not encrypted": (p.ethernet(b"\0\0\0\0\0\1\x08\0" + SYN, 0x88E5), 1),
    "MACsec with a channel": (p.ethernet(b"\x20\0\0\0\0\1" + b"\0" * 8 + b"\x08\0" + SYN, 0x88E5), 1),
    "priority tag only": (p.ethernet(p.vlan(0, SYN)), 1),
}


@pytest.mark.parametrize("case", PLAIN)
def test_ipv4_behind(case: str) -> None:
    row = one(*PLAIN[case])
    found = (address(row, "src"), address(row, "dst"), row["flags"], row["seq"], row["mss"], row["payload"])
    assert found == (p.CLIENT, p.SERVER, p.SYN, 7, 1460, 0)
    assert (row["net"], row["marks"]) == (0, 256)


@pytest.mark.parametrize(
    ("frame", "link"),
    [
        (p.ethernet(SYN_6), 1),
        (p.ieee_802_3(SYN_6), 1),
        (p.sll(SYN_6), 113),
        (p.sll2(SYN_6), 276),
        (SYN_6, 101),
        (SYN_6, 229),
        *[(p.null(SYN_6, family_6=family, byte_order=order), 0) for family in (10, 23, 24, 28, 30) for order in "<>"],
        (p.ppp(SYN_6), 9),
        (b"\1\2\xc4\0\0\1" + SYN_6, 7),
        (b"\x18\x41\x03\x8e" + SYN_6, 107),
        (p.ethernet(p.mpls(SYN_6, 16)), 1),
        (b"\x3d\x18" + b"\0" * 62 + SYN_6, 117),
        (b"\0\0\0\x18" + b"\0" * 8 + SYN_6, 109),
    ],
)
def test_ipv6_behind(frame: bytes, link: int) -> None:
    row = one(frame, link)
    assert (address(row, "src"), address(row, "dst"), row["mss"], row["marks"]) == (
        p.CLIENT_6,
        p.SERVER_6,
        1440,
        256 | 4096,
    )


@pytest.mark.parametrize(
    ("frame", "net", "name"),
    [
        (p.vlan(5, SYN), 5, "vlan 5"),
        (p.vlan(0x3005, SYN), 5, "vlan 5"),  # the priority is not part of it
        (p.vlan(3, p.vlan(5, SYN)), 3 << 12 | 5, "vlan 3.5"),
        (p.vlan(3, p.vlan(0, SYN), 0x88A8), 3, "vlan 3"),
        (p.vlan(3, p.vlan(5, SYN), 0x9100), 3 << 12 | 5, "vlan 3.5"),
        (p.vlan(1, p.vlan(2, p.vlan(3, SYN)), 0x9200), 1 << 24 | 2 << 12 | 3, "vlan 1.2.3"),
        (p.vlan(4095, SYN_6), 4095, "vlan 4095"),
    ],
)
def test_vlan(frame: bytes, net: int, name: str) -> None:
    row = one(p.ethernet(frame))
    assert (row["net"], row["net_name"]) == (net, name)


def test_vlan_then_llc() -> None:
    inner = p.llc_snap(SYN)
    assert one(p.ethernet(p.vlan(5, inner, ethertype=len(inner))))["net"] == 5


def test_more_vlan_ids_than_a_number_holds() -> None:
    frame = SYN
    for number in range(8, 0, -1):
        frame = p.vlan(number, frame)
    row = one(p.ethernet(frame))
    assert row["net"] >> 63 == 1
    assert row["net_name"] == "vlan 1.2.3.4.5, vlan 6, vlan 7, vlan 8"


@pytest.mark.parametrize("tags", [9, 64])
def test_too_many_vlans(tags: int) -> None:
    frame = SYN
    for number in range(tags):
        frame = p.vlan(number + 1, frame)
    assert why_unused(p.ethernet(frame)) == {"depth_limit": 1}
    same = SYN
    for _ in range(tags):
        same = p.vlan(0, same)
    assert why_unused(p.ethernet(same)) == {"depth_limit": 1}


def test_vlan_limit_is_an_option() -> None:
    assert why_unused(p.ethernet(p.vlan(1, p.vlan(2, SYN))), limits=Limits(max_vlans=1)) == {"depth_limit": 1}


@pytest.mark.parametrize(
    ("frame", "link", "reason"),
    [
        (b"", 1, "empty_frame"),
        (b"\0", 1, "truncated_header"),
        (p.ethernet(SYN)[:13], 1, "truncated_header"),
        (p.ethernet(SYN)[:14], 1, "truncated_header"),
        (p.ethernet(b"\0" * 28, 0x0806), 1, "not_ip"),
        (p.ethernet(b"\xff\xff" + b"\0" * 30, 32), 1, "not_ip"),  # Novell
        (p.ethernet(b"\x42\x42\x03" + b"\0" * 30, 33), 1, "not_ip"),  # spanning tree
        (p.ethernet(b"\xaa\xaa\x03\0\0\x0c\x20\0" + b"\0" * 30, 38), 1, "not_ip"),  # CDP
        (p.ethernet(p.vlan(5, SYN))[:17], 1, "truncated_header"),
        (p.ethernet(SYN, 0x86DD), 1, "bad_ip_header"),
        (p.ethernet(SYN_6, 0x0800), 1, "bad_ip_header"),
        (b"\x12" + SYN[1:], 101, "bad_ip_header"),
        (p.null(SYN)[:3], 0, "truncated_header"),
        (b"\x07\0\0\0" + SYN, 0, "not_ip"),
        (b"\x02\0\x02\0" + SYN, 0, "not_ip"),
        (b"\0\x02\0\0" + SYN, 0, "not_ip"),
        (b"\0\0\x02\0" + SYN, 108, "not_ip"),
        (p.sll(SYN)[:15], 113, "truncated_header"),
        (p.sll2(SYN)[:19], 276, "truncated_header"),
        (SYN, 65535, "unsupported_link"),
        (SYN, 147, "unsupported_link"),
        (p.ppp(SYN)[:2], 9, "truncated_header"),
        (p.ppp(SYN)[:3], 9, "truncated_header"),
        (b"\xff\x03\xc0\x21\1\1\0\4", 9, "not_ip"),  # LCP
        (b"\xff\x03\0\x2d" + SYN[20:], 9, "not_decoded"),  # Van Jacobson
        (b"\xff\x03\0\xfd\0\0\0\0", 9, "not_decoded"),
        (b"\xff\x03\0\x3d\x80\0\0\1" + SYN, 9, "not_decoded"),
        (p.wlan(SYN, protected=True), 105, "not_decoded"),
        (b"\x80\0" + b"\0" * 40, 105, "not_ip"),  # beacon
        (b"\x48\1" + b"\0" * 22, 105, "not_ip"),  # null data
        (p.wlan(SYN)[:22] + b"\x11\0" + p.wlan(SYN)[24:], 105, "not_decoded"),  # second fragment
        (p.wlan(SYN)[:1] + b"\5" + p.wlan(SYN)[2:], 105, "not_decoded"),  # more fragments
        (b"\x01" + p.fddi(SYN)[1:], 10, "not_ip"),
        (b"\x10\x00" + p.token_ring(SYN)[2:], 6, "not_ip"),
        (b"\1\2\xd4\2\0\1" + SYN, 7, "not_decoded"),  # split
        (b"\1\2\xf1" + SYN, 7, "not_ip"),
        (p.ethernet(b"\x08\0\0\0\0\1\x08\0" + SYN, 0x88E5), 1, "not_decoded"),
        (p.ethernet(b"\x11\x09\0\0\0\0", 0x8863), 1, "not_ip"),  # PPPoE discovery
        (p.ethernet(b"\x11\x01\0\0\0\0" + SYN, 0x8864), 1, "not_ip"),
        (p.ethernet(p.mpls(b"\x10\0\0\0" + SYN, 13)), 1, "not_ip"),
        (p.ethernet(b"\0\x01\0\x40" * 9, 0x8847), 1, "truncated_header"),  # labels without end
        (b"\x3d\2" + b"\0" * 58, 117, "truncated_header"),
        (b"\2\0\0\0" + struct.pack("<HH", 0, 0) * 3, 239, "truncated_header"),
    ],
)
def test_no_segment(frame: bytes, link: int, reason: str) -> None:
    assert why_unused(frame, link) == {reason: 1}


def test_a_msdu_gives_a_row_a_part() -> None:
    second = p.ipv4(p.tcp(payload=b"xyz"))
    whole = p.a_msdu(SYN, p.ipv4(p.udp(b"", 1, 2), protocol=17), second)
    for capacity in (64, 1):
        result = decoded(p.frames([whole, p.wlan(SYN)], 105), capacity=capacity)
        assert [(row["frame"], row["part"], row["payload"]) for row in result.rows] == [(1, 0, 0), (1, 1, 3), (2, 0, 0)]
        assert result.unused == {}


def test_a_msdu_without_a_segment_is_counted_once() -> None:
    other = p.ipv4(p.udp(b"", 1, 2), protocol=17)
    assert why_unused(p.a_msdu(other, other), 105) == {"not_tcp": 1}
    assert why_unused(p.a_msdu(), 105) == {"truncated_header": 1}


def test_link_types_that_are_decoded_are_known_to_be() -> None:
    for link in (*range(300), LINK_PRINTED, 65535):
        result = decoded(p.frames([bytes(80)], link))
        assert is_decoded(link) == ("unsupported_link" not in result.unused), link


def test_names_are_of_link_types_that_are_not_decoded() -> None:
    assert named(189) == "link type 189 (USB_LINUX)"
    assert named(65535) == "link type 65535 (no name known)"
    assert (named(147), named(162)) == ("link type 147 (USER0)", "link type 162 (USER15)")
    assert [link for link in NAMES if is_decoded(link)] == []
