"""Going on after damage, where it is asked for."""

import pytest

from tcptrace_py.capture import Mark
from tests.containers import (
    TEN,
    block,
    enhanced,
    floored,
    frames_of,
    pcap,
    pcap_record,
    pcapng,
    section,
    times_and_data,
)

MICRO = floored(TEN, 1000)
DAMAGED_PCAP = pcap(TEN[:5]) + pcap_record(*TEN[5], claimed=0xFFFFFFFF) + pcap(TEN[6:])[24:]


@pytest.mark.parametrize("order", ["<", ">"])
@pytest.mark.parametrize("claimed", [0xFFFFFFFF, 0x7FFFFFFF, 200_000])
def test_pcap_goes_on_at_the_next_record(order, claimed):
    before = pcap(TEN[:5], order)
    data = before + pcap_record(*TEN[5], order, claimed=claimed) + pcap(TEN[6:], order)[24:]
    got, info = frames_of(data, resync=True)
    assert times_and_data(got) == MICRO[:5] + MICRO[6:]
    assert [frame.marks for frame in got] == [Mark(0)] * 5 + [Mark.AFTER_GAP] + [Mark(0)] * 3
    assert [frame.frame for frame in got] == list(range(1, 10))
    assert (info.status, info.offset, info.packets_read) == ("partial", len(before), 9)
    assert info.gaps == [(len(before), 16 + 59, 6, MICRO[6][0])]
    assert info.message.endswith(f"; {16 + 59} bytes left out")
    assert info.limits == ({"max_record": 1} if claimed > 262_144 else {})


def test_without_asking_it_stops():
    got, info = frames_of(DAMAGED_PCAP)
    assert times_and_data(got) == MICRO[:5]
    assert info.notes == []


def test_two_gaps_the_first_is_told():
    data = DAMAGED_PCAP + pcap_record(*TEN[0], claimed=0xFFFFFFF0) + pcap(TEN[1:])[24:]
    got, info = frames_of(data, resync=True)
    assert times_and_data(got) == MICRO[:5] + MICRO[6:] + MICRO[1:]
    assert info.offset == len(pcap(TEN[:5]))
    assert [gap.frame for gap in info.gaps] == [6, 10]
    assert info.message.endswith(f"; {16 + 59 + 16 + 54} bytes left out in 2 places")


def test_nothing_to_go_on_with():
    data = pcap(TEN[:5]) + b"\xff" * 1000
    got, info = frames_of(data, resync=True)
    assert times_and_data(got) == MICRO[:5]
    assert (info.reason, info.offset, info.notes) == ("bad_length", len(pcap(TEN[:5])), [])


@pytest.mark.parametrize("order", ["<", ">"])
@pytest.mark.parametrize(
    "damage", [b"\xff" * 37, block(6, b"x" * 30)[:-6], enhanced(1, b"x", number=9), block(99, b"", length=4)]
)
def test_pcapng_goes_on_at_the_next_block(order, damage):
    data = pcapng(TEN[:5], order) + damage
    data += b"".join(enhanced(time // 1000, packet, order) for time, packet in TEN[5:])
    got, info = frames_of(data, resync=True)
    assert times_and_data(got) == MICRO
    assert [frame.marks for frame in got] == [Mark(0)] * 5 + [Mark.AFTER_GAP] + [Mark(0)] * 4
    assert (info.status, info.offset) == ("partial", len(pcapng(TEN[:5])))


@pytest.mark.parametrize("order", ["<", ">"])
@pytest.mark.parametrize("lie", [{"length": 24}, {"trailer": 32}])
def test_pcapng_goes_on_behind_its_first_header(order, lie):
    data = section(order, **lie) + pcapng(TEN, order)[len(section(order)) :]
    got, info = frames_of(data, resync=True)
    assert times_and_data(got) == MICRO
    assert (info.status, info.offset, got[0].marks) == ("partial", 0, Mark.AFTER_GAP)


def test_what_ends_it_after_a_gap_is_a_note():
    data = DAMAGED_PCAP + pcap_record(*TEN[0], claimed=0xFFFFFFF0) + pcap(TEN[1:])[24:]
    got, info = frames_of(data[:-1], resync=True)
    assert len(got) == 9 + 8
    assert info.reason == "bad_length"
    assert len(info.notes) == 1
    assert info.notes[0].startswith("cut short in record 18 at byte ")


def test_a_cut_end_is_still_a_cut_end():
    got, info = frames_of(pcap(TEN)[:-1], resync=True)
    assert times_and_data(got) == MICRO[:9]
    assert (info.reason, info.notes) == ("cut_short", [])
