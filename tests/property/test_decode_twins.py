"""The compiled decoder, its naive twin and dpkt agree on every frame, whole or damaged."""

from __future__ import annotations

import functools
import struct

from hypothesis import example, given, settings
from hypothesis import strategies as st

from tcptrace_py.columns import filled
from tcptrace_py.decode import Decoder, DpktDecoder
from tests import packets as p
from tests.decoding import decoded
from tests.naive import decode as naive_decode
from tests.packets import frames

LINKS = {1: p.ethernet, 113: p.sll, 276: p.sll2, 101: bytes, 0: p.null}
HOSTS = st.sampled_from(["10.0.0.1", "10.0.0.2", "192.168.255.255", "0.0.0.0", "255.255.255.255"])
HOSTS_6 = st.sampled_from(["2001:db8::1", "fe80::1", "::", "ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff"])
NUMBERS = st.sampled_from([0, 1, 2**31 - 1, 2**31, 2**32 - 1]) | st.integers(0, 2**32 - 1)
KNOWN_OPTIONS = st.one_of(
    st.builds(p.mss, st.integers(0, 65535)),
    st.builds(p.wscale, st.integers(0, 255)),
    st.builds(p.timestamps, NUMBERS, NUMBERS),
    st.lists(st.tuples(NUMBERS, NUMBERS), min_size=1, max_size=4).map(lambda blocks: p.sack(*blocks)),
    st.sampled_from([p.SACK_PERMITTED, p.NOP, p.EOL]),
    st.builds(p.option, st.sampled_from([19, 28, 29, 30, 34, 5, 2, 8, 77]), st.binary(max_size=18)),
    st.builds(lambda cookie: p.option(254, b"\xf9\x89" + cookie), st.binary(max_size=18)),
    st.builds(p.option, st.integers(2, 255), st.binary(max_size=4), st.integers(0, 45)),
)
OPTIONS = st.lists(KNOWN_OPTIONS, max_size=5).map(lambda parts: b"".join(parts)[:40])
SEGMENTS = st.builds(
    p.tcp,
    st.integers(0, 0xFFF),
    seq=NUMBERS,
    ack=NUMBERS,
    payload=st.binary(max_size=40),
    sport=st.integers(0, 65535),
    dport=st.integers(0, 65535),
    window=st.integers(0, 65535),
    urgent=st.integers(0, 65535),
    options=OPTIONS,
    checksum=st.sampled_from([None, None, 0, 0xFFFF]),
    offset=st.sampled_from([None, None, None, 0, 4, 5, 15]),
)
DATAGRAMS = st.builds(
    lambda data, port: p.udp(data, 5000, port), st.binary(max_size=20), st.sampled_from([53, 4789, 2152])
)
PAYLOADS_4 = (
    st.tuples(SEGMENTS, st.just(6))
    | st.tuples(DATAGRAMS, st.just(17))
    | st.tuples(st.binary(max_size=30), st.sampled_from([0, 1, 2, 6, 43, 50, 51, 58, 132, 255]))
)
EXTENSION = st.one_of(
    st.tuples(st.sampled_from([0, 60, 135, 139, 140]), st.sampled_from([8, 16]).map(p.padded_extension)),
    st.just((44, b"\0" * 7)),
    st.just((51, bytes([4]) + b"\0" * 22)),
    st.builds(
        lambda route, left, stops: (43, bytes([2 * stops, route, left]) + b"\0" * 4 + b"\x20\1" * (8 * stops)),
        st.sampled_from([0, 2, 3, 4]),
        st.integers(0, 2),
        st.integers(0, 2),
    ),
)
PACKETS_4 = st.builds(
    lambda payload, src, dst, options, tos, total: p.ipv4(
        payload[0], src, dst, protocol=payload[1], options=options, tos=tos, total=total
    ),
    PAYLOADS_4,
    HOSTS,
    HOSTS,
    st.binary(max_size=12),
    st.integers(0, 255),
    st.sampled_from([None, None, None, 0, 19, 20, 39, 40, 60, 1500, 65535]),
)
PACKETS_6 = st.builds(
    lambda payload, src, dst, extensions, length: p.ipv6(
        payload[0], src, dst, protocol=payload[1], extensions=extensions, length=length
    ),
    PAYLOADS_4,
    HOSTS_6,
    HOSTS_6,
    st.lists(EXTENSION, max_size=18),
    st.sampled_from([None, None, None, 0, 20, 60, 65535]),
)
TAGGED = st.builds(
    lambda packet, tags: functools.reduce(lambda inner, tag: p.vlan(tag[0], inner, tag[1]), tags, packet),
    PACKETS_4 | PACKETS_6,
    st.lists(
        st.tuples(st.sampled_from([0, 1, 5, 4095]), st.sampled_from([0x8100, 0x88A8, 0x9100, 0x9200])), max_size=9
    ),
)


@st.composite
def frame_and_link(draw: st.DrawFn) -> tuple[bytes, int]:
    link = draw(st.sampled_from(sorted(LINKS)))
    if link in (1, 113, 276):
        packet = draw(TAGGED)
        frame = p.ieee_802_3(packet) if link == 1 and draw(st.booleans()) else LINKS[link](packet)
    else:
        frame = LINKS[link](draw(PACKETS_4 | PACKETS_6))
    return frame + b"\0" * draw(st.sampled_from([0, 0, 6])), link


@st.composite
def damaged(draw: st.DrawFn) -> tuple[bytes, int]:
    frame, link = draw(frame_and_link())
    octets = bytearray(frame)
    for _ in range(draw(st.integers(0, 3))):
        at = draw(st.integers(0, min(len(octets), 90) - 1))
        octets[at] = draw(st.integers(0, 255))
    return bytes(octets), link


def agree(frame: bytes, link: int, original: int, mark: int = 0) -> None:
    wanted = naive_decode.decode(frame, link, original, mark)
    data = frames([frame], link, original=[original])
    data.marks[:] = filled("i", data.n, mark)
    fast, plain = decoded(data), decoded(data, DpktDecoder)
    assert (fast.rows, fast.unused, fast.quotes) == (plain.rows, plain.unused, plain.quotes)
    if wanted == naive_decode.RARE:
        return
    if isinstance(wanted, str):
        assert (fast.rows, fast.unused) == ([], {wanted: 1})
        return
    assert fast.unused == {}
    assert {name: value for name, value in fast.rows[0].items() if name in wanted} == wanted


@settings(max_examples=400, deadline=None)
@given(frame_and_link(), st.sampled_from([0, 1, 2, 3, 8, 11]))
def test_whole_frames(frame_link: tuple[bytes, int], mark: int) -> None:
    frame, link = frame_link
    agree(frame, link, len(frame), mark)


@settings(max_examples=400, deadline=None)
@given(damaged(), st.integers(0, 140), st.integers(-70, 70))
@example((p.ethernet(p.ipv4(p.tcp())), 1), 30, 0)
def test_damaged_and_cut_frames(frame_link: tuple[bytes, int], kept: int, longer: int) -> None:
    frame, link = frame_link
    agree(frame[:kept], link, max(len(frame) + longer, 0))


@settings(max_examples=100, deadline=None)
@given(st.lists(frame_and_link(), min_size=1, max_size=12), st.integers(1, 5))
def test_batch_size_changes_nothing(frame_links: list[tuple[bytes, int]], capacity: int) -> None:
    data = frames([frame for frame, _ in frame_links], [link for _, link in frame_links])
    assert decoded(data, capacity=capacity).rows == decoded(data, capacity=1000).rows


@settings(max_examples=100, deadline=None)
@given(st.binary(min_size=20, max_size=300), st.integers(0, 16), st.integers(0, 8))
def test_checksum_wherever_the_segment_lies(payload: bytes, before: int, after: int) -> None:
    """The sum is taken by eight octets; neither where it starts nor what surrounds it may matter."""
    packet = p.ipv4(p.tcp(payload=payload))
    data = frames([b"\xff" * before, packet, b"\xff" * after], 101)
    wrong = frames(
        [b"\xff" * before, packet[:30] + struct.pack(">H", packet[30] ^ 0x55) + packet[32:], b"\xff" * after], 101
    )
    assert [row["marks"] for row in decoded(data, Decoder).rows] == [256]
    assert [row["marks"] for row in decoded(wrong, Decoder).rows] == [64]
