"""TCP quoted by ICMP errors: no rows, but what the tracker needs to place them."""

from __future__ import annotations

import ipaddress

import pytest

from tests import packets as p
from tests.decoding import decoded, why_unused
from tests.packets import frames

SENT = p.ipv4(p.tcp(seq=77, payload=b"x" * 100))
SENT_6 = p.ipv6(p.tcp(seq=77, payload=b"x" * 100))
MAPPED = 0xFFFF << 32


def words(text: str) -> tuple[int, int]:
    return divmod(int(ipaddress.IPv6Address(text)), 1 << 64)


@pytest.mark.parametrize("kind", [3, 4, 5, 11, 12])
@pytest.mark.parametrize(("quoted", "seq"), [(28, 77), (24, None), (140, 77)])
def test_error(kind: int, quoted: int, seq: int | None) -> None:
    ack = p.ipv4(p.tcp())
    data = frames([p.ethernet(ack), p.ethernet(p.vlan(5, p.icmp_error(SENT[:quoted], kind, 4))), p.ethernet(ack)])
    result = decoded(data)
    (quote,) = result.quotes
    assert (quote.frame, quote.row, quote.time_ns) == (2, 1, p.BASE_NS + 10**6)
    assert (quote.reporter_hi, quote.reporter_lo) == (0, MAPPED | int(ipaddress.IPv4Address("192.0.2.9")))
    assert (quote.icmp_type, quote.code, quote.net) == (kind, 4, 5)
    assert (quote.src_lo, quote.dst_lo) == (MAPPED | 0x0A000001, MAPPED | 0x0A000002)
    assert (quote.sport, quote.dport, quote.seq) == (40000, 80, seq)
    assert result.unused == {"icmp_error": 1}
    assert [row["frame"] for row in result.rows] == [1, 3]


@pytest.mark.parametrize("kind", [1, 2, 3, 4])
def test_error_6(kind: int) -> None:
    quote = decoded(frames([p.ethernet(p.icmp_error_6(SENT_6, kind, 1))])).quotes[0]
    assert (quote.icmp_type, quote.code, quote.seq) == (kind, 1, 77)
    assert (quote.reporter_hi, quote.reporter_lo) == words("2001:db8::9")
    assert (quote.src_hi, quote.src_lo, quote.dst_hi, quote.dst_lo) == words(p.CLIENT_6) + words(p.SERVER_6)


def test_quoted_packet_with_options_and_extension_headers() -> None:
    with_options = p.ipv4(p.tcp(seq=5), options=b"\1" * 8)
    assert decoded(frames([p.ethernet(p.icmp_error(with_options))])).quotes[0].seq == 5
    extensions = [(0, p.padded_extension(16)), (44, b"\0" * 7), (60, p.padded_extension())]
    packet = p.ipv6(p.tcp(seq=6), extensions=extensions)
    assert decoded(frames([p.ethernet(p.icmp_error_6(packet))])).quotes[0].seq == 6


@pytest.mark.parametrize(
    "quoted",
    [
        b"",
        SENT[:19],
        SENT[:23],
        p.ipv4(p.udp(b"", 1, 2), protocol=17),
        p.fragments_4(SENT, 40)[1],
        b"\x15" + SENT[1:],
        b"\x41" + SENT[1:],
        SENT_6[:39],
        p.ipv6(b"", protocol=59),
        p.fragments_6(SENT_6, 48)[1],
    ],
)
def test_errors_about_something_else(quoted: bytes) -> None:
    assert why_unused(p.ethernet(p.icmp_error(quoted))) == {"not_tcp": 1}
    assert why_unused(p.ethernet(p.icmp_error_6(quoted))) == {"not_tcp": 1}


def test_a_quoted_packet_with_too_many_headers_before_its_tcp() -> None:
    deep = p.ipv6(p.tcp(), extensions=[(60, p.padded_extension())] * 30)
    result = decoded(frames([p.ethernet(p.icmp_error_6(deep))]))
    assert (result.unused, result.decoder.limits) == ({"depth_limit": 1}, {"max_quoted_extensions": 1})


def test_icmp_that_is_no_error() -> None:
    assert why_unused(p.ethernet(p.icmp_error(SENT, 8))) == {"not_tcp": 1}
    assert why_unused(p.ethernet(p.icmp_error_6(SENT_6, 128))) == {"not_tcp": 1}
