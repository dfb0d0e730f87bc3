"""The scenario language itself: what it reads, what it refuses, and that a wrong line is shown."""

from __future__ import annotations

import pytest

import tcptrace_py as tt
from tests import seg

SHAKE = """# A handshake.
# shape: three_way open
+0     >  S   0:0(0)  win 1000 <mss 1460, wscale 7>  => SYN-SENT / SYN-RCVD | handshake_1
+.010  <  S.  0:0(0)  ack 1  => ESTABLISHED / SYN-RCVD | handshake_2
+.010  >  .   1:1(0)  ack 1  => ESTABLISHED / ESTABLISHED | handshake_3
"""


def judged(text, tmp_path):
    script = seg.parse(text)
    return seg.differences(script, tt.analyze(seg.write(script, tmp_path / "x.pcap")))


def test_a_line_is_read_whole():
    one = seg.parse(
        "# x.\n+1.25 < FP. 5:9(4) ack 7 win 12 <sack 1:5> [id 9, ttl 3] => CLOSE-WAIT / CLOSED | reset, keep_alive"
    )
    got = one.segments[0]
    assert (got.after_ns, got.way, got.flags, got.seq, got.size, got.ack, got.win) == (
        1_250_000_000,
        "<",
        25,
        5,
        4,
        7,
        12,
    )
    assert (got.options, got.packet) == ("sack 1:5", {"id": "9", "ttl": "3"})
    assert got.expected == ("CLOSE_WAIT", "CLOSED", frozenset({"reset", "keep_alive"}))


@pytest.mark.parametrize(
    ("text", "nanoseconds"), [("0", 0), (".000000001", 1), ("1", 10**9), ("2.5", 2_500_000_000), ("-.001", -1_000_000)]
)
def test_times_are_exact(text, nanoseconds):
    assert seg.nanoseconds(text) == nanoseconds


@pytest.mark.parametrize(
    "line", ["+0 > S 0:5(0) => CLOSED / CLOSED", "+0 = S 0:0(0) => CLOSED / CLOSED", "+0 > S 0:0(0)"]
)
def test_a_line_that_is_none_is_refused(line):
    with pytest.raises(ValueError, match="line 1"):
        seg.parse(line)


def test_what_holds_has_no_differences(tmp_path):
    assert judged(SHAKE, tmp_path) == ""


@pytest.mark.parametrize(
    ("right", "wrong", "shown"),
    [
        ("SYN-SENT / SYN-RCVD", "SYN-SENT / LISTEN", "got SYN-SENT / SYN-RCVD | handshake_1"),
        ("| handshake_3", "", "got ESTABLISHED / ESTABLISHED | handshake_3"),
        ("| handshake_2", "| handshake_2, keep_alive", "got ESTABLISHED / SYN-RCVD | handshake_2"),
        ("| handshake_2", "| handshake_2!", "got ESTABLISHED / SYN-RCVD | handshake_2"),
        ("three_way open", "three_way abort", "got ('three_way', 'open')"),
        ("open\n", "open\n# found: cap_loss\n", "expected findings ['cap_loss'], got []"),
        ("open\n", "open\n# column: c2s_wscale=8\n", "expected c2s_wscale 8, got 7"),
        ("open\n", "open\n# shape: three_way open\n", "got 1 connections"),
    ],
)
def test_what_is_wrong_is_shown_beside_its_line(right, wrong, shown, tmp_path):
    text = SHAKE.replace(right, wrong, 1)
    assert text != SHAKE
    lines = judged(text, tmp_path).splitlines()
    assert len([line for line in lines if shown in line]) == 1
    assert lines[0] == "# A handshake."
