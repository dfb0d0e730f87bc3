"""The TCP header, its options, lengths and checksum; the IP headers around it."""

from __future__ import annotations

import struct

import pytest

from tcptrace_py.options import Limits
from tests import packets as p
from tests.decoding import address, decoded, one, why_unused
from tests.packets import frames

GOOD, BAD, OFFLOAD, CUT, FROM_FRAME, ORIGINAL_WRONG, IPV6 = 256, 64, 128, 1024, 512, 8192, 4096
SACKED, BAD_OPTION, TRUNCATED, OTHER = 4, 512, 1024, 256


def segment(**fields: object) -> dict[str, object]:
    return one(p.ethernet(p.ipv4(p.tcp(**fields))))


def test_every_field() -> None:
    tcp = p.tcp(
        p.PSH | p.ACK, seq=2**32 - 1, ack=2**31, payload=b"hello", sport=65535, dport=0, window=0xFFFF, urgent=9
    )
    row = one(p.ethernet(p.ipv4(tcp, "1.2.3.4", "255.255.255.255", ip_id=0xABCD, ttl=255, tos=0xB9)))
    assert (row["seq"], row["ack"], row["sport"], row["dport"]) == (2**32 - 1, 2**31, 65535, 0)
    assert (row["flags"], row["window"], row["urgent"], row["payload"]) == (p.PSH | p.ACK, 0xFFFF, 9, 5)
    assert (row["ip_id"], row["ttl"], row["tos"]) == (0xABCD, 255, 0xB9)
    assert (row["src_hi"], row["src_lo"], row["dst_lo"]) == (0, 0xFFFF01020304, 0xFFFFFFFFFFFF)
    assert (row["frame"], row["time_ns"], row["wire_bytes"]) == (1, p.BASE_NS, 14 + 20 + 20 + 5)


def test_ipv6_fields() -> None:
    row = one(p.ethernet(p.ipv6(p.tcp(payload=b"x"), "2001:db8::1", "fe80::2", hops=3, traffic_class=0xB9)))
    assert (row["ttl"], row["tos"], row["ip_id"], row["payload"]) == (3, 0xB9, 0, 1)
    assert (row["src_hi"], row["src_lo"]) == (0x20010DB800000000, 1)
    assert (row["dst_hi"], row["dst_lo"]) == (0xFE80000000000000, 2)
    assert row["marks"] == GOOD | IPV6


def test_all_flag_bits() -> None:
    data = frames([p.ethernet(p.ipv4(p.tcp(flags))) for flags in range(4096)])
    assert [row["flags"] for row in decoded(data, capacity=5000).rows] == list(range(4096))


def test_land_attack_and_port_zero_are_rows() -> None:
    row = one(p.ethernet(p.ipv4(p.tcp(p.SYN, sport=0, dport=0), p.CLIENT, p.CLIENT)))
    assert (row["src_lo"], row["sport"]) == (row["dst_lo"], row["dport"])


# Options


def test_options_of_a_syn() -> None:
    options = p.mss(1460) + p.SACK_PERMITTED + p.timestamps(2**32 - 1, 0) + p.NOP + p.wscale(7)
    row = segment(flags=p.SYN, options=options)
    assert (row["mss"], row["wscale"], row["tsval"], row["tsecr"], row["options"]) == (1460, 7, 2**32 - 1, 0, 1 | 2)


def test_no_options() -> None:
    row = segment()
    assert (row["mss"], row["wscale"], row["options"], row["sack"], row["tfo_cookie"]) == (-1, -1, 0, [], 0)


def test_usual_timestamp_layout() -> None:
    row = segment(options=p.NOP + p.NOP + p.timestamps(5, 6))
    assert (row["tsval"], row["tsecr"], row["options"]) == (5, 6, 2)


def test_columns_are_reset_between_rows() -> None:
    rich = p.mss(1) + p.wscale(2) + p.timestamps(3, 4) + p.option(34, b"abcd") + p.sack((1, 2))
    data = frames([p.ethernet(p.ipv4(p.tcp(options=rich))), p.ethernet(p.ipv4(p.tcp()))])
    from tcptrace_py.decode import Batch, Decoder

    batch = Batch(1)
    decoder = Decoder()
    assert decoder.decode(data, 0, batch) == 1
    batch.n = 0
    assert decoder.decode(data, 1, batch) == 2
    names = ("mss", "wscale", "tsval", "tsecr", "options", "sack_n", "tfo_cookie")
    assert [int(getattr(batch, name)[0]) for name in names] == [-1, -1, 0, 0, 0, 0, 0]


@pytest.mark.parametrize("blocks", [1, 2, 3, 4])
def test_sack_blocks(blocks: int) -> None:
    edges = [(10 * number, 10 * number + 5) for number in range(1, blocks + 1)]
    row = segment(options=p.sack(*edges))
    assert row["sack"] == [edge for block in edges for edge in block]
    assert row["options"] == SACKED


@pytest.mark.parametrize(
    ("options", "bits", "cookie"),
    [
        (p.option(34), 8, 0),
        (p.option(34, b"12345678"), 8, 8),
        (p.option(34, b"x" * 16), 8, 16),
        (p.option(254, b"\xf9\x89"), 8, 0),
        (p.option(254, b"\xf9\x89abcd"), 8, 4),
        (p.option(34, b"xy"), BAD_OPTION, 0),
        (p.option(34, b"x" * 5), BAD_OPTION, 0),
        (p.option(34, b"x" * 18), BAD_OPTION, 0),
        (p.option(254, b"\1\2abcd"), OTHER, 0),
        (p.option(253, b"\xf9\x89"), OTHER, 0),
        (p.option(30, b"\0\x81"), 16, 0),
        (p.option(19, b"x" * 16), 32, 0),
        (p.option(19, b"x" * 15), BAD_OPTION, 0),
        (p.option(29, b"ab" + b"x" * 12), 64, 0),
        (p.option(28, b"\0\5"), 128, 0),
        (p.option(28, b"\0"), BAD_OPTION, 0),
        (p.option(14, b"\1"), OTHER, 0),
        (p.option(5, b"x" * 7), BAD_OPTION, 0),
        (p.option(5), BAD_OPTION, 0),
    ],
)
def test_option(options: bytes, bits: int, cookie: int) -> None:
    row = segment(options=options)
    assert (row["options"], row["tfo_cookie"], row["sack"]) == (bits, cookie, [])


@pytest.mark.parametrize(("shift", "seen"), [(14, 14), (127, 127), (128, 128), (255, 255)])
def test_wscale_fits_its_column(shift: int, seen: int) -> None:
    assert segment(options=p.wscale(shift))["wscale"] == seen


@pytest.mark.parametrize("length", [0, 1])
def test_option_length_below_two_ends_the_options(length: int) -> None:
    row = segment(options=p.mss(1460) + p.option(8, b"", length) + p.wscale(7))
    assert (row["mss"], row["wscale"], row["options"]) == (1460, -1, BAD_OPTION)


def test_option_past_the_header_ends_the_options() -> None:
    row = segment(options=p.mss(1460) + p.option(8, b"\0\0", 10))
    assert (row["mss"], row["tsval"], row["options"]) == (1460, 0, BAD_OPTION)


def test_option_kind_as_the_last_octet() -> None:
    assert segment(options=p.mss(9) + p.NOP * 3 + b"\x08")["options"] == BAD_OPTION


def test_wrong_size_spoils_one_option_only() -> None:
    row = segment(options=p.option(2, b"\1") + p.NOP + p.wscale(7))
    assert (row["mss"], row["wscale"], row["options"]) == (-1, 7, BAD_OPTION)


def test_nothing_is_read_behind_the_end_of_options() -> None:
    assert segment(options=p.EOL + p.NOP * 3 + p.wscale(7))["wscale"] == -1


@pytest.mark.parametrize("snaplen", range(54, 78))
def test_options_cut_by_snaplen(snaplen: int) -> None:
    options = p.mss(1460) + p.NOP + p.NOP + p.timestamps(5, 6) + p.NOP + p.wscale(7) + p.SACK_PERMITTED + p.NOP + p.NOP
    data = frames([p.ethernet(p.ipv4(p.tcp(p.SYN, options=options, payload=b"data")))], snaplen=snaplen)
    (row,) = decoded(data).rows
    cut = snaplen < 54 + 24
    assert (row["mss"], row["tsval"], row["wscale"]) == (
        1460 if snaplen >= 58 else -1,
        5 if snaplen >= 70 else 0,
        7 if snaplen >= 74 else -1,
    )
    assert row["options"] == (TRUNCATED if cut else 0) | (2 if snaplen >= 70 else 0) | (1 if snaplen >= 76 else 0)
    assert (row["payload"], row["marks"]) == (4, CUT)


# Lengths


@pytest.mark.parametrize("padding", [0, 1, 6])
def test_padding_is_never_payload(padding: int) -> None:
    row = one(p.ethernet(p.ipv4(p.tcp())) + b"\xee" * padding)
    assert (row["payload"], row["marks"]) == (0, GOOD)


def test_cut_by_snaplen() -> None:
    (row,) = decoded(frames([p.ethernet(p.ipv4(p.tcp(payload=b"x" * 1000)))], snaplen=54)).rows
    assert (row["payload"], row["marks"], row["wire_bytes"]) == (1000, CUT, 1054)
    assert row["uncaptured"] == 1000


def test_original_length_too_small_believe_ip() -> None:
    (row,) = decoded(frames([p.ethernet(p.ipv4(p.tcp(payload=b"x" * 1000)))[:120]])).rows
    assert (row["payload"], row["marks"], row["wire_bytes"]) == (1000, CUT | ORIGINAL_WRONG, 120)
    assert row["uncaptured"] == 1054 - 120


def test_captured_more_than_original() -> None:
    frame = p.ethernet(p.ipv4(p.tcp(payload=b"xyz")))
    (row,) = decoded(frames([frame], original=[40])).rows
    assert (row["payload"], row["marks"], row["wire_bytes"]) == (3, GOOD, 40)


@pytest.mark.parametrize("size", [0, 1, 9000, 65000])
def test_total_length_zero_takes_the_frame(size: int) -> None:
    frame = p.ethernet(p.ipv4(p.tcp(payload=b"x" * size), total=0))
    assert (one(frame)["payload"], one(frame)["marks"]) == (size, FROM_FRAME)
    (cut,) = decoded(frames([frame], snaplen=54)).rows
    assert (cut["payload"], cut["marks"]) == (size, FROM_FRAME | (CUT if size else 0))


def test_ipv6_payload_length_zero_takes_the_frame() -> None:
    row = one(p.ethernet(p.ipv6(p.tcp(payload=b"x" * 70000), length=0)))
    assert (row["payload"], row["marks"]) == (70000, FROM_FRAME | IPV6)


def test_jumbogram() -> None:
    jumbo = (0, b"\0\xc2\4" + struct.pack(">I", 70028))
    row = one(p.ethernet(p.ipv6(p.tcp(payload=b"x" * 70000), extensions=[jumbo], length=0)))
    assert row["payload"] == 70000


@pytest.mark.parametrize(
    ("packet", "reason"),
    [
        (b"\x44" + p.ipv4(p.tcp())[1:], "bad_ip_header"),
        (p.ipv4(p.tcp(), total=19), "bad_ip_header"),
        (p.ipv4(p.tcp(), total=20), "bad_tcp_header"),
        (p.ipv4(p.tcp(), total=39), "bad_tcp_header"),
        (p.ipv4(p.tcp(), header=15, total=100), "truncated_header"),
        (p.ipv4(p.tcp())[:19], "truncated_header"),
        (p.ipv4(p.tcp())[:39], "truncated_header"),
        (p.ipv4(p.tcp(offset=0)), "bad_tcp_header"),
        (p.ipv4(p.tcp(offset=4)), "bad_tcp_header"),
        (p.ipv4(p.tcp(offset=15)), "bad_tcp_header"),
        (p.ipv4(b"", protocol=6), "bad_tcp_header"),
        (p.ipv6(p.tcp())[:39], "truncated_header"),
        (p.ipv6(p.tcp(), length=19), "bad_tcp_header"),
        (p.ipv6(p.tcp())[:59], "truncated_header"),
        (p.ipv4(p.udp(b"hello", 53, 53), protocol=17), "not_tcp"),
        (p.ipv4(b"\0" * 30, protocol=132), "not_tcp"),
        (p.ipv4(b"\0" * 30, protocol=50), "not_decoded"),
        (p.ipv6(b"\0" * 30, protocol=50), "not_decoded"),
        (p.ipv6(b"", protocol=59), "not_tcp"),
        (p.ipv4(b"\x08\0\0\0\0\0\0\0", protocol=1), "not_tcp"),
        (p.ipv6(b"\x87" + b"\0" * 23, protocol=58), "not_tcp"),
    ],
)
def test_no_segment(packet: bytes, reason: str) -> None:
    assert why_unused(packet, 101) == {reason: 1}


def test_header_fifteen_words_of_options() -> None:
    row = one(p.ipv4(p.tcp(options=b"\1" * 40, payload=b"x"), options=b"\1" * 40), 101)
    assert (row["payload"], row["marks"]) == (1, GOOD)


# Extension headers

AUTHENTICATION = (51, bytes([4]) + b"\0" * 22)
ATOMIC = (44, b"\0" * 7)


def routing(kind: int, left: int, *stops: str) -> tuple[int, bytes]:
    import ipaddress

    body = b"".join(ipaddress.IPv6Address(stop).packed for stop in stops)
    return 43, bytes([2 * len(stops), kind, left]) + b"\0" * 4 + body


@pytest.mark.parametrize(
    "extensions",
    [
        [(0, p.padded_extension())],
        [(60, p.padded_extension(16))],
        [(135, p.padded_extension())],
        [(139, p.padded_extension(24))],
        [(140, p.padded_extension())],
        [ATOMIC],
        [AUTHENTICATION],
        [routing(0, 0, "2001:db8::77")],
        [(0, p.padded_extension()), routing(0, 0), ATOMIC, AUTHENTICATION, (60, p.padded_extension())],
        [(60, p.padded_extension())] * 16,
    ],
)
def test_extension_headers(extensions: list[tuple[int, bytes]]) -> None:
    row = one(p.ethernet(p.ipv6(p.tcp(payload=b"xy"), extensions=extensions)))
    assert (row["payload"], row["marks"], address(row, "dst")) == (2, GOOD | IPV6, p.SERVER_6)


@pytest.mark.parametrize(
    ("header", "last"),
    [
        (routing(0, 1, "2001:db8::77"), "2001:db8::77"),
        (routing(0, 2, "2001:db8::66", "2001:db8::77"), "2001:db8::77"),
        (routing(2, 1, "2001:db8::77"), "2001:db8::77"),
        (routing(4, 1, "2001:db8::77", "2001:db8::66"), "2001:db8::77"),
    ],
)
def test_source_route_names_the_peer(header: tuple[int, bytes], last: str) -> None:
    row = one(p.ethernet(p.ipv6(p.tcp(), extensions=[header], final=last)))
    assert (address(row, "dst"), row["marks"]) == (last, GOOD | IPV6)


def test_authentication_header_in_ipv4() -> None:
    body = bytes([6]) + AUTHENTICATION[1] + p.tcp(payload=b"ab").packed(b"\n\0\0\1", b"\n\0\0\2")
    row = one(p.ipv4(body, protocol=51), 101)
    assert (row["payload"], row["marks"]) == (2, GOOD)


@pytest.mark.parametrize("count", [17, 1500])
def test_too_many_extension_headers(count: int) -> None:
    packet = p.ipv6(p.tcp(), extensions=[(60, p.padded_extension())] * count)
    assert why_unused(packet, 101) == {"depth_limit": 1}


def test_extension_header_limit_is_an_option() -> None:
    packet = p.ipv6(p.tcp(), extensions=[(60, p.padded_extension())] * 3)
    assert why_unused(packet, 101, limits=Limits(max_extension_headers=2)) == {"depth_limit": 1}


def test_extension_header_overrun() -> None:
    assert why_unused(p.ipv6(p.tcp(), extensions=[(60, b"\xff" + b"\0" * 6)]), 101) == {"bad_ip_header": 1}
    assert why_unused(p.ipv6(p.tcp(), extensions=[(60, p.padded_extension(64))])[:80], 101) == {"truncated_header": 1}


# Checksums


@pytest.mark.parametrize("payload", [b"", b"x", b"xy", b"x" * 1460, bytes(range(256)) * 5])
def test_checksum(payload: bytes) -> None:
    right = p.ethernet(p.ipv4(p.tcp(payload=payload)))
    assert one(right)["marks"] == GOOD
    assert one(right[:-1] + bytes([right[-1] ^ 1]))["marks"] == BAD
    assert one(right, verify_checksums=False)["marks"] == 0


def test_checksum_without_length_is_not_checked() -> None:
    assert one(p.ethernet(p.ipv4(p.tcp(checksum=0x1234), total=0)))["marks"] == FROM_FRAME


@pytest.mark.parametrize("field", [0, p.pseudo_sum(25), p.pseudo_sum(0)])
def test_checksum_offload(field: int) -> None:
    assert one(p.ethernet(p.ipv4(p.tcp(payload=b"hello", checksum=field))))["marks"] == OFFLOAD


def test_checksum_offload_ipv6() -> None:
    field = p.pseudo_sum(25, p.CLIENT_6, p.SERVER_6)
    assert one(p.ethernet(p.ipv6(p.tcp(payload=b"hello", checksum=field))))["marks"] == OFFLOAD | IPV6
    assert one(p.ethernet(p.ipv6(p.tcp(payload=b"hello", checksum=field ^ 1))))["marks"] == BAD | IPV6


def test_ip_header_checksum_is_not_enforced() -> None:
    packet = p.ipv4(p.tcp())
    assert one(packet[:10] + b"\xde\xad" + packet[12:], 101)["marks"] == GOOD


@pytest.mark.parametrize(("octet", "bits"), [(0, BAD_OPTION | TRUNCATED), (1, BAD_OPTION | TRUNCATED), (10, TRUNCATED)])
def test_bad_length_where_the_capture_ends(octet: int, bits: int) -> None:
    frame = p.ethernet(p.ipv4(p.tcp(options=p.option(8, b"x" * 8, octet))))
    assert [row["options"] for row in decoded(frames([frame], snaplen=57)).rows] == [bits]
