"""The summary at several widths, and its order."""

from types import SimpleNamespace

import pytest
from hand_made import capture, record

from tcptrace_py.views.ink import plain, width_of
from tcptrace_py.views.terminal import capture_lines, connection_lines, finding_lines, summary_lines, worst_first


def summary(**more):
    known = {
        "captures": [capture("x.pcap", unused_not_ip=0, unused_not_tcp=0)],
        "segments": 12_345,
        "connections": 3,
        "by_handshake": {"no_answer": 1, "three_way": 2, "refused": 0},
        "by_teardown": {"open": 3},
        "findings": {
            "retransmission": (10, 2),
            "hs_no_answer": (0, 1),
            "rst_ignored": (1, 1),
            "duplicate_ack": (40, 2),
        },
        "joined": None,
        "worst": [record(conn_id=7), record(conn_id=12, client_ip="2001:db8::1", findings=[], syn_rtt_ns=None)],
    }
    return SimpleNamespace(**(known | more))


def text(**more):
    return [plain(parts) for parts in summary_lines(summary(**more), 132)]


def test_most_frequent_shape_first_and_none_that_does_not_occur():
    lines = text()
    opened = lines[lines.index("Opened") + 1 : lines.index("Closed") - 1]
    assert [line.split()[:2] for line in opened] == [["2", "three_way"], ["1", "no_answer"]]


def test_worst_findings_first_then_those_on_most_connections():
    assert worst_first(summary().findings) == ["rst_ignored", "hs_no_answer", "duplicate_ack", "retransmission"]


def test_connections_stand_on_one_line_where_they_fit():
    records = summary().worst
    wide = [plain(parts) for parts in connection_lines(records, 141)]
    assert wide[0][:71] == "   7  192.168.1.116:3337 > 192.168.1.123:7788  three_way, three_segment"
    assert wide[0][71:] == "  TIME_WAIT/CLOSED  1 kB > < 0 B  RTT 200 us  zero_window, +1"
    assert (
        wide[1]
        == "  12  [2001:db8::1]:3337 > 192.168.1.123:7788  three_way, three_segment  TIME_WAIT/CLOSED  1 kB > < 0 B"
    )
    assert len(wide) == 2
    assert next(plain(parts) for parts in connection_lines(records, 144)).endswith("  zero_window, retransmission")
    assert [plain(parts) for parts in connection_lines(records, 140)] == [
        "   7  192.168.1.116:3337 > 192.168.1.123:7788  zero_window, retransmission",
        "      three_way, three_segment  TIME_WAIT/CLOSED  1 kB > < 0 B  RTT 200 us",
        "  12  [2001:db8::1]:3337 > 192.168.1.123:7788",
        "      three_way, three_segment  TIME_WAIT/CLOSED  1 kB > < 0 B",
    ]


def test_mere_information_comes_together_at_the_end():
    found = {"zero_window": (1, 1), "keep_alive": (1200, 3), "hs_no_answer": (0, 2), "cap_one_sided": (0, 3)}
    assert [plain(parts) for parts in finding_lines(found, 80)] == [
        "Findings                  segments  connections",
        "  warning  hs_no_answer                       2  One SYN or more, nothing back",
        "  warning  zero_window           1            1  Window 0 on a segment withou...",
        "  info     keep_alive (1,200), cap_one_sided (3)",
    ]
    assert [plain(parts) for parts in finding_lines({"keep_alive": (1, 1)}, 80)] == [
        "Findings",
        "  info     keep_alive (1)",
    ]


@pytest.mark.parametrize("width", [80, 100, 140])
def test_nothing_is_wider_than_the_terminal(width):
    many = [record(findings=["rst_ignored", "rst_forged", "zero_window", "window_shrunk", "out_of_order"])]
    lines = list(summary_lines(summary(worst=many), width))
    assert max(map(width_of, lines)) <= width


def test_the_title_says_how_many_there_are():
    assert "Worst connections (2 of 3)" in text()
    assert "Worst connections (2 of 4,000)" in text(connections=4000)
    assert "Connections" in text(connections=2)


def test_findings_that_do_not_fit_are_counted():
    many = record(findings=["rst_ignored", "rst_forged", "zero_window", "window_shrunk", "out_of_order"])
    lines = [plain(parts) for parts in connection_lines([many], 80)]
    assert lines[0] == "  0  192.168.1.116:3337 > 192.168.1.123:7788  rst_ignored, rst_forged, +3"


def test_unknown_octets_are_not_zero():
    (_, line) = (plain(parts) for parts in connection_lines([record(c2s_octets=None)], 60))
    assert "? > < 0 B" in line


def test_a_capture_without_packets():
    lines = [plain(parts) for parts in capture_lines(
        capture("x", packets_read=0, first_time=None, last_time=None, unused_not_ip=0, unused_not_tcp=0,
                notes=["no packets"]), 80)]  # fmt: skip
    assert lines == ["x  pcap, ETHERNET", "  0 packets", "  note: no packets"]
