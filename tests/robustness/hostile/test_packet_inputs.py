"""Inputs 45 to 52: packets in a sound capture, through the command, from a file and through a pipe."""

import pytest

from tests.containers import pcap, pcap_record
from tests.packets import (
    ACK,
    NOP,
    PSH,
    SACK_PERMITTED,
    SYN,
    ethernet,
    fragments_4,
    ieee_802_3,
    ipip,
    ipv4,
    ipv6,
    llc_snap,
    mpls,
    mss,
    null,
    option,
    padded_extension,
    pppoe,
    sll,
    sll2,
    tcp,
    timestamps,
    vlan,
    wscale,
)
from tests.robustness.hostile.door import START, STEP, TEN, Door, framed

FLAG_LETTERS = "FSRPAUEC"


def capture(*frames, link=1):
    return pcap([(START + n * STEP, frame) for n, frame in enumerate(frames)], link=link)


def data_segment(**fields):
    return tcp(PSH | ACK, payload=b"eight oc", **fields)


@pytest.fixture
def story(tmp_path):
    return Door("file", tmp_path)(pcap(TEN)).story


# -- 45: IP lengths --------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("packet", "reason"),
    [
        (ipv4(data_segment(), header=4), "bad_ip_header"),
        (ipv4(data_segment(), header=0), "bad_ip_header"),
        (ipv4(data_segment(), total=19), "bad_ip_header"),
        (ipv4(data_segment(), header=15, total=40), "bad_ip_header"),
        (ipv4(data_segment(), total=30), "bad_tcp_header"),
        (ipv4(data_segment(), version=5), "bad_ip_header"),
        (ipv6(data_segment(), length=10), "bad_tcp_header"),
    ],
    ids=["header 4", "header 0", "total 19", "header past total", "total 30", "version 5", "IPv6 length 10"],
)
def test_45_impossible_ip_lengths(analyze, packet, reason):
    answer = analyze(capture(ethernet(packet), ethernet(ipv4(data_segment()))))
    assert (answer.code, answer.unused) == (0, {reason: 1})
    assert [row["payload_bytes"] for row in answer.timeline] == [8]


def test_45_total_beyond_what_was_captured(analyze):
    frame = ethernet(ipv4(data_segment(), total=1500))
    answer = analyze(pcap()[:24] + pcap_record(START, frame, original=14 + 1500))
    (row,) = answer.timeline
    assert (row["payload_bytes"], row["marks"]) == (1460, ["cut"])
    lying = analyze(capture(frame))  # the record says that this is all there was
    (row,) = lying.timeline
    assert (row["payload_bytes"], row["marks"]) == (1460, ["cut", "original_length_wrong"])
    assert row["anomalies"] == ["cap_origlen"]


def test_45_total_0_of_an_offloaded_segment(analyze):
    frame = ethernet(ipv4(tcp(ACK, payload=b"x" * 9000), total=0))
    (row,) = analyze(capture(frame)).timeline
    assert (row["payload_bytes"], row["marks"]) == (9000, ["length_from_frame"])
    assert "cap_offload" in row["anomalies"]


# -- 46, 47: TCP offset and options ----------------------------------------------------------------------------------


@pytest.mark.parametrize("offset", [0, 4, 15])
def test_46_impossible_tcp_offset(analyze, offset):
    answer = analyze(capture(ethernet(ipv4(data_segment(offset=offset)))))
    assert (answer.code, answer.unused, answer.timeline) == (0, {"bad_tcp_header": 1}, [])


def test_46_offset_15_of_a_header_that_was_not_captured_whole(analyze):
    frame = ethernet(ipv4(tcp(SYN, options=mss(1400) + NOP * 36)))
    answer = analyze(pcap() + pcap_record(START, frame[: 14 + 20 + 26], original=len(frame)))
    (row,) = answer.timeline
    assert (row["payload_bytes"], row["marks"]) == (0, ["cut", "truncated_options"])


@pytest.mark.parametrize(
    ("options", "kept"),
    [
        (mss(1400) + wscale(7) + option(8, b"", length=0), {"mss": 1400, "wscale": 7, "timestamps": False}),
        (mss(1400) + option(3, b"\7", length=1), {"mss": 1400, "wscale": None}),
        (mss(1400) + SACK_PERMITTED + option(8, bytes(8), length=40), {"mss": 1400, "sack_permitted": True}),
        (option(2, b"\5", length=3) + NOP + wscale(7), {"mss": None, "wscale": 7}),
        (option(5, bytes(9)) + NOP + mss(1400), {"mss": 1400}),
        (option(5, bytes(2)) + mss(1400) + timestamps(1), {"mss": 1400, "timestamps": True}),
    ],
    ids=["length 0", "length 1", "overrun", "MSS of 3", "SACK of 11", "SACK of 4"],
)
def test_47_impossible_options(analyze, options, kept):
    data = capture(ethernet(ipv4(tcp(SYN, ack=0, options=options))))
    (row,) = analyze(data).timeline
    assert row["marks"] == ["bad_option"]
    (connection,) = analyze.connections(data)
    assert {name: connection[f"c2s_{name}"] for name in kept} == kept


# -- 48: fragments ---------------------------------------------------------------------------------------------------

WHOLE = ipv4(tcp(PSH | ACK, payload=bytes(range(64))))


def test_48_first_fragment_of_16_octets(analyze):
    first, *rest = fragments_4(WHOLE, 16)
    answer = analyze(capture(ethernet(first)))
    assert (answer.code, answer.unused, answer.timeline) == (0, {"fragment": 1}, [])
    joined = analyze(capture(ethernet(first), *map(ethernet, rest)))
    (row,) = joined.timeline
    assert (row["payload_bytes"], row["marks"], row["frame"]) == (64, ["fragments"], 1 + len(rest))
    assert joined.unused == {"fragment": len(rest)}


def test_48_a_fragment_at_8_that_would_overwrite_the_flags(analyze):
    """RFC 3128: what came first stays, so the flags are those of the first fragment."""
    first, *rest = fragments_4(WHOLE, 24)
    wrong = ipv4(b"\xff" * 16, protocol=6, ip_id=1, fragment=0x2000 | 1)
    answer = analyze(capture(*map(ethernet, (first, wrong, *rest))))
    (row,) = answer.timeline
    assert (row["flags"], row["payload_bytes"], row["marks"]) == ("PA", 64, ["fragments"])
    alone = analyze(capture(ethernet(wrong)))
    assert (alone.timeline, alone.unused) == ([], {"fragment": 1})


# -- 49, 50: links ---------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("padding", [6, 46, 1])
def test_49_padding_is_no_payload(analyze, story, padding):
    answer = analyze(pcap([(time, frame + b"\xaa" * padding) for time, frame in TEN]))
    assert (answer.code, answer.story) == (0, story)


def deep_vlans(number):
    def link(packet):
        for _ in range(number):
            packet = vlan(5, packet)
        return ethernet(packet)

    return link


LINKS = {
    "QinQ": (1, lambda packet: ethernet(vlan(3, vlan(5, packet), tpid=0x88A8))),
    "8 VLANs": (1, deep_vlans(8)),
    "MPLS": (1, lambda packet: ethernet(mpls(packet, 16, 17, 18))),
    "PPPoE": (1, lambda packet: ethernet(pppoe(packet))),
    "SLL": (113, sll),
    "SLL2": (276, sll2),
    "raw": (101, bytes),
    "raw of OpenBSD": (14, bytes),
    "IPv4": (228, bytes),
    "NULL little-endian": (0, null),
    "NULL big-endian": (0, lambda packet: null(packet, byte_order=">")),
    "LOOP": (108, lambda packet: null(packet, byte_order=">")),
    "802.3": (1, ieee_802_3),
    "LLC": (100, llc_snap),
}


@pytest.mark.parametrize("name", LINKS)
def test_50_links(analyze, story, name):
    link, frame = LINKS[name]
    answer = analyze(pcap(framed(frame), link=link))
    assert (answer.code, answer.story, answer.capture["link_types"]) == (0, story, [str(link)])


@pytest.mark.parametrize("number", [9, 64])
def test_50_more_vlans_than_the_bound(analyze, number):
    answer = analyze(pcap(framed(deep_vlans(number))))
    assert (answer.code, answer.unused, answer.timeline) == (0, {"depth_limit": 10}, [])
    assert answer.capture["limits"] == ["max_vlans: 10"]


# -- 51: depth -------------------------------------------------------------------------------------------------------


def nested(number, packet):
    for _ in range(number):
        packet = ipip(packet) if len(packet) < 65_000 else packet
    return packet


def test_51_ip_in_ip(analyze, story):
    sound = analyze(pcap(framed(lambda packet: ethernet(nested(4, packet)))))
    assert sound.story == story
    header = ipv4(b"", protocol=4, total=0)
    answer = analyze(capture(ethernet(header * 3000 + ipv4(tcp())), ethernet(nested(5, ipv4(tcp())))))
    assert (answer.code, answer.unused) == (0, {"depth_limit": 2})
    assert answer.capture["limits"] == ["max_tunnels: 2"]


@pytest.mark.parametrize(("number", "fits"), [(16, True), (17, False), (1500, False)])
def test_51_extension_headers(analyze, number, fits):
    packet = ipv6(tcp(), extensions=[(60, padded_extension())] * number)
    answer = analyze(capture(ethernet(packet)))
    assert len(answer.timeline) == fits
    assert answer.unused == ({} if fits else {"depth_limit": 1})
    assert answer.capture["limits"] == ([] if fits else ["max_extension_headers: 1"])


def test_51_an_extension_header_longer_than_the_packet(analyze):
    packet = ipv6(tcp(), extensions=[(60, bytes([200, 1, 4]) + bytes(4))])
    answer = analyze(capture(ethernet(packet)))
    assert (answer.unused, answer.timeline) == ({"bad_ip_header": 1}, [])


# -- 52: flags and ports ---------------------------------------------------------------------------------------------


def test_52_all_flag_octets(analyze):
    answer = analyze(capture(*(ethernet(ipv4(tcp(flags, sport=1000 + flags))) for flags in range(256))))
    assert (answer.code, len(answer.timeline)) == (0, 256)
    for flags, row in enumerate(answer.timeline):
        letters = "".join(letter for bit, letter in enumerate(FLAG_LETTERS) if flags >> bit & 1)
        assert (row["flags"], row["flags_raw"]) == (letters, flags)
        legal = {letter for letter in letters if letter in "FSRA"} in (
            {"S"},
            {"S", "A"},
            {"R"},
            {"R", "A"},
            {"F", "A"},
            {"A"},
        )
        if not legal:
            assert "flag_illegal" in row["anomalies"], letters


def test_52_source_is_destination_and_port_0(analyze):
    land = ipv4(tcp(SYN, sport=80, dport=80, ack=0), "10.0.0.9", "10.0.0.9")
    zero = ipv4(tcp(SYN, sport=0, dport=0, ack=0))
    answer = analyze(capture(ethernet(land), ethernet(zero), ethernet(land)))
    assert (answer.code, [row["flags"] for row in answer.timeline]) == (0, ["S"] * 3)
    assert len({row["conn_id"] for row in answer.timeline}) == 2


def test_52_reserved_bits(analyze):
    (row,) = analyze(capture(ethernet(ipv4(tcp(ACK | 0x800))))).timeline
    assert (row["flags_raw"], row["flags"]) == (0x810, "A")
    assert "flag_illegal" in row["anomalies"]
