"""Views: connections in the words of Zeek and of the Elastic Common Schema, through the doors of a user."""

from __future__ import annotations

import csv
import io
import json
import shutil
import subprocess
from pathlib import Path

import pandas as pd
import pytest

import tcptrace_py as tt
from tcptrace_py.errors import UsageError
from tcptrace_py.tables.views_tcptrace import COUNTERS
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


def counters(trace, *names):
    """Both directions of each connection, as ``a to b / b to a``."""
    return [
        [(row[f"a2b_{name}"], row[f"b2a_{name}"]) for name in names]
        for row in trace.view("tcptrace").to_dict("records")
    ]


DATA = packet(">", ACK, 10, 100, b"abc")
TOLD_BY_TCPTRACE = {
    "data again": (
        [*OPEN, DATA, DATA, packet("<", ACK, 100, 13)],
        {
            "actual_data_bytes": (6, 0),
            "rexmt_data_bytes": (3, 0),
            "unique_bytes_sent": (3, 0),
            "ambiguous_acks": (1, 0),
        },
    ),
    "a hole that is filled": (
        [*OPEN, packet(">", ACK, 13, 100, b"def"), DATA, packet("<", ACK, 100, 16)],
        {"outoforder_pkts": (1, 0), "rexmt_data_pkts": (0, 0), "post_loss_acks": (1, 0), "segs_cum_acked": (1, 0)},
    ),
    "acknowledged in part": (
        [*OPEN, DATA, packet("<", ACK, 100, 12), packet("<", ACK, 100, 13)],
        {"rtt_samples": (1, 1), "segs_cum_acked": (1, 0), "duplicate_acks": (0, 0)},
    ),
    "three duplicates": (
        [*OPEN, DATA, *[packet("<", ACK, 100, 13)] * 4],
        {"duplicate_acks": (3, 0), "triple_dupacks": (1, 0), "pure_acks_sent": (1, 4)},
    ),
    "closed": (
        [*STORIES["closed"][0]],
        {"syn_fin_pkts": ("1/1", "1/1"), "ttl_stream_length_bytes": (0, 0), "duplicate_acks": (0, 0)},
    ),
}
"""Packets a millisecond apart, and what tcptrace 6.6.7 said of them."""


@pytest.mark.parametrize("story", TOLD_BY_TCPTRACE)
def test_tcptrace(story, tmp_path):
    packets, told = TOLD_BY_TCPTRACE[story]
    trace = tt.analyze(write_pcap(tmp_path / "story.pcap", packets, step_ns=1_000_000))
    assert counters(trace, *told) == [list(told.values())]


def test_tcptrace_cuts_at_four_minutes_of_silence(tmp_path):
    path = write_pcap(tmp_path / "idle.pcap", [DATA] * 3, times=[0, 240_000_000_000, 480_000_001_000])
    assert counters(tt.analyze(path), "total_packets", "rexmt_data_pkts") == [[(2, 0), (1, 0)], [(1, 0), (0, 0)]]


@pytest.mark.parametrize(("number", "connections"), [(9, 1), (8, 2), (500, 1), (11 + 8192, 1), (11 + 8193, 2)])
def test_tcptrace_after_a_fin_a_syn_outside_the_window_begins_another_connection(number, connections, tmp_path):
    packets = [*OPEN, packet(">", FIN | ACK, 10, 100), packet("<", ACK, 100, 11), packet(">", SYN, number)]
    trace = tt.analyze(write_pcap(tmp_path / "again.pcap", packets))
    assert len(trace.view("tcptrace")) == connections


def test_tcptrace_has_its_own_roles_and_names():
    (row,) = tt.analyze(FIXTURES / "loss_bulk.pcap").view("tcptrace").to_dict("records")
    assert (row["host_a"], row["port_b"], row["complete"], row["total_packets"]) == ("10.9.0.1", 80, "yes", 148)
    assert (row["b2a_unique_bytes_sent"], row["b2a_outoforder_pkts"], row["b2a_post_loss_acks"]) == (120_000, 3, 2)
    assert (row["b2a_rtt_samples"], row["b2a_rtt_avg_ms"], row["a2b_rtt_avg_ms"]) == (43, 0.1, 20.2)


@pytest.mark.skipif(shutil.which("tcptrace") is None, reason="tcptrace is not installed")
@pytest.mark.parametrize("fixture", sorted(path.stem for path in FIXTURES.glob("*.pcap")))
def test_every_counter_is_that_of_the_installed_tcptrace(fixture):
    path = FIXTURES / f"{fixture}.pcap"
    run = subprocess.run(["tcptrace", "-lnrW", "--csv", path], capture_output=True, text=True, check=True)
    lines = [[word.strip() for word in row] for row in csv.reader(run.stdout.splitlines()) if row]
    at = next(number for number, row in enumerate(lines) if row[0] == "conn_#")
    told = [row[7:-1] for row in lines[at + 1 :] if not row[0].startswith("#")]  # without ends and times
    names = [f"{way}_{name}" for name, *_ in COUNTERS for way in ("a2b", "b2a")]
    rows = tt.analyze(path).view("tcptrace").to_dict("records")
    assert len(rows) == len(told)
    for row, words in zip(rows, told, strict=True):
        wrong = [
            (name, row[name], word)
            for name, word in zip(names, words, strict=True)
            if not printed_as(row[name], word) and "full_sz" not in name  # wrong in a program of 64 bits
        ]
        assert wrong == []


BELOW_ZERO = 1 << 31


def printed_as(value, word):
    """Whether tcptrace prints a value of the view like that."""
    if word.isdigit() and int(word) >= BELOW_ZERO:
        return True  # what is below 0 has no sign there
    if isinstance(value, bool):
        return word == "NY"[value]
    if pd.isna(value) or word == "NA":
        return pd.isna(value) and word == "NA"
    return float(word) == value if isinstance(value, float) else word == str(value)


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
    code, out, _ = tcpflows("analyze", str(FIXTURES / "four_way.pcap"), "--schema", "tcptrace", "-f", "ndjson")
    assert (code, len(json.loads(out)), json.loads(out)["a2b_syn_fin_pkts"]) == (0, 152, "1/1")
    code, out, _ = tcpflows("analyze", str(FIXTURES / "four_way.pcap"), "--schema", "tcptrace")
    assert (code, out.split()[:3], len(out.splitlines())) == (0, ["host_a", "port_a", "host_b"], 2)
    code, _, err = tcpflows("analyze", str(FIXTURES / "four_way.pcap"), "--schema", "zek")
    assert (code, err) == (
        2,
        "tcpflows: --schema: there is no view 'zek'; there are zeek, tcptrace, tshark, cic, ecs\n",
    )
    code, _, err = tcpflows("analyze", str(FIXTURES / "four_way.pcap"), "--schema", "zeek", "--table", "states")
    assert code == 2
    assert "leave --table" in err


def test_a_view_needs_a_file():
    trace = tt.analyze(io.BytesIO((FIXTURES / "four_way.pcap").read_bytes()))
    with pytest.raises(UsageError, match="cannot be read again: a view needs a file"):
        trace.view("zeek")
    with pytest.raises(UsageError, match="there is no view 'bro'"):
        trace.view("bro")


@pytest.mark.parametrize("options", [{"batch_size": 7}, {"reader": "dpkt"}, {"verify_checksums": False}])
@pytest.mark.parametrize("view", ["zeek", "tcptrace", "tshark"])
def test_a_view_is_the_same_however_it_is_read(view, options):
    # dpkt does not tell how long a frame was that the capture cut
    path = FIXTURES / ("fin_lost.pcap" if options.get("reader") else "loss_bulk_sender.pcap")
    assert tt.analyze(path, **options).view(view).equals(tt.analyze(path).view(view))


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
