"""One printed packet to one segment: both formats, what is missing, what is no TCP."""

from collections import Counter

import pytest

from tcptrace_py.decode import _batch as b
from tcptrace_py.decode.printed import PrintedDecoder
from tcptrace_py.vocabulary import Unused

A, B = "10.0.0.1.5", "10.0.0.2.80"
FIN, SYN, RST, PSH, ACK, URG, ECE, CWR, AE = (1 << bit for bit in range(9))


def decode(*texts):
    decoder = PrintedDecoder(Counter())
    return [decoder.decode(text) for text in texts]


def one(text):
    return decode(text)[0]


def test_the_tutorial_as_it_stands():
    syn, syn_ack, ack = decode(
        "IP 192.168.1.116.3337 > 192.168.1.123.7788: S 3626544836:3626544836",
        "IP 192.168.1.123.7788 > 192.168.1.116.3337: S 1739326486:1739326486 ack 3626544837",
        "IP 192.168.1.116.3337 > 192.168.1.123.7788: ack 1739326487,ack 1",
    )
    assert (syn.src, syn.sport, syn.dst, syn.dport) == ("192.168.1.116", 3337, "192.168.1.123", 7788)
    assert (syn.flags, syn.seq, syn.payload, syn.marks) == (SYN, 3626544836, 0, b.NO_WINDOW | b.NO_IP)
    assert (syn_ack.flags, syn_ack.seq, syn_ack.ack) == (SYN | ACK, 1739326486, 3626544837)
    assert (ack.flags, ack.ack) == (ACK, 1739326487)
    assert ack.marks == b.NO_SEQ | b.NO_WINDOW | b.NO_LENGTH | b.NO_IP


def test_today():
    text = (
        f"IP {A} > {B}: Flags [P.U], seq 4294967290:4, ack 7, win 512, urg 3, "
        "options [mss 1460,sackOK,TS val 11 ecr 22,nop,wscale 7], length 10: HTTP: GET / HTTP/1.1"
    )
    got = one(text)
    assert (got.flags, got.seq, got.ack, got.window, got.urgent) == (PSH | ACK | URG, 4294967290, 7, 512, 3)
    assert (got.payload, got.mss, got.wscale, got.tsval, got.tsecr) == (10, 1460, 7, 11, 22)
    assert (got.options, got.marks) == (b.SACK_PERMITTED | b.TIMESTAMP, b.NO_IP)


@pytest.mark.parametrize(
    ("letters", "flags"),
    [
        ("none", 0),
        ("S", SYN),
        ("S.", SYN | ACK),
        ("FSRP.UEWe", 0x1FF),
        ("SEW", SYN | ECE | CWR),
        ("R", RST),
        ("F.", FIN | ACK),
    ],
)
def test_flags_of_today(letters, flags):
    assert one(f"IP {A} > {B}: Flags [{letters}], seq 1, ack 2, win 3, length 0").flags == flags


def test_a_bare_ack_has_no_number():
    got = one(f"IP {A} > {B}: Flags [.], ack 5, win 512, length 0")
    assert (got.flags, got.seq, got.ack, got.marks) == (ACK, 0, 5, b.NO_SEQ | b.NO_IP)


def test_an_ack_flag_without_its_number():
    got = one(f"IP {A} > {B}: Flags [P.], seq 5:7, win 512, length 2")
    assert (got.flags, got.ack, got.marks) == (PSH | ACK, 0, b.NO_ACK | b.NO_IP)


def test_verbose_ipv4():
    got = one(
        "IP (tos 0x12,ECT(0), ttl 63, id 4711, offset 0, flags [DF], proto TCP (6), length 50)\n"
        f"    {A} > {B}: Flags [P.], cksum 0xa27b (correct), seq 1:11, ack 1, win 65535, length 10: HTTP"
    )
    assert (got.tos, got.ttl, got.ip_id, got.payload) == (0x12, 63, 4711, 10)
    assert got.marks == b.CHECKSUM_GOOD


def test_verbose_ipv4_without_a_ttl():
    """What tcpdump prints where it is 0."""
    got = one(
        "IP (tos 0x80, id 4443, offset 0, flags [DF], proto TCP (6), length 48, bad cksum 0 (->45d5)!)\n"
        f"    {A} > {B}: Flags [S], cksum 0x0000 (incorrect -> 0xec92), seq 5, win 65535, options [mss 1452], length 0"
    )
    assert (got.tos, got.ttl, got.ip_id, got.marks) == (0x80, 0, 4443, b.CHECKSUM_BAD)


def test_vxlan():
    outer = "IP 1.1.1.1.36286 > 2.2.2.2.4789: VXLAN, flags [I] (0x08), vni 1111"
    text = f"{outer}\nIP {A} > {B}: Flags [S], seq 9, win 0, length 0"
    assert (one(text).src, one(text).seq) == ("10.0.0.1", 9)


def test_verbose_ipv6():
    got = one(
        "IP6 (class 0x48, flowlabel 0x00016, hlim 55, next-header TCP (6) payload length: 32) "
        "2001:db8::1.80 > 2001:db8::2.5: Flags [.], cksum 0x1234 (correct), seq 1, ack 2, win 3, length 0"
    )
    assert (got.src, got.sport, got.dst, got.dport) == ("2001:db8::1", 80, "2001:db8::2", 5)
    assert (got.tos, got.ttl, got.ip_id, got.marks) == (0x48, 55, 0, b.CHECKSUM_GOOD | b.IPV6)


def test_ipv6_extension_headers():
    got = one("IP6 2001:db8:1::2 > 2001:db8:1::1: DSTOPT 36951 > 80: Flags [S], seq 3810442574, win 8192, length 0")
    assert (got.src, got.sport, got.dst, got.dport, got.seq) == (
        "2001:db8:1::2",
        36951,
        "2001:db8:1::1",
        80,
        3810442574,
    )


@pytest.mark.parametrize(
    ("told", "mark"),
    [
        ("0x1419 (incorrect -> 0x66aa)", b.CHECKSUM_OFFLOAD),  # 0a00+0001+0a00+0002+6+20 = 0x141d
        ("0x1420 (incorrect -> 0x66aa)", b.CHECKSUM_BAD),
    ],
)
def test_incorrect_checksums(told, mark):
    pseudo = 0x0A00 + 1 + 0x0A00 + 2 + 6 + 20
    told = told.replace("0x1419", f"{pseudo:#06x}")
    got = one(
        "IP (tos 0x0, ttl 64, id 1, offset 0, flags [none], proto TCP (6), length 40)\n"
        f"    {A} > {B}: Flags [.], cksum {told}, ack 1, win 5, length 0"
    )
    assert got.marks == mark | b.NO_SEQ


def test_link_level_header():
    got = one(
        "00:00:00:00:00:01 > 00:00:00:00:00:02, ethertype 802.1Q (0x8100), length 64: vlan 5, p 0, "
        f"ethertype 802.1Q, vlan 6, p 0, ethertype IPv4 (0x0800), {A} > {B}: Flags [R], seq 9, win 0, length 0"
    )
    assert (got.vlans, got.wire_bytes, got.flags, got.seq) == ((5, 6), 64, RST, 9)


@pytest.mark.parametrize(
    "before", ["eth0  In  IP ", "Out ethertype IPv4 (0x0800), length 68: ", "AF IPv4 (2), length 56: ", ""]
)
def test_what_else_stands_before(before):
    got = one(f"{before}{A} > {B}: Flags [S], seq 9, win 0, length 0")
    assert (got.src, got.dst, got.seq) == ("10.0.0.1", "10.0.0.2", 9)


def test_a_tunnel_gives_the_inner_segment():
    got = one(f"IP 1.1.1.1 > 2.2.2.2: GREv0, length 64: IP {A} > {B}: Flags [S], seq 9, win 0, length 0")
    assert (got.src, got.dst) == ("10.0.0.1", "10.0.0.2")


@pytest.mark.parametrize(
    ("printed", "expected"),
    [
        ("sack 2 {1:3}{5:9}", {"options": b.SACK, "sack": [(1, 3), (5, 9)]}),
        ("tfo  cookie b61cfa6b", {"options": b.FAST_OPEN, "tfo_cookie": 4}),
        ("tfo  cookiereq", {"options": b.FAST_OPEN, "tfo_cookie": 0}),
        ("exp-tfo cookie a1fd2e3a5b6c7d8e", {"options": b.FAST_OPEN, "tfo_cookie": 8}),
        ("mptcp 12 capable v0 {0x1}", {"options": b.MPTCP}),
        ("md5 shared secret not supplied with -M, can't check - c3f1", {"options": b.MD5 | b.OTHER_OPTION}),
        ("tcp-ao keyid 61 rnextkeyid 84 mac 0x123", {"options": b.AUTHENTICATION}),
        ("unknown-239 0x0a0077112200", {"options": b.OTHER_OPTION}),
        ("nop,eol", {"options": 0}),
        ("mss 1460,[bad opt]", {"options": b.BAD_OPTION, "mss": 1460}),
        ("wscale 255", {"wscale": 255}),
    ],
)
def test_options(printed, expected):
    got = one(f"IP {A} > {B}: Flags [S], seq 9, win 0, options [{printed}], length 0")
    assert {name: getattr(got, name) for name in expected} == expected


def test_cut_options_leave_the_length_unknown():
    got = one(f"IP {A} > {B}: Flags [.], ack 14802, win 8507, options [ [|tcp]")
    assert (got.options, got.marks) == (b.TRUNCATED_OPTIONS, b.NO_SEQ | b.NO_LENGTH | b.NO_IP)
    got = one(f"IP {A} > {B}: Flags [P.], seq 834:1547, ack 26, win 453, options [[bad opt]")
    assert (got.options, got.payload, got.marks) == (b.BAD_OPTION, 713, b.NO_IP)


OLD = [
    (f"{A} > {B}: S 768512:768512(0) win 4096 <mss 1024,nop,nop,sackOK> (DF)", SYN, 768512, 0, 0),
    (f"{A} > {B}: S 947648:947648(0) ack 768513 win 4096 <mss 1024>", SYN | ACK, 947648, 768513, 0),
    (f"{A} > {B}: P 1:3(2) ack 4 win 4096", PSH | ACK, 1, 4, 2),
    (f"{A} > {B}: FP 1:3(2) ack 4 win 4096", FIN | PSH | ACK, 1, 4, 2),
    (f"{A} > {B}: . 1:1449(1448) ack 4 win 4096", ACK, 1, 4, 1448),
    (f"{A} > {B}: R 1:1(0) win 4096", RST, 1, 0, 0),
    (f"{A} > {B}: SWE 1:1(0) win 4096", SYN | ECE | CWR, 1, 0, 0),
    (f"IP {A} > {B}: F 5:5(0) ack 4 win 4096", FIN | ACK, 5, 4, 0),
]


@pytest.mark.parametrize(("text", "flags", "seq", "ack", "payload"), OLD)
def test_old_format(text, flags, seq, ack, payload):
    got = one(text)
    assert (got.flags, got.seq, got.ack, got.payload) == (flags, seq, ack, payload)
    assert (got.window, got.marks) == (4096, b.NO_IP)


def test_old_bare_ack_has_no_payload():
    got = one(f"{A} > {B}: . ack 4 win 512 <nop,nop,timestamp 7 8> [tos 0x10] (ttl 64, id 123)")
    assert (got.flags, got.payload, got.tsval, got.tsecr) == (ACK, 0, 7, 8)
    assert (got.tos, got.ttl, got.ip_id, got.marks) == (16, 64, 123, b.NO_SEQ)


@pytest.mark.parametrize(
    ("told", "mark"),
    [("[tcp sum ok]", b.CHECKSUM_GOOD), ("[bad tcp cksum 1234 (->4567)!]", b.CHECKSUM_BAD)],
)
def test_old_checksums(told, mark):
    got = one(f"{A} > {B}: S {told} 768512:768512(0) win 4096 (ttl 64, id 5, len 44)")
    assert (got.seq, got.marks) == (768512, mark)


def test_the_format_between_old_and_new():
    got = one(
        "IP (tos 0x0, ttl  64, id 48231, offset 0, flags [DF], proto: TCP (6), length: 60) "
        f"{A} > {B}: S, cksum 0x5f1e (correct), 362:362(0) win 5840 <mss 1460,sackOK,timestamp 123 0,nop,wscale 7>"
    )
    assert (got.flags, got.seq, got.ttl, got.ip_id, got.tsval, got.wscale) == (SYN, 362, 64, 48231, 123, 7)


def test_service_names():
    got = one("IP 10.0.0.1.http > 10.0.0.2.domain: Flags [S], seq 1, win 2, length 0")
    assert (got.sport, got.dport) == (80, 53)


@pytest.mark.parametrize(
    ("text", "why"),
    [
        ("ARP, Request who-has 10.0.0.2 tell 10.0.0.1, length 28", Unused.not_ip),
        ("STP 802.1d, Config, Flags [none], bridge-id 8000.52:54:00:2f:9f:43.8005, length 35", Unused.not_ip),
        (f"IP {A} > {B}: UDP, length 20", Unused.not_tcp),
        (f"IP {A} > 10.0.0.2.53: 1234+ A? example.org. (30)", Unused.not_tcp),
        ("IP 10.0.0.1 > 10.0.0.2: ICMP echo request, id 1, seq 1, length 64", Unused.not_tcp),
        (
            f"IP 1.1.1.1 > 2.2.2.2: ICMP host x unreachable\n\tIP (tos 0x0)\n    {A} > {B}: Flags [S], seq 1",
            Unused.icmp_error,
        ),
        ("IP 1.1.1.1 > 2.2.2.2: ip-proto-6", Unused.fragment),
        ("IP 1.1.1.1 > 2.2.2.2: (frag 242:100@1480+)", Unused.fragment),
        (f"IP {A} > {B}:  [|tcp]", Unused.truncated_header),
        (f"IP {A} > {B}:  tcp 77 [bad hdr length 0 - too short, < 20]", Unused.bad_tcp_header),
        (f"IP {A} > {B}: Flags [SPUW] [bad hdr length 40 - too long, > 32]", Unused.bad_tcp_header),
        ("IP bad-len 0", Unused.bad_ip_header),
        (f"IP {A} > {B}: tcp 10", Unused.unparsed_line),
        ("IP www.example.org.http > 10.0.0.2.5: Flags [S], seq 1, win 2, length 0", Unused.unparsed_line),
        ("IP 10.0.0.1.nosuchservice > 10.0.0.2.5: Flags [S], seq 1, win 2, length 0", Unused.unparsed_line),
        ("IP 10.0.0.1.70000 > 10.0.0.2.5: Flags [S], seq 1, win 2, length 0", Unused.unparsed_line),
        ("", Unused.not_ip),
    ],
)
def test_unused(text, why):
    assert one(text) is why
