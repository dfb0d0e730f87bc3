"""pcapng: sections, interfaces, clocks, rare blocks; exact to the nanosecond."""

import io
import struct

import pytest

import tcptrace_py as tt
from tcptrace_py.capture import Mark
from tcptrace_py.capture.frames import LATEST_NS
from tcptrace_py.errors import UnreadableError
from tests.containers import (
    START,
    TEN,
    block,
    enhanced,
    floored,
    frames_of,
    interface,
    obsolete,
    option,
    pcapng,
    section,
    simple,
    times_and_data,
    tsoffset,
    tsresol,
)
from tests.packets import ACK, SYN, ipv4, tcp

MICRO = floored(TEN, 1000)


@pytest.mark.parametrize("order", ["<", ">"])
def test_byte_orders(order):
    got, info = frames_of(pcapng(TEN, order))
    assert times_and_data(got) == MICRO
    assert {(frame.link, frame.interface, frame.marks) for frame in got} == {(1, 0, Mark(0))}
    assert [frame.original for frame in got] == [len(data) for _, data in TEN]
    assert info.format == "pcapng" + (" big-endian" if order == ">" else "")
    assert info.status == "ok"


@pytest.mark.parametrize("exponent", [0, 3, 6, 9])
def test_decimal_clocks(exponent):
    unit = 10 ** (9 - exponent)
    got, _ = frames_of(pcapng(TEN, unit=unit, options=tsresol(exponent)))
    assert times_and_data(got) == floored(TEN, unit)


@pytest.mark.parametrize(
    ("resolution", "units", "time", "mark"),
    [
        (0x80 | 20, (1_700_000_000 << 20) + 1, START + 953, Mark.TIME_ODD),  # 10**9 / 2**20 = 953.67
        (0x80 | 20, (1_700_000_000 << 20) + 2**19, START + 500_000_000, Mark(0)),
        (0x80, 1_700_000_000, START, Mark(0)),
        (12, 5 * 10**12 + 1999, 5 * 10**9 + 1, Mark.TIME_ODD),
        (12, 5 * 10**12 + 2000, 5 * 10**9 + 2, Mark(0)),
        (0x80 | 63, 3 * 2**62, 1_500_000_000, Mark(0)),
        (0, 2**63, LATEST_NS, Mark.TIME_ODD),  # too late: clamped
        (6, 2**64 - 1, LATEST_NS, Mark.TIME_ODD),
        (6, LATEST_NS // 1000, LATEST_NS // 1000 * 1000, Mark(0)),
        (6, LATEST_NS // 1000 + 1, LATEST_NS, Mark.TIME_ODD),
    ],
)
def test_clocks_that_are_no_whole_nanoseconds(resolution, units, time, mark):
    got, _ = frames_of(section() + interface(options=tsresol(resolution)) + enhanced(units, b"abc"))
    assert [(frame.time_ns, frame.data, frame.marks) for frame in got] == [(time, b"abc", mark)]


@pytest.mark.parametrize(("seconds", "unit", "exponent"), [(1_600_000_000, 1000, 6), (-100, 1, 9), (7, 1000, 6)])
def test_time_offset(seconds, unit, exponent):
    options = tsresol(exponent) + tsoffset(seconds)
    got, _ = frames_of(section() + interface(options=options) + enhanced(5 * 10**9 // unit, b"abc"))
    assert got[0].time_ns == (5 + seconds) * 10**9


def test_an_absurd_time_offset_is_clamped_and_marked():
    got, _ = frames_of(section() + interface(options=tsoffset(2**62)) + enhanced(1, b"abc"))
    assert (got[0].time_ns, got[0].marks) == (LATEST_NS, Mark.TIME_ODD)


def test_the_difference_of_two_times_is_an_int64():
    described = interface(101, tsresol(9) + tsoffset(-(2**40))) + interface(101, tsresol(0))
    first, last = (ipv4(tcp(flags, seq=seq)) for flags, seq in ((SYN, 7), (ACK, 8)))
    data = section() + described + enhanced(0, first) + enhanced(2**40, last, number=1)
    (row,) = tt.analyze(io.BytesIO(data)).arrow("connections").to_pylist()
    assert row["duration_ns"] == 2 * LATEST_NS == 2**63 - 2


def test_interfaces_differ_in_clock_and_link():
    text = section() + interface(1) + interface(113, tsresol(9) + option(2, b"eth1")) + interface(276)
    for n, (time, data) in enumerate(TEN):
        text += enhanced(time if n % 3 == 1 else time // 1000, data, number=n % 3)
    got, info = frames_of(text)
    assert times_and_data(got) == [floored([packet], 1 if n % 3 == 1 else 1000)[0] for n, packet in enumerate(TEN)]
    assert [frame.interface for frame in got] == [n % 3 for n in range(10)]
    assert info.link_types == {1: 4, 113: 3, 276: 3}
    assert info.interfaces == ["", "eth1", ""]


def test_sections_count_interfaces_on_and_may_change_byte_order():
    text = pcapng(TEN[:5], "<") + section(">") + interface(101, b"", ">") + interface(113, b"", ">")
    text += b"".join(enhanced(time // 1000, data, ">", number=1) for time, data in TEN[5:])
    got, info = frames_of(text)
    assert times_and_data(got) == MICRO
    assert [frame.interface for frame in got] == [0] * 5 + [2] * 5
    assert [frame.link for frame in got] == [1] * 5 + [113] * 5
    assert info.packets_read == 10


def test_more_interfaces_than_columns_were_allotted():
    text = section() + b"".join(interface(n) for n in range(100)) + enhanced(1, b"x", number=99)
    got, _ = frames_of(text)
    assert (got[0].link, got[0].interface) == (99, 99)


@pytest.mark.parametrize("order", ["<", ">"])
def test_simple_packets_have_no_time(order):
    text = section(order) + interface(1, b"", order, snaplen=60)
    text += b"".join(simple(data[:60], order, original=len(data)) for _, data in TEN)
    got, info = frames_of(text)
    assert [frame.data for frame in got] == [data[:60] for _, data in TEN]
    assert [frame.original for frame in got] == [len(data) for _, data in TEN]
    assert {(frame.time_ns, frame.marks) for frame in got} == {(0, Mark.NO_TIME)}
    assert info.first_time_ns is None


@pytest.mark.parametrize("order", ["<", ">"])
def test_obsolete_packets(order):
    text = section(order) + interface(1, b"", order)
    text += b"".join(obsolete(time // 1000, data, order) for time, data in TEN)
    got, info = frames_of(text)
    assert times_and_data(got) == MICRO
    assert info.status == "ok"


def test_other_blocks_are_passed_over():
    others = (
        block(4, b"names") + block(5, b"statistics") + block(10, b"secrets") + block(0xBAD, b"custom") + block(77, b"")
    )
    text = section() + others + interface()
    for time, data in TEN:
        text += others + enhanced(time // 1000, data, options=option(1, b"a comment") + option(0, b""))
    got, info = frames_of(text + others)
    assert times_and_data(got) == MICRO
    assert info.status == "ok"


@pytest.mark.parametrize("fcslen", [4, 32])  # octets by practice, bits by the draft
def test_frame_check_sequence_of_the_interface(fcslen):
    text = section() + interface(options=option(13, bytes([fcslen])))
    text += enhanced(1, b"x" * 64) + enhanced(1, b"x" * 60, original=100) + obsolete(1, b"x" * 64)
    got, _ = frames_of(text)
    assert [(len(frame.data), frame.original) for frame in got] == [(60, 60), (60, 96), (60, 60)]


def test_frame_check_sequence_of_the_packet_overrules():
    flags = option(2, struct.pack("<I", 2 << 5))
    text = section() + interface(options=option(13, b"\4")) + enhanced(1, b"x" * 64, options=flags)
    assert [(len(frame.data), frame.original) for frame in frames_of(text)[0]] == [(62, 62)]


KEPT = len(pcapng(TEN[:3]))


@pytest.mark.parametrize(
    ("broken", "reason"),
    [
        (enhanced(1, b"x", number=1), "bad_interface"),
        (obsolete(1, b"x", number=1), "bad_interface"),
        (block(99, b"", length=0), "bad_length"),
        (block(99, b"", length=4), "bad_length"),
        (block(99, b"abc", length=14), "bad_length"),
        (block(6, b"", length=0xFFFFFFFC), "bad_length"),
        (block(99, b"", length=(16 << 20) + 4), "bad_length"),
        (block(6, b"short"), "bad_length"),
        (block(3, b""), "bad_length"),
        (block(1, b""), "bad_length"),
        (enhanced(1, b"x", trailer=40), "bad_trailer"),
        (enhanced(1, b"xyz", captured=5), "bad_length"),
        (enhanced(1, b"xyz", captured=2**32 - 1), "bad_length"),
        (enhanced(1, b"xyz", options=option(1, b"abcd", length=5)), "bad_option"),
        (enhanced(1, b"xyz", options=option(1, b"abcd", length=65535)), "bad_option"),
        (interface(options=option(2, b"abcd", length=9)), "bad_option"),
        (interface(options=tsresol(0xFF)), "bad_interface"),
        (interface(options=tsresol(19)), "bad_interface"),
        (section(version=(2, 0)), "bad_version"),
        (section(trailer=32), "bad_trailer"),
        (section()[:8] + b"\1\2\3\4" + section()[12:], "bad_version"),
    ],
)
def test_damage_keeps_what_came_before(broken, reason):
    got, info = frames_of(pcapng(TEN[:3]) + broken + enhanced(1, b"never read"))
    assert times_and_data(got) == MICRO[:3]
    assert (info.status, info.reason, info.offset) == ("partial", reason, KEPT)
    assert f"at byte {KEPT} (" in info.message


@pytest.mark.parametrize("keep", [1, 11, 12, 40])
def test_cut_short(keep):
    got, info = frames_of(pcapng(TEN[:3]) + enhanced(1, b"x" * 40)[:keep])
    assert times_and_data(got) == MICRO[:3]
    assert (info.status, info.reason, info.offset) == ("partial", "cut_short", KEPT)
    assert f"got {keep})" in info.message


@pytest.mark.parametrize("keep", [1, 12, 27])
def test_cut_short_in_a_later_section_header(keep):
    got, info = frames_of(pcapng(TEN[:3]) + section(">")[:keep])
    assert times_and_data(got) == MICRO[:3]
    assert (info.status, info.reason, info.offset) == ("partial", "cut_short", KEPT)


def test_a_packet_before_its_interface():
    got, info = frames_of(section() + enhanced(1, b"x") + interface())
    assert (got, info.status, info.reason, info.offset) == ([], "partial", "bad_interface", 28)


def test_too_many_interfaces():
    _, info = frames_of(section() + interface() * 65_537)
    assert (info.status, info.reason) == ("partial", "bad_interface")
    assert "more than 65536 interfaces" in info.message
    assert len(info.interfaces) == 65_536


@pytest.mark.parametrize("head", [section(version=(3, 0)), section()[:8] + b"????" + section()[12:], section()[:27]])
def test_a_header_that_cannot_be(head):
    with pytest.raises(UnreadableError):
        frames_of(head)
