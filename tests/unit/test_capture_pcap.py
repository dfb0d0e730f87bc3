"""pcap files of every kind: exact times, lengths, link types; and what damage does."""

import pytest

from tcptrace_py.capture import Mark
from tcptrace_py.errors import UnreadableError
from tests.containers import START, TEN, floored, frames_of, pcap, pcap_header, pcap_record, times_and_data

MICRO = floored(TEN, 1000)


@pytest.mark.parametrize("order", ["<", ">"])
@pytest.mark.parametrize("unit", [1000, 1])
def test_byte_orders_and_clocks(order, unit):
    got, info = frames_of(pcap(TEN, order, unit=unit))
    assert times_and_data(got) == floored(TEN, unit)
    assert [frame.frame for frame in got] == list(range(1, 11))
    assert [frame.original for frame in got] == [len(data) for _, data in TEN]
    assert {(frame.link, frame.interface, frame.marks) for frame in got} == {(1, 0, Mark(0))}
    assert info.format == ("pcap (ns)" if unit == 1 else "pcap") + (" big-endian" if order == ">" else "")
    assert (info.status, info.reason, info.offset, info.packets_read) == ("ok", "", None, 10)
    assert (info.first_time_ns, info.last_time_ns) == (got[0].time_ns, got[-1].time_ns)
    assert info.link_types == {1: 10}


@pytest.mark.parametrize("order", ["<", ">"])
def test_modified_records_are_eight_bytes_longer(order):
    records = [pcap_record(time, data, order) for time, data in TEN]
    longer = b"".join(record[:16] + b"\1\2\3\4\5\6\7\10" + record[16:] for record in records)
    got, info = frames_of(pcap_header(order, magic=0xA1B2CD34) + longer)
    assert times_and_data(got) == MICRO
    assert info.format.startswith("pcap (modified)")


def _swapped(time, data, original):
    """A record whose two lengths stand the other way round."""
    record = pcap_record(time, data, ">", original=original)
    return record[:8] + record[12:16] + record[8:12] + record[16:]


def test_version_2_2_has_its_lengths_swapped():
    text = pcap_header(">", version=(2, 2)) + b"".join(_swapped(t, d, len(d) + 900) for t, d in TEN)
    got, _ = frames_of(text)
    assert times_and_data(got) == MICRO
    assert [frame.original for frame in got] == [len(data) + 900 for _, data in TEN]


def test_version_2_3_has_them_either_way():
    text = pcap_header(">", version=(2, 3)) + b"".join(
        _swapped(t, d, 999) if n % 2 else pcap_record(t, d, ">", original=999) for n, (t, d) in enumerate(TEN)
    )
    got, _ = frames_of(text)
    assert times_and_data(got) == MICRO
    assert {frame.original for frame in got} == {999}


@pytest.mark.parametrize("version", [(9, 4), (1, 0), (2, 5), (3, 0)])
def test_unknown_version(version):
    with pytest.raises(UnreadableError, match=rf"pcap version {version[0]}\.{version[1]}") as error:
        frames_of(pcap(TEN, version=version))
    assert error.value.reason == "unknown_version"


def test_link_type_is_the_low_16_bits():
    got, info = frames_of(pcap(TEN, link=0x3000_0071))
    assert {frame.link for frame in got} == {113}
    assert [len(frame.data) for frame in got] == [54 + n for n in range(10)]  # no FCS bit, so no FCS
    assert info.link_types == {113: 10}


def test_frame_check_sequence_is_taken_off_whole_records():
    text = pcap_header(link=0x2400_0001) + pcap_record(START, b"x" * 64)
    text += pcap_record(START, b"x" * 60, original=100)  # cut: none of it was captured
    text += pcap_record(START, b"x" * 98, original=100)  # cut within it
    text += pcap_record(START, b"x" * 3)  # shorter than it
    got, _ = frames_of(text)
    assert [(len(frame.data), frame.original) for frame in got] == [(60, 60), (60, 96), (96, 96), (0, 0)]


def test_original_below_captured_is_kept_and_marked():
    got, _ = frames_of(pcap_header() + pcap_record(START, b"x" * 60, original=40))
    assert [(len(frame.data), frame.original, frame.marks) for frame in got] == [(60, 40, Mark.ORIGINAL_TOO_SMALL)]


def test_a_fraction_of_a_second_or_more_is_carried():
    record = bytearray(pcap_record(START, b"x"))
    record[4:8] = (2_500_000).to_bytes(4, "little")
    got, _ = frames_of(pcap_header() + bytes(record))
    assert [(frame.time_ns, frame.marks) for frame in got] == [(START + 2_500_000_000, Mark.TIME_ODD)]


def test_year_2106_and_a_clock_set_back():
    times = [(2**32 - 1) * 10**9 + 999_999_000, START, START - 3600 * 10**9]
    got, info = frames_of(pcap([(time, b"x") for time in times]))
    assert [frame.time_ns for frame in got] == times
    assert (info.first_time_ns, info.last_time_ns) == (times[2], times[0])


def test_zeros_in_the_middle_are_frames_without_time():
    text = pcap(TEN[:5]) + b"\0" * 4096 + pcap(TEN[5:])[24:]
    got, info = frames_of(text)
    holes = [frame for frame in got if frame.marks]
    assert len(holes) == 256
    assert {(frame.data, frame.time_ns, frame.marks) for frame in holes} == {(b"", 0, Mark.NO_TIME | Mark.TIME_ODD)}
    assert times_and_data(frame for frame in got if not frame.marks) == MICRO
    assert (info.first_time_ns, info.last_time_ns) == (MICRO[0][0], MICRO[-1][0])


@pytest.mark.parametrize(("snaplen", "note"), [(0, True), (2**32 - 1, True), (10, True), (262_144, False)])
def test_the_snap_length_in_the_header_is_not_believed(snaplen, note):
    got, info = frames_of(pcap(TEN, snaplen=snaplen))
    assert times_and_data(got) == MICRO
    assert bool(info.notes) is note


def test_header_only_is_no_error():
    got, info = frames_of(pcap())
    assert (got, info.status, info.packets_read, info.first_time_ns) == ([], "ok", 0, None)


@pytest.mark.parametrize("keep", [4, 23])
def test_cut_file_header(keep):
    with pytest.raises(UnreadableError, match=f"wanted 24 bytes, got {keep}"):
        frames_of(pcap(TEN)[:keep])


LAST = len(pcap(TEN)) - 16 - 63  # where record 10 begins


@pytest.mark.parametrize(
    ("end", "message"),
    [
        (LAST + 5, f"cut short in the header of record 10 at byte {LAST} (wanted 16, got 5)"),
        (LAST + 16, f"cut short in record 10 at byte {LAST} (wanted 63, got 0)"),
        (LAST + 16 + 62, f"cut short in record 10 at byte {LAST} (wanted 63, got 62)"),
    ],
)
def test_cut_keeps_what_came_before(end, message):
    got, info = frames_of(pcap(TEN)[:end])
    assert times_and_data(got) == MICRO[:9]
    assert (info.status, info.reason, info.message, info.offset) == ("partial", "cut_short", message, LAST)


@pytest.mark.parametrize("length", [0xFFFFFFFF, 0x7FFFFFFF, 262_145])
def test_impossible_length(length):
    broken = pcap(TEN[:5]) + pcap_record(*TEN[5], claimed=length) + pcap(TEN[6:])[24:]
    got, info = frames_of(broken)
    assert times_and_data(got) == MICRO[:5]
    assert (info.status, info.reason, info.offset) == ("partial", "bad_length", len(pcap(TEN[:5])))
    assert f"captured length {length}" in info.message


def test_a_record_of_the_largest_size_is_read():
    big = [(START, bytes(range(256)) * 1024), (START, b"y" * 5)]
    got, info = frames_of(pcap(big))
    assert times_and_data(got) == big
    assert info.status == "ok"


def test_more_frames_than_a_batch_has_rows():
    packets = [(START + n * 1000, n.to_bytes(4, "big")) for n in range(20_000)]
    got, _ = frames_of(pcap(packets))
    assert times_and_data(got) == packets
    assert [frame.frame for frame in got] == list(range(1, 20_001))


def test_link_type_can_be_overruled():
    got, info = frames_of(pcap(TEN, link=147), link_type=1)
    assert {frame.link for frame in got} == {1}
    assert info.link_types == {1: 10}
