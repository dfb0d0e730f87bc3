"""Views: connections in the words of Zeek and of the Elastic Common Schema, through the doors of a user."""

from __future__ import annotations

import io
import json
from pathlib import Path

import pytest

import tcptrace_py as tt
from tcptrace_py.errors import UsageError
from tests.packets import ethernet, ipv4, tcp, write_pcap

FIXTURES = Path(__file__).resolve().parents[1] / "fixtures"
FIN, SYN, RST, ACK = 1, 2, 4, 16
THERE = {"sport": 1234, "dport": 9999}
BACK = {"sport": 9999, "dport": 1234, "src": "10.0.0.2", "dst": "10.0.0.1"}


def packet(way, flags, seq, ack=0, payload=b""):
    ends = dict(THERE if way == ">" else BACK)
    where = (ends.pop("src", "10.0.0.1"), ends.pop("dst", "10.0.0.2"))
    return ethernet(ipv4(tcp(flags, seq=seq, ack=ack, payload=payload, **ends), *where))


OPEN = [packet(">", SYN, 9), packet("<", SYN | ACK, 99, 10), packet(">", ACK, 10, 100)]
STORIES = {
    "unanswered": ([packet(">", SYN, 9), packet(">", SYN, 9)], "S0", "S"),
    "refused": ([packet(">", SYN, 9), packet("<", RST | ACK, 0, 10)], "REJ", "Sr"),
    "open": (OPEN, "S1", "ShA"),
    "closed": (
        [*OPEN, packet(">", FIN | ACK, 10, 100), packet("<", FIN | ACK, 100, 11), packet(">", ACK, 11, 101)],
        "SF",
        "ShAFf",
    ),
    "half closed": ([*OPEN, packet("<", FIN | ACK, 100, 10)], "S3", "ShAf"),
    "reset by the originator": ([*OPEN, packet(">", RST, 10)], "RSTO", "ShAR"),
    "reset by the responder": ([*OPEN, packet("<", RST, 100)], "RSTR", "ShAr"),
    "given up": ([packet(">", SYN, 9), packet(">", RST, 10)], "RSTOS0", "SR"),
    "answer first": ([packet("<", SYN | ACK, 99, 10), packet(">", ACK, 10, 100)], "OTH", "^hA"),
    "data again": ([*OPEN, *[packet(">", ACK, 10, 100, b"abc")] * 2], "S1", "ShADT"),
    "a gap": ([*OPEN, packet(">", ACK, 13, 100, b"abc"), packet("<", ACK, 100, 16)], "S1", "ShADaG"),
}


@pytest.mark.parametrize("story", STORIES)
def test_zeek(story, tmp_path):
    packets, state, history = STORIES[story]
    trace = tt.analyze(write_pcap(tmp_path / "story.pcap", packets, step_ns=1_000_000))
    (row,) = trace.view("zeek").to_dict("records")
    assert (row["conn_state"], row["history"]) == (state, history)
    assert (row["id.orig_h"], row["id.orig_p"], row["id.resp_h"], row["id.resp_p"]) == (
        "10.0.0.1",
        1234,
        "10.0.0.2",
        9999,
    )


def test_zeek_forgets_a_closed_connection(tmp_path):
    closed = STORIES["closed"][0]
    late = packet(">", ACK, 11, 101)
    times = [n * 1_000_000 for n in range(len(closed))] + [60_000_000_000]
    trace = tt.analyze(write_pcap(tmp_path / "late.pcap", [*closed, late], times=times))
    assert [row["history"] for row in trace.view("zeek").to_dict("records")] == ["ShAFf", "A"]


def test_ecs_says_the_same_as_the_connections():
    trace = tt.analyze(FIXTURES / "port_reuse.pcap")
    mine, theirs = trace.connections, trace.view("ecs")
    assert theirs["network.community_id"].tolist() == mine.community_id.tolist()
    assert theirs["client.packets"].tolist() == mine.c2s_segments.tolist()
    assert theirs["source.ip"].tolist() == mine.client_ip.tolist()
    assert theirs["event.duration"].tolist() == mine.duration_ns.tolist()


def test_a_view_on_the_command_line(tmp_path):
    from tests.unit.test_cli import tcpflows

    code, out, _ = tcpflows("analyze", str(FIXTURES / "four_way.pcap"), "--schema", "zeek", "-f", "ndjson")
    assert (code, json.loads(out)["conn_state"], json.loads(out)["history"]) == (0, "SF", "ShADadFf")
    code, _, err = tcpflows("analyze", str(FIXTURES / "four_way.pcap"), "--schema", "zek")
    assert (code, err) == (2, "tcpflows: --schema: there is no view 'zek'; there are zeek, tshark, ecs\n")
    code, _, err = tcpflows("analyze", str(FIXTURES / "four_way.pcap"), "--schema", "zeek", "--table", "states")
    assert code == 2
    assert "leave --table" in err


def test_a_view_needs_a_file():
    trace = tt.analyze(io.BytesIO((FIXTURES / "four_way.pcap").read_bytes()))
    with pytest.raises(UsageError, match="cannot be read again: a view needs a file"):
        trace.view("zeek")
    with pytest.raises(UsageError, match="there is no view 'bro'"):
        trace.view("bro")


def tshark_rows(tmp_path, packets, **options):
    trace = tt.analyze(write_pcap(tmp_path / "story.pcap", packets, step_ns=1_000_000, **options))
    return trace.view("tshark").to_dict("records")


COMPLETENESS = {
    "unanswered": (1, "·····S", "Incomplete, SYN_SENT"),
    "refused": (37, "R··A·S", "Incomplete"),
    "open": (7, "···ASS", "Incomplete, ESTABLISHED"),
    "closed": (23, "·F·ASS", "Complete, NO_DATA"),
    "half closed": (23, "·F·ASS", "Complete, NO_DATA"),
    "reset by the originator": (39, "R··ASS", "Complete, NO_DATA"),
    "given up": (33, "R····S", "Incomplete"),
    "answer first": (6, "···AS·", "Incomplete"),
    "data again": (15, "··DASS", "Incomplete, DATA"),
}


@pytest.mark.parametrize("story", COMPLETENESS)
def test_tshark_completeness(story, tmp_path):
    (row,) = tshark_rows(tmp_path, STORIES[story][0])
    told = (row["tcp.completeness"], row["tcp.completeness.str"], row["completeness"])
    assert told == COMPLETENESS[story]


def test_tshark_first_segment_alone_says_only_syn(tmp_path):
    (row,) = tshark_rows(tmp_path, [packet(">", ACK, 10, 100, b"abc")])
    assert (row["tcp.completeness"], row["frames_ab"], row["frames_ba"]) == (0, 1, 0)


def test_tshark_conversations(tmp_path):
    again = [packet(">", SYN, 5000), packet("<", RST | ACK, 0, 5001)]
    rows = tshark_rows(tmp_path, [*OPEN, packet("<", ACK, 100, 10, b"abcd"), *again])
    assert [(row["tcp.stream"], row["a.port"], row["b.port"], row["duration_ns"]) for row in rows] == [
        (0, 1234, 9999, 3_000_000),
        (1, 1234, 9999, 1_000_000),
    ]
    size = len(OPEN[0])
    assert [rows[0][f"{what}_{way}"] for way in ("ab", "ba") for what in ("frames", "bytes")] == [
        2,
        2 * size,
        2,
        2 * size + 4,
    ]
    assert [row["tcp.analysis.initial_rtt_ns"] for row in rows] == [2_000_000, 1_000_000]


def test_tshark_the_same_syn_again_stays_in_its_stream(tmp_path):
    (row,) = tshark_rows(tmp_path, [packet(">", SYN, 9), packet(">", SYN, 9), *OPEN[1:]])
    assert (row["frames_ab"], row["tcp.analysis.initial_rtt_ns"]) == (3, 2_000_000)  # from the last SYN
