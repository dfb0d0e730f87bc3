"""Inputs 1 to 27: pcap, through the command, from a file and through a pipe."""

import json
import os
import struct
import threading

import pytest
from typer.testing import CliRunner

import tcptrace_py as tt
from tcptrace_py.views.cli import app
from tests.agreement import rows_of
from tests.containers import floored, pcap, pcap_header, pcap_record
from tests.packets import ACK, ethernet, ipv4, tcp
from tests.robustness.hostile.door import FRAMES, START, STEP, TEN, TIMES, Door, ns

MICRO = [time for time, _ in floored(TEN, 1000)]
WHOLE = pcap(TEN)
ENDS = [24 + sum(16 + len(frame) for frame in FRAMES[:n]) for n in range(11)]  # where record n begins


def with_record(n, record):
    """The ten, with other octets in the place of record number `n` (from 1)."""
    return pcap(TEN[: n - 1]) + record + pcap(TEN[n:])[24:]


@pytest.fixture
def story(tmp_path):
    return Door("file", tmp_path)(WHOLE).story


@pytest.mark.parametrize(
    ("data", "reason", "said"),
    [
        (b"", "empty", "empty file (0 bytes)"),
        (WHOLE[:4], "cut_header", "the pcap file header is cut short (wanted 24 bytes, got 4)"),
        (WHOLE[:23], "cut_header", "the pcap file header is cut short (wanted 24 bytes, got 23)"),
    ],
    ids=["1", "2", "3"],
)
def test_01_02_03_no_header(analyze, data, reason, said):
    answer = analyze(data)
    assert (answer.code, answer.said) == (4, said)
    assert (answer.capture["status"], answer.capture["reason"]) == ("unreadable", reason)
    assert answer.capture["packets_read"] == 0
    assert answer.timeline == []


def test_04_header_only(analyze):
    answer = analyze(pcap())
    assert (answer.code, answer.capture["packets_read"]) == (0, 0)
    assert answer.capture["notes"] == ["no packets"]


@pytest.mark.parametrize(
    ("data", "looks"),
    [
        (b"Dear reader,\nthis is a letter.\n" * 20, "text"),
        (b"\x7fELF\2\1\1" + bytes(57), "an ELF program"),
        (
            b"version https://git-lfs.github.com/spec/v1\noid sha256:4d7a\nsize 12345\n",
            "a git-lfs pointer; fetch the file itself with: git lfs pull",
        ),
    ],
    ids=["text", "elf", "git-lfs"],
)
def test_05_not_a_capture(analyze, data, looks):
    answer = analyze(data)
    assert (answer.code, answer.said) == (4, f"not a capture file (looks like {looks})")
    assert answer.capture["reason"] == "not_a_capture"


@pytest.mark.parametrize(
    ("keep", "what", "wanted"),
    [
        (ENDS[9] + 16 + 47, "record 10", 54),
        (ENDS[9] + 7, "the header of record 10", 16),
        (ENDS[9] + 16, "record 10", 54),
    ],
    ids=["6", "7", "8"],
)
def test_06_07_08_cut(analyze, story, keep, what, wanted):
    answer = analyze(WHOLE[:keep])
    got = (keep - ENDS[9]) % 16 if what.startswith("the") else keep - ENDS[9] - 16
    said = f"cut short in {what} at byte {ENDS[9]} (wanted {wanted}, got {got})"
    assert (answer.code, answer.said) == (3, f"{said}; 9 packets kept")
    assert answer.capture["message"] == said
    assert (answer.capture["status"], answer.capture["reason"]) == ("partial", "cut_short")
    assert answer.capture["offset"] == ENDS[9]
    assert answer.story == story[:9]
    assert answer.times == MICRO[:9]


@pytest.mark.parametrize("claimed", [0xFFFFFFFF, 0x7FFFFFFF], ids=["9", "10"])
def test_09_10_impossible_length_in_the_middle(analyze, story, claimed):
    answer = analyze(with_record(6, pcap_record(*TEN[5], claimed=claimed)))
    said = f"damaged in record 6 at byte {ENDS[5]} (captured length {claimed}, at most 262144 can be)"
    assert (answer.code, answer.said) == (3, f"{said}; 5 packets kept")
    assert (answer.capture["reason"], answer.capture["offset"]) == ("bad_length", ENDS[5])
    assert answer.capture["limits"] == ["max_record: 1"]
    assert answer.story == story[:5]


@pytest.mark.parametrize("claimed", [0xFFFFFFFF, 0x7FFFFFFF])
def test_11_the_same_with_resync(analyze, story, claimed):
    answer = analyze(with_record(6, pcap_record(*TEN[5], claimed=claimed)), "--resync")
    octets = 16 + len(FRAMES[5])
    said = f"damaged in record 6 at byte {ENDS[5]} (captured length {claimed}, at most 262144 can be)"
    assert (answer.code, answer.said) == (3, f"{said}; {octets} bytes left out; 9 packets kept")
    assert [row["marks"] for row in answer.timeline] == [[]] * 5 + [["after_gap"]] + [[]] * 3
    assert answer.times == MICRO[:5] + MICRO[6:]
    (gap,) = [event for event in answer.events if event["code"] == "cap_gap"]
    assert (gap["frame"], ns(gap["time"]), gap["evidence"], gap["conn_id"]) == (6, MICRO[6], octets, None)
    assert gap["sentence"] == f"{octets} bytes at byte {ENDS[5]} left out as damaged"
    assert answer.capture["packets_read"] == 9


@pytest.mark.parametrize("batch", ["1", "4096"])
def test_11_each_connection_behind_a_gap(tmp_path, batch):
    """The first segment of each is marked, although the frame right behind the gap is none of theirs."""
    others = [ethernet(ipv4(tcp(ACK, seq=n, sport=1000 + n % 3))) for n in range(12)]
    arp = (START + 6 * STEP, ethernet(bytes(28), 0x0806))
    packets = [(START + n * STEP, frame) for n, frame in enumerate(others)]
    data = pcap(packets[:6]) + b"\xff" * 100 + pcap([arp, *packets[6:]])[24:] + b"\xff" * 50 + pcap(packets[:2])[24:]
    (tmp_path / "x").write_bytes(data)
    trace = tt.analyze(tmp_path / "x", resync=True, batch_size=int(batch), tables=["events"])
    rows = rows_of(trace, "timeline")
    marked = [(row["frame"], row["conn_id"]) for row in rows if "after_gap" in row["marks"]]
    assert marked == [(8, 0), (9, 1), (10, 2), (14, 0), (15, 1)]
    gaps = [(row["frame"], row["evidence"]) for row in rows_of(trace, "events") if row["code"] == "cap_gap"]
    assert gaps == [(7, 100), (14, 50)]
    assert trace.captures["message"][0].endswith("; 150 bytes left out in 2 places")


def test_12_captured_more_than_there_was(analyze, story):
    answer = analyze(with_record(4, pcap_record(*TEN[3], original=50)))
    assert answer.code == 0
    assert answer.story == story
    assert answer.timeline[3]["wire_bytes"] == 50
    assert answer.capture["notes"] == ["1 packet longer than their original length"]


def test_13_captured_nothing(analyze, story):
    answer = analyze(with_record(6, pcap_record(TIMES[5], b"", original=54)))
    assert answer.code == 0
    assert answer.unused == {"empty_frame": 1}
    assert answer.story == story[:5] + story[6:]


def test_14_zeros_in_the_middle(analyze):
    answer = analyze(pcap(TEN[:5]) + bytes(4096) + pcap(TEN[5:])[24:])
    assert answer.code == 0
    assert answer.capture["packets_read"] == 10 + 4096 // 16
    assert answer.unused == {"empty_frame": 4096 // 16}
    assert answer.times == MICRO
    assert [ns(answer.capture[name]) for name in ("first_time", "last_time")] == [MICRO[0], MICRO[-1]]
    assert any("256 packets without a time" in note for note in answer.capture["notes"])


def test_14_zeros_over_part_of_a_record(analyze):
    """Where the zeros end is not where a record begins: at least one is flagged, and nothing is of 1970."""
    data = WHOLE[: ENDS[5] + 20] + bytes(4096) + WHOLE[ENDS[6] + 5 :]
    for options in ((), ("--resync",)):
        answer = analyze(data, *options)
        assert answer.capture["unused_empty_frame"] >= 1
        assert ns(answer.capture["first_time"]) == MICRO[0]
        assert all(time is None or time >= MICRO[0] for time in answer.times)


@pytest.mark.parametrize(
    ("snaplen", "note"),
    [
        (0, "snaplen 0 in the header"),
        (2**32 - 1, "snaplen 4294967295 in the header"),
        (40, "snaplen 40 in the header, and a packet of 62 bytes"),
    ],
)
def test_15_snaplen(analyze, story, snaplen, note):
    answer = analyze(pcap(TEN, snaplen=snaplen))
    assert (answer.code, answer.capture["notes"]) == (0, [note])
    assert answer.story == story


@pytest.mark.parametrize(
    ("order", "unit", "kind"),
    [(">", 1000, "pcap big-endian"), ("<", 1, "pcap (ns)"), (">", 1, "pcap (ns) big-endian")],
    ids=["16", "17", "18"],
)
def test_16_17_18_byte_orders_and_clocks(analyze, story, order, unit, kind):
    answer = analyze(pcap(TEN, order, unit=unit))
    assert (answer.code, answer.capture["format"]) == (0, kind)
    assert answer.times == [time // unit * unit for time in TIMES]
    assert answer.story == story


def test_19_kuznetzov(analyze, story):
    records = b""
    for time, frame in TEN:
        head = pcap_record(time, b"", claimed=len(frame), original=len(frame))
        records += head + struct.pack("<IHBB", 2, 0x0800, 0, 0) + frame
    answer = analyze(pcap_header(magic=0xA1B2CD34) + records)
    assert (answer.code, answer.times, answer.story) == (0, MICRO, story)


@pytest.mark.parametrize(("version", "order"), [((2, 3), "<"), ((2, 2), ">")])
def test_20_swapped_lengths(analyze, story, version, order):
    data = pcap_header(order, version=version)
    for time, frame in TEN:
        data += pcap_record(time, b"", order, claimed=len(frame) + 4, original=len(frame)) + frame
    answer = analyze(data)
    assert (answer.code, answer.times, answer.story) == (0, MICRO, story)
    assert [row["wire_bytes"] for row in answer.timeline] == [len(frame) + 4 for frame in FRAMES]


def test_21_version(analyze):
    answer = analyze(pcap(TEN, version=(9, 4)))
    assert (answer.code, answer.said) == (4, "pcap version 9.4 is not known (2.4 is the last)")


def test_22_frame_check_sequence(analyze, story):
    answer = analyze(pcap([(time, frame + b"\xde\xad\xbe\xef") for time, frame in TEN], link=0x24000001))
    assert (answer.code, answer.story) == (0, story)
    assert answer.capture["link_types"] == ["1"]
    assert [row["wire_bytes"] for row in answer.timeline] == [len(frame) for frame in FRAMES]


@pytest.mark.parametrize(
    ("link", "name"), [(65535, "link type 65535 (no name known)"), (189, "link type 189 (USB_LINUX)")]
)
def test_23_link_type_that_is_not_decoded(analyze, link, name):
    answer = analyze(pcap(TEN, link=link))
    assert (answer.code, answer.said) == (4, f"{name} is not decoded: 10 packets not used")
    assert (answer.capture["status"], answer.capture["reason"]) == ("unsupported", "unsupported_link")
    assert answer.unused == {"unsupported_link": 10}


def test_23_link_type_105_is_wireless_and_decoded(analyze):
    answer = analyze(pcap(TEN, link=105))  # whose frames are not
    assert (answer.code, answer.timeline) == (0, [])
    assert sum(answer.unused.values()) == 10


def test_24_fraction_of_a_second_above_one(analyze, story):
    late = struct.pack("<IIII", TIMES[5] // 10**9 - 1, 10**6 + TIMES[5] % 10**9 // 1000, 54, 54) + FRAMES[5]
    answer = analyze(with_record(6, late))
    assert (answer.code, answer.times, answer.story) == (0, MICRO, story)
    assert [row["marks"] for row in answer.timeline] == [[]] * 5 + [["time_odd"]] + [[]] * 4
    assert answer.capture["notes"][0].startswith("1 packet with an odd time")


def test_25_the_clock_goes_back(analyze, story):
    hour = 3600 * 10**9
    packets = [(time - hour if n >= 5 else time, frame) for n, (time, frame) in enumerate(TEN)]
    answer = analyze(pcap(packets))
    assert (answer.code, answer.story) == (0, story)
    assert answer.times == MICRO[:5] + [time - hour for time in MICRO[5:]]
    assert ["cap_ts_back" in row["anomalies"] for row in answer.timeline][:6] == [False] * 5 + [True]
    assert "cap_ts_back" in answer.capture["findings"]
    assert {row["conn_id"] for row in answer.timeline} == {0}


def test_26_year_2106(analyze, story):
    last = (2**32 - 1) * 10**9
    answer = analyze(pcap([(last - (9 - n) * STEP, frame) for n, frame in enumerate(FRAMES)]))
    assert (answer.code, answer.story) == (0, story)
    assert answer.times[-1] == last
    assert answer.timeline[-1]["time"].startswith("2106-02-07T06:28:15")


def test_27_snaplen_54(analyze, story):
    data = pcap_header(snaplen=54) + b"".join(pcap_record(time, frame[:54], original=len(frame)) for time, frame in TEN)
    answer = analyze(data)
    assert (answer.code, answer.story) == (0, story)
    assert [row["payload_bytes"] for row in answer.timeline] == [0, 0, 0, 8, 6, 0, 0, 0, 0, 0]
    assert {name for row in answer.timeline for name in row["anomalies"]} == set()
    assert [row["marks"] for row in answer.timeline if row["payload_bytes"]] == [["cut"], ["cut"]]


def test_43_bytes_one_by_one(tmp_path):
    """A pipe that brings a byte at a time gives what the file gives."""
    whole = Door("file", tmp_path)(WHOLE)
    fifo = tmp_path / "fifo"
    os.mkfifo(fifo)

    def trickle():
        with fifo.open("wb", buffering=0) as pipe:
            for byte in WHOLE:
                pipe.write(bytes([byte]))

    writer = threading.Thread(target=trickle)
    writer.start()
    result = CliRunner().invoke(app, ["analyze", "-q", "-f", "json", "-t", "timeline,events", str(fifo)])
    writer.join()
    assert result.exit_code == 0
    assert json.loads(result.stdout)["timeline"] == [row | {"capture": str(fifo)} for row in whole.timeline]
