"""IP fragments: joined in any order, within bounds, and never misread."""

from __future__ import annotations

import itertools
import struct
from collections import Counter

import pytest

from tcptrace_py.decode import fragments
from tcptrace_py.options import Limits
from tests import packets as p
from tests.decoding import decoded, one, why_unused
from tests.packets import frames

DATA = bytes(range(64))
WHOLE = p.ipv4(p.tcp(seq=7, payload=DATA), ip_id=9)
WHOLE_6 = p.ipv6(p.tcp(seq=7, payload=DATA))
JOINED, GOOD, CUT, IPV6 = 2048, 256, 1024, 4096


def ethernet(packets: list[bytes]) -> list[bytes]:
    return [p.ethernet(packet) for packet in packets]


@pytest.mark.parametrize("order", [*itertools.permutations(range(4))])
def test_any_order(order: tuple[int, ...]) -> None:
    pieces = ethernet(p.fragments_4(WHOLE, 24))
    assert len(pieces) == 4
    result = decoded(frames([pieces[number] for number in order]), payloads=True)
    (row,) = result.rows
    assert (row["frame"], row["payload"], row["seq"], row["marks"]) == (4, 64, 7, JOINED | GOOD)
    assert row["wire_bytes"] == len(pieces[order[-1]])
    assert row["octets"] == one(p.ethernet(WHOLE), payloads=True)["octets"]
    assert len(row["octets"]) == 64
    assert result.unused == {"fragment": 3}


@pytest.mark.parametrize("order", [*itertools.permutations(range(3))])
def test_any_order_ipv6(order: tuple[int, ...]) -> None:
    pieces = ethernet(p.fragments_6(WHOLE_6, 32))
    result = decoded(frames([pieces[number] for number in order]))
    assert [(row["frame"], row["payload"], row["marks"]) for row in result.rows] == [(3, 64, JOINED | GOOD | IPV6)]


def test_extension_headers_before_the_fragment_header() -> None:
    pieces = []
    for piece in p.fragments_6(WHOLE_6, 32):
        options = b"\x2c" + p.padded_extension(8)
        size = struct.pack(">H", len(piece) - 40 + 8)
        pieces.append(piece[:4] + size + b"\0" + piece[7:40] + options + piece[40:])
    (row,) = decoded(frames(ethernet(pieces))).rows
    assert (row["payload"], row["marks"]) == (64, JOINED | GOOD | IPV6)


def test_two_datagrams_at_once() -> None:
    other = p.ipv4(p.tcp(seq=8, payload=DATA), ip_id=10)
    mixed = [piece for pair in zip(p.fragments_4(WHOLE, 48), p.fragments_4(other, 48), strict=True) for piece in pair]
    assert [(row["frame"], row["seq"]) for row in decoded(frames(ethernet(mixed))).rows] == [(3, 7), (4, 8)]


def test_same_identification_on_two_networks() -> None:
    first, second = p.fragments_4(WHOLE, 48)
    tagged = [p.ethernet(p.vlan(1, first)), p.ethernet(p.vlan(2, second)), p.ethernet(p.vlan(2, first))]
    (row,) = decoded(frames(tagged)).rows
    assert (row["frame"], row["net"]) == (3, 2)


def test_identification_used_again() -> None:
    pieces = ethernet(p.fragments_4(WHOLE, 48))
    assert [row["frame"] for row in decoded(frames(pieces * 2)).rows] == [2, 4]


def test_what_came_first_stays() -> None:
    """An overlap, whole or in part, changes nothing that is there already."""
    first, second = p.fragments_4(WHOLE, 48)
    evil = first[:20] + b"\xff" * 48
    late = p.fragments_4(WHOLE[:20] + b"\xee" * 84, 24)[1]
    for packets in ([first, evil, second], [first, late, second], [second, first, evil]):
        rows = decoded(frames(ethernet(packets))).rows
        assert [row["marks"] for row in rows] == [JOINED | GOOD]


def test_hole_between_pieces_is_filled_by_a_longer_one() -> None:
    a, _b, c, d = p.fragments_4(WHOLE, 24)
    longer = p.fragments_4(WHOLE, 64)[0]
    (row,) = decoded(frames(ethernet([a, c, d, longer]))).rows
    assert (row["frame"], row["payload"], row["marks"]) == (4, 64, JOINED | GOOD)


def test_first_fragment_with_the_whole_header_is_not_a_segment() -> None:
    first = p.fragments_4(WHOLE, 48)[0]
    assert why_unused(p.ethernet(first)) == {"fragment": 1}


def test_tiny_first_fragment_and_offset_one() -> None:
    """RFC 1858: a header in two pieces, the second at offset 1 over the flags."""
    tiny, *rest = p.fragments_4(WHOLE, 16)
    rewritten = p.fragments_4(WHOLE[:20] + b"\xff" * 84, 8)[1]
    result = decoded(frames(ethernet([tiny, rewritten, *rest])))
    assert [(row["flags"], row["marks"]) for row in result.rows] == [(p.ACK, JOINED | GOOD)]
    assert why_unused(p.ethernet(tiny)) == {"fragment": 1}


def test_pieces_behind_the_end_do_not_count() -> None:
    beyond = p.fragments_4(WHOLE[:20] + b"\xff" * 300, 104)[1]
    first, second = p.fragments_4(WHOLE, 48)
    (row,) = decoded(frames(ethernet([beyond, first, second]))).rows
    assert row["marks"] == JOINED | GOOD


@pytest.mark.parametrize("snaplen", [34 + 20, 60])
def test_snapped_fragments_are_joined_by_length(snaplen: int) -> None:
    result = decoded(frames(ethernet(p.fragments_4(WHOLE, 48)), snaplen=snaplen))
    assert [(row["payload"], row["seq"], row["marks"]) for row in result.rows] == [(64, 7, JOINED | CUT)]


def test_bad_fragments_are_counted() -> None:
    odd = p.ipv4(b"x" * 13, fragment=0x2000)  # more to come, but no multiple of 8
    beyond = p.ipv4(b"x" * 16, fragment=0x1FFF)
    empty = p.ipv4(b"", fragment=0x2000)
    assert why_unused(ethernet([odd, beyond, empty])) == {"fragment": 3}


def test_fragments_of_other_protocols() -> None:
    icmp = p.fragments_4(p.ipv4(b"\x08" + b"\0" * 63, protocol=1), 32)
    assert why_unused(ethernet(icmp)) == {"not_tcp": 2}
    datagram = p.fragments_4(p.ipv4(p.udp(b"x" * 56, 53, 53), protocol=17), 32)
    assert why_unused(ethernet(datagram)) == {"fragment": 1, "not_tcp": 1}


def test_tunnel_in_fragments() -> None:
    pieces = ethernet(p.fragments_4(p.vxlan(p.ethernet(WHOLE), 5), 64))
    result = decoded(frames(pieces))
    assert [(row["payload"], row["marks"]) for row in result.rows] == [(64, JOINED | GOOD)]
    assert result.decoder.net_name(result.rows[0]["net"]) == "vxlan 5"


def test_fragments_in_a_tunnel() -> None:
    pieces = [p.ethernet(p.gre(piece)) for piece in p.fragments_4(WHOLE, 64)]
    assert [(row["frame"], row["payload"]) for row in decoded(frames(pieces)).rows] == [(2, 64)]


def test_datagram_of_65535_octets_and_more() -> None:
    body = p.tcp(payload=b"x" * 65000).packed(b"\n\0\0\1", b"\n\0\0\2")
    pieces = p.fragments_4(p.ipv4(b"") + body, 1480)
    (row,) = decoded(frames(ethernet(pieces))).rows
    assert (row["payload"], row["marks"]) == (65000, JOINED | GOOD)


def test_sixty_seconds() -> None:
    pieces = ethernet(p.fragments_4(WHOLE, 48))
    assert len(decoded(frames(pieces, step_ns=60 * 10**9)).rows) == 1
    assert decoded(frames(pieces, step_ns=60 * 10**9 + 1)).unused == {"fragment": 2}


def test_clock_that_jumps_back_expires_nothing() -> None:
    assert len(decoded(frames(ethernet(p.fragments_4(WHOLE, 48)), step_ns=-(10**15))).rows) == 1


def test_oldest_leaves_when_there_are_too_many() -> None:
    firsts = [p.fragments_4(p.ipv4(p.tcp(payload=DATA), ip_id=number), 48)[0] for number in range(4097)]
    seconds = [p.fragments_4(p.ipv4(p.tcp(payload=DATA), ip_id=number), 48)[1] for number in (1, 0)]
    result = decoded(frames(ethernet(firsts + seconds), step_ns=1))
    assert [row["frame"] for row in result.rows] == [4098]


def test_what_is_held_is_bounded() -> None:
    joiner = fragments.Joiner(Counter(), Limits(max_fragment_octets=4096))
    for number in range(200):
        piece = p.ipv4(b"x" * 1000, ip_id=number, fragment=0x2000 | number % 100)
        assert joiner.add_ipv4(piece, 0, number) is None
        assert joiner._held <= 4096 + 1000 + fragments.PIECE_COST  # noqa: SLF001
    joiner.clear()
    assert joiner._held == 0  # noqa: SLF001
