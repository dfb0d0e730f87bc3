"""Numbers as people read them, and text that cannot act on a terminal."""

import pytest

from tcptrace_py.tables.safe_text import safe_text
from tcptrace_py.views.wording import amount, count, duration, endpoint, instant, shortened


@pytest.mark.parametrize(
    ("ns", "text"),
    [
        (0, "0 ns"),
        (999, "999 ns"),
        (1_000, "1 us"),
        (12_345, "12.3 us"),
        (999_999, "999 us"),
        (123_456_789, "123 ms"),
        (1_500_000_000, "1.5 s"),
        (59_990_000_000, "60 s"),
        (60_000_000_000, "1 min 0 s"),
        (3_599_999_999_999, "59 min 59 s"),
        (7_500_000_000_000, "2 h 5 min"),
        (180_000_000_000_000, "2 d 2 h"),
        (-1_500_000, "-1.5 ms"),
    ],
)
def test_duration(ns, text):
    assert duration(ns) == text


@pytest.mark.parametrize(
    ("octets", "text"),
    [
        (0, "0 B"),
        (999, "999 B"),
        (1000, "1 kB"),
        (999_499, "999 kB"),
        (999_500, "1 MB"),
        (45_678_901, "45.7 MB"),
        (12_000_000_000, "12 GB"),
        (7_000_000_000_000, "7 TB"),
        (7_000_000_000_000_000, "7,000 TB"),
    ],
)
def test_amount(octets, text):
    assert amount(octets) == text


def test_count():
    assert count(1, "segment") == "1 segment"
    assert count(1204, "segment") == "1,204 segments"
    assert count(0, "address", "addresses") == "0 addresses"


def test_an_instant_is_exact():
    assert instant(1_700_000_000_123_456_789) == "2023-11-14 22:13:20.123456789"
    assert instant(1_700_000_000_123_456_000) == "2023-11-14 22:13:20.123456"
    assert instant(-1) == "1969-12-31 23:59:59.999999999"
    assert instant(2**63 - 1) == "2262-04-11 23:47:16.854775807"


def test_endpoints():
    assert endpoint("10.0.0.1", 80) == "10.0.0.1:80"
    assert endpoint("2001:db8::1", 80) == "[2001:db8::1]:80"


def test_shortened():
    assert shortened("four", 4) == "four"
    assert shortened("fourteen", 7) == "four..."


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("plain-name_1.pcap", "plain-name_1.pcap"),
        ("日本語.pcap", "日本語.pcap"),
        ("caps[/foo].pcap", "caps[/foo].pcap"),
        ("\x1b[31mred", r"\x1b[31mred"),
        ("a\nb\tc\x00", r"a\x0ab\x09c\x00"),
        ("\x7f\x9b", r"\x7f\x9b"),
        ("\u202egnp.exe", r"\u202egnp.exe"),
        ("\u2066\u2069\u200f\ufeff", r"\u2066\u2069\u200f\ufeff"),
        ("\udcff\udc80", r"\xff\x80"),
        ("\ud800", r"\ud800"),
    ],
)
def test_safe_text(text, shown):
    assert safe_text(text) == shown
