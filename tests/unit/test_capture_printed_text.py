"""tcpdump's printed text as a capture: which lines are a packet, and when."""

import gzip

import pytest

from tcptrace_py.capture import LINK_PRINTED, Mark
from tcptrace_py.capture.frames import LATEST_NS
from tcptrace_py.errors import UnreadableError
from tests.containers import frames_of

SYN = "IP 10.0.0.1.5 > 10.0.0.2.80: Flags [S], seq 1, win 5, length 0"
ARP = "ARP, Request who-has 10.0.0.2 tell 10.0.0.1, length 28"
STP = "STP 802.1d, Config, Flags [none], bridge-id 8000.52:54:00:2f:9f:43.8005, length 35"
VERBOSE = "IP (tos 0x0, ttl 64, id 1, offset 0, flags [none], proto TCP (6), length 40)"
BELOW = "    10.0.0.1.5 > 10.0.0.2.80: Flags [S], cksum 0xfeeb (correct), seq 1, win 5, length 0"
SECOND = 10**9
HOUR = 3600 * SECOND
DAY = 24 * HOUR

TUTORIAL = """\
IP 192.168.1.116.3337 > 192.168.1.123.7788: S 3626544836:3626544836
IP 192.168.1.123.7788 > 192.168.1.116.3337: S 1739326486:1739326486 ack 3626544837
IP 192.168.1.116.3337 > 192.168.1.123.7788: ack 1739326487,ack 1
"""


def lines_of(text):
    got, info = frames_of(text.encode())
    assert {frame.link for frame in got} <= {LINK_PRINTED}
    assert info.format == "tcpdump text"
    return [frame.data.decode() for frame in got]


def times_of(*stamps, line=SYN):
    got, _ = frames_of("".join(f"{stamp}{line}\n" for stamp in stamps).encode())
    assert [frame.data.decode() for frame in got] == [line] * len(stamps)
    return [frame.time_ns for frame in got]


def test_the_tutorial_as_it_stands():
    assert lines_of(TUTORIAL) == TUTORIAL.splitlines()
    got, info = frames_of(TUTORIAL.encode())
    assert {frame.marks for frame in got} == {Mark.NO_TIME}
    assert (info.first_time_ns, info.notes) == (None, ["3 packets without a time"])


def test_among_prose_indented_and_with_blank_lines():
    quoted = (
        "TCP 是主机对主机层的传输控制协议\n\n" + TUTORIAL.replace("\n", "\n\n").replace("IP ", "    IP ") + "Nice.\n"
    )
    assert lines_of(quoted) == TUTORIAL.splitlines()


def test_time_of_day():
    assert times_of("00:16:40.000001 ", "23:59:59.999999 ") == [1000 * SECOND + 1000, DAY - 1000]


def test_time_of_day_goes_on_after_midnight():
    stamps = ("23:59:59.5 ", "00:00:00.5 ", "23:59:59.9 ", "00:00:01.0 ", "23:00:00.0 ", "01:00:00.0 ")
    half = SECOND // 2
    tail = [2 * DAY - HOUR, 2 * DAY + HOUR]
    # 23:59:59.9 was printed late; the 23:00 that comes 23 hours after is the next evening's
    expected = [DAY - half, DAY + half, DAY - SECOND // 10, DAY + SECOND]
    assert times_of(*stamps[:4]) == expected
    assert times_of("00:00:01.0 ", "11:00:00.0 ", "23:00:00.0 ", "01:00:00.0 ")[2:] == [tail[0] - DAY, tail[1] - DAY]


def test_epoch():
    assert times_of("1700000000.123456 ", "1700000000.123456789 ") == [
        1_700_000_000_123_456_000,
        1_700_000_000_123_456_789,
    ]


def test_date():
    assert times_of("1970-01-02 00:00:01.000002 ", "2026-11-22 10:00:00.123456789 ") == [
        DAY + SECOND + 2000,
        1_795_341_600_123_456_789,
    ]


@pytest.mark.parametrize(
    ("stamp", "time"),
    [
        ("99999999999.000000 ", LATEST_NS),
        ("9999-12-31 10:00:00.000000 ", LATEST_NS),
        ("0001-01-01 10:00:00.000000 ", -LATEST_NS),
    ],
)
def test_too_far_away(stamp, time):
    got, _ = frames_of(f"{stamp}{SYN}\n".encode())
    assert [(frame.time_ns, frame.marks) for frame in got] == [(time, Mark.TIME_ODD)]


def test_since_the_first():
    assert times_of(*(f" 00:00:0{n}.000000 " for n in (0, 1, 2, 3, 3))) == [n * SECOND for n in (0, 1, 2, 3, 3)]
    assert times_of(
        " 00:00:00.000000 ", " 00:00:01.000000 ", "-00:00:00.500000 ", " 00:00:02.000000 ", *([" 00:00:03.000000 "] * 6)
    )[:4] == [0, SECOND, -SECOND // 2, 2 * SECOND]


def test_since_the_packet_before():
    stamps = [f" 00:00:0{n}.000000 " for n in (0, 2, 1, 5, 1)]
    assert times_of(*stamps) == [n * SECOND for n in (0, 2, 3, 8, 9)]
    assert times_of(*stamps, "-00:00:01.000000 ")[-1] == 8 * SECOND


def test_numbered_lines():
    assert times_of("    1  00:00:01.000000 ", "   10  00:00:02.000000 ", "99999  00:00:03.000000 ") == [
        SECOND,
        2 * SECOND,
        3 * SECOND,
    ]
    assert lines_of(f"    1  {SYN}\n    2  {ARP}\n") == [SYN, ARP]


@pytest.mark.parametrize("stamp", ["", "12:00:00.000000 ", " 00:00:00.000000 ", "    1  1.000000 "])
def test_verbose_packets_have_two_lines(stamp):
    assert lines_of(f"{stamp}{VERBOSE}\n{BELOW}\n" * 3) == [f"{VERBOSE}\n{BELOW}"] * 3


@pytest.mark.parametrize("stamp", ["", "12:00:00.000000 "])
def test_dumps_are_left_out(stamp):
    dump = "\t0x0000:  4500 0028 0001 0000 4006 66cd 0a00 0001  E..(....@.f.....\n\t0x0010:  0a00\n"
    ascii_dump = "E..(....@.f.\n...\n....@.P...d....P.......\n"
    assert lines_of((f"{stamp}{SYN}\n" + dump) * 2) == [SYN] * 2
    assert lines_of((f"{stamp}{SYN}\n" + ascii_dump) * 2) == [SYN] * 2


@pytest.mark.parametrize("stamp", ["", "12:00:00.000000 ", " 00:00:00.000000 "])
def test_what_is_inside_vxlan_is_no_packet_of_its_own(stamp):
    outer = "IP 10.9.9.1.36286 > 10.9.9.2.4789: VXLAN, flags [I] (0x08), vni 1111"
    text = f"{stamp}{outer}\n{SYN}\n{stamp}{SYN}\n{stamp}{outer}\n{VERBOSE}\n{BELOW}\n"
    assert lines_of(text) == [f"{outer}\n{SYN}", SYN, f"{outer}\n{VERBOSE}\n{BELOW}"]


def test_other_protocols_count_as_packets():
    assert lines_of(f"{SYN}\n{ARP}\n{STP}\n{SYN}\n") == [SYN, ARP, STP, SYN]
    assert lines_of(f"12:00:00.000000 {ARP}\n12:00:00.000000 {STP}\n") == [ARP, STP]


def test_what_tcpdump_says_before_the_first_packet():
    head = "tcpdump: verbose output suppressed, use -v[v]... for full protocol decode\n"
    head += "listening on eth0, link-type EN10MB (Ethernet), snapshot length 262144 bytes\n"
    assert lines_of(head + f"12:00:00.000000 {SYN}\n") == [SYN]
    assert lines_of(f"reading from file x.pcap, link-type EN10MB (Ethernet)\n{SYN}\n") == [SYN]


def test_last_line_without_its_end():
    assert lines_of(f"{SYN}\n{SYN}") == [SYN, SYN]


def test_windows_line_ends():
    assert lines_of(f"{SYN}\r\n{SYN}\r\n") == [SYN, SYN]


def test_it_has_no_link_type_that_could_be_overruled():
    got, info = frames_of(TUTORIAL.encode(), link_type=1)
    assert {frame.link for frame in got} == {LINK_PRINTED}
    assert info.link_types == {LINK_PRINTED: 3}


def test_compressed():
    got, info = frames_of(gzip.compress(TUTORIAL.encode()))
    assert (len(got), info.compression, info.format) == (3, "gzip", "tcpdump text")


def test_more_than_a_batch_and_more_than_a_chunk():
    text = "".join(f"{n // 3600:02}:{n // 60 % 60:02}:{n % 60:02}.000000 {SYN}\n" for n in range(20_000))
    got, info = frames_of(text.encode())
    assert [frame.time_ns for frame in got] == [n * SECOND for n in range(20_000)]
    assert info.packets_read == 20_000


def test_a_day_that_does_not_exist_is_no_time():
    got, _ = frames_of(f"2026-11-22 00:00:00.0 {SYN}\n2026-99-99 00:00:00.0 {SYN}\n".encode())
    assert [frame.marks for frame in got] == [Mark(0), Mark.NO_TIME]


@pytest.mark.parametrize(
    "text", ["IP addresses > names: a comparison\n", "12:00:00.000000 lunch\n", "10.0.0.1 is up\n"]
)
def test_text_that_shows_no_packet(text):
    with pytest.raises(UnreadableError, match="looks like text"):
        frames_of(text.encode())
