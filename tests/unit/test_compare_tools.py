"""`tcpflows compare-tools` and compare_tools(), through the doors of a user; a stand-in speaks for tshark."""

from __future__ import annotations

import csv
import io
import json
import shutil
import stat
from pathlib import Path

import pytest
from typer.testing import CliRunner

import tcptrace_py as tt
from tcptrace_py.peers.programs import FIELDS, FLAGS, tcptrace_rows, tshark_rows
from tcptrace_py.tables.build import as_rows
from tcptrace_py.tables.disagreements import DISAGREEMENTS
from tcptrace_py.views.cli import app

pytestmark = pytest.mark.usefixtures("without_advice")

FIXTURES = Path(__file__).resolve().parents[1] / "fixtures"
CAPTURE = str(FIXTURES / "four_way.pcap")
CAT, SLEEP = (shutil.which(name) for name in ("cat", "sleep"))


def tcpflows(*args):
    """Exit code, standard output, standard error."""
    result = CliRunner().invoke(app, list(args), prog_name="tcpflows")
    return result.exit_code, result.stdout, result.stderr


@pytest.fixture
def bin_folder(tmp_path, monkeypatch):
    """A PATH with nothing on it but what a test puts there."""
    folder = tmp_path / "bin"
    folder.mkdir()
    monkeypatch.setenv("PATH", str(folder))
    monkeypatch.setenv("COLUMNS", "100")
    return folder


def put(folder, name, body):
    """A program of a few lines."""
    path = folder / name
    path.write_text(f"#!/bin/sh\n{body}\n")
    path.chmod(path.stat().st_mode | stat.S_IXUSR)


def line(**fields):
    """A line of tshark's; names with underscores for dots."""
    named = {name.replace(".", "_"): "" for name in FIELDS} | fields
    return "\t".join(named.values())


def segments():
    """What tshark would print of the fixture, frame by frame, out of our own timeline; nothing else is said of it."""
    trace = tt.analyze(CAPTURE)
    for row in (row for batch in trace.batches("timeline") for row in as_rows(batch)):
        yield {
            "frame_number": str(row["frame"]),
            "frame_time_epoch": f"{row['time'] // 10**9}.{row['time'] % 10**9:09d}",
            "ip_src": row["direction"],
            "tcp_stream": "0",
            "tcp_srcport": "1",
            "tcp_flags": hex(row["flags_raw"]),
            "tcp_seq_raw": str(row["seq"]),
            "tcp_ack_raw": str(row["ack"] or 0),
            "tcp_len": str(row["payload_bytes"]),
            "tcp_hdr_len": "32",
            "tcp_window_size_value": str(row["window_raw"]),
            "tcp_analysis_ack_rtt": "" if row["rtt_ns"] is None else f"0.{row['rtt_ns']:09d}",
        }


@pytest.fixture
def says(bin_folder):
    """Make a tshark that prints the fixture's segments, with changes by frame."""

    def make(changes, status=0, complaint=""):
        lines = [line(**(row | changes.get(int(row["frame_number"]), {}))) for row in segments()]
        (bin_folder / "out").write_text("\n".join(lines) + "\n")
        noise = f"echo 'tshark: {complaint}' >&2;" if complaint else ""
        put(bin_folder, "tshark", f"{CAT} {bin_folder}/out; {noise} exit {status}")

    return make


def rows_of(text):
    return [json.loads(row) for row in text.splitlines()]


def test_a_label_that_nothing_explains_has_no_rule(says):
    says({8: {"tcp_analysis_keep_alive": "1"}})
    code, out, err = tcpflows("compare-tools", CAPTURE, "--tool", "tshark", "--format", "ndjson")
    assert (code, err) == (0, "")
    assert rows_of(out) == [
        {
            "capture": CAPTURE,
            "tool": "tshark",
            "frame": 8,
            "conn_id": 0,
            "direction": "c2s",
            "label": "keep_alive",
            "ours": None,
            "theirs": "keep_alive",
            "rule": None,
            "basis": None,
            "evidence": "seq 62, captured up to 62, acknowledged up to 62",
            "reason": None,
        }
    ]


def test_what_a_rule_explains_is_counted_and_listed(says):
    says({7: {"tcp_analysis_ack_lost_segment": "1"}, 5: {"tcp_analysis_ack_rtt": "0.5"}})
    code, out, err = tcpflows("compare-tools", CAPTURE, "--tool", "tshark")
    counts, _, rows = out.partition("\n\n")
    assert (code, err) == (0, "")
    assert (
        counts
        == """\
tshark: 2 disagreements
        1  (no rule)
        1  acked_octets_captured  Compared with the highest octet captured"""
    )
    assert [row.split()[:8] for row in rows.splitlines()] == [
        ["tool", "frame", "conn_id", "direction", "label", "ours", "theirs", "rule"],
        ["tshark", "5", "0", "s2c", "ack_rtt", "10209294", "500000000", "seq"],
        ["tshark", "7", "0", "c2s", "ack_lost_segment", "ack_lost_segment", "acked_octets_captured", "seq"],
    ]


def test_headers_are_compared(says):
    says({4: {"tcp_len": "60", "tcp_seq_raw": "5"}})
    _, out, _ = tcpflows("compare-tools", CAPTURE, "--tool", "tshark", "--format", "csv")
    found = [
        (row["frame"], row["label"], row["ours"], row["theirs"], row["rule"])
        for row in csv.DictReader(io.StringIO(out))
    ]
    assert ("4", "length", "61", "60", "length_by_ip") in found
    assert ("4", "seq", "695411476", "5", "length_by_ip") in found


def test_a_stream_that_begins_in_the_middle_is_told_once(says):
    says({number: {"tcp_stream": "1"} for number in range(6, 12)})
    found = compare(tools="tshark")
    assert found[found.label == "stream"][["frame", "ours", "theirs", "rule"]].to_numpy().tolist() == [
        [6, "0", "1", "split_handshake"]
    ]


def test_agreement(says):
    says({})
    assert tcpflows("compare-tools", CAPTURE, "--tool", "tshark") == (0, "tshark: 0 disagreements\n", "")


def compare(**options):
    return tt.compare_tools(CAPTURE, **options)


def test_the_python_door(says):
    says({7: {"tcp_analysis_ack_lost_segment": "1"}})
    found = compare()
    assert list(found.columns) == [column.name for column in DISAGREEMENTS]
    assert found[["tool", "frame", "label", "rule"]].to_numpy().tolist() == [
        ["tshark", 7, "ack_lost_segment", "acked_octets_captured"]
    ]
    assert (found.attrs["absent"], found.attrs["stopped"]) == (["tcptrace"], {})


def test_one_that_is_absent_is_told_of(says):
    says({})
    code, out, err = tcpflows("compare-tools", CAPTURE)
    assert (code, out) == (0, "tshark: 0 disagreements\n")
    assert err == "tcpflows: tcptrace is not installed: not compared with it\n"


def test_none_is_installed(bin_folder):
    told = "tcpflows: not installed: tshark, tcptrace; install one (Debian: apt install tshark tcptrace)\n"
    assert tcpflows("compare-tools", CAPTURE) == (2, "", told)


def test_one_that_takes_too_long_is_stopped(bin_folder):
    put(bin_folder, "tshark", f"exec {SLEEP} 60")
    code, out, err = tcpflows("compare-tools", CAPTURE, "--timeout", "0.2", "--tool", "tshark")
    assert (code, out) == (3, "")
    assert err == f"tcpflows: {CAPTURE}: tshark: stopped after 0.2 s; give it more time with --timeout\n"


def test_one_that_fails_says_why(bin_folder):
    put(bin_folder, "tcptrace", "echo 'no such link type' >&2; exit 1")
    code, out, err = tcpflows("compare-tools", CAPTURE, "--tool", "tcptrace")
    assert (code, out, err) == (3, "", f"tcpflows: {CAPTURE}: tcptrace: no such link type\n")


def test_what_came_before_a_failure_is_compared(says):
    says({7: {"tcp_analysis_ack_lost_segment": "1"}}, status=2, complaint="cut short")
    code, out, err = tcpflows("compare-tools", CAPTURE, "--tool", "tshark", "--format", "ndjson")
    assert (code, err) == (3, f"tcpflows: {CAPTURE}: tshark: cut short\n")
    assert [row["frame"] for row in rows_of(out)] == [7]


def test_a_capture_that_is_not_there(says):
    says({})
    assert tcpflows("compare-tools", "nowhere.pcap")[0] == 4


def test_standard_input_is_refused(says):
    says({})
    code, _, err = tcpflows("compare-tools", "-")
    assert (code, err) == (2, "tcpflows: compare-tools needs a file, which the other programs read too\n")


def test_an_unknown_tool():
    with pytest.raises(tt.UsageError, match="there is no comparison with 'zeek'; there are tshark, tcptrace"):
        compare(tools=["zeek"])


def test_a_header_that_icmp_quotes_and_one_in_another():
    (own, quoted) = tshark_rows(
        line(
            frame_number="3",
            frame_time_epoch="1.5",
            icmp_type="3",
            ip_src="10.0.0.1,10.0.0.2",
            tcp_stream="0,1",
            tcp_srcport="5,6",
            tcp_flags="0x0010,0x0002",
            tcp_seq_raw="7,8",
            tcp_ack_raw="9,0",
            tcp_len="0,0",
            tcp_hdr_len="20,20",
            tcp_window_size_value="1,2",
            tcp_analysis_out_of_order="1",
        )
    )
    assert (own.quoted, own.stream, own.labels) == (False, 0, frozenset())
    assert (quoted.quoted, quoted.source, quoted.labels) == (True, ("10.0.0.2", "6"), {"out_of_order"})
    assert own.time_ns == 1_500_000_000


def test_every_flag_is_asked_for():
    assert {f"tcp.analysis.{name}" for name in FLAGS} <= set(FIELDS)


TCPTRACE = """\
TCP connection 1:
\thost a:        10.9.0.1:36655
\thost b:        10.9.0.2:80
   a->b:\t\t\t      b->a:
     total packets:             7           total packets:             5
     duplicate acks:            1           duplicate acks:            0
"""


def test_counters_are_compared(bin_folder):
    (bin_folder / "out").write_text(TCPTRACE)
    put(bin_folder, "tcptrace", f"{CAT} {bin_folder}/out")
    found = compare(tools="tcptrace")
    assert found[["conn_id", "direction", "label", "ours", "theirs"]].to_numpy().tolist() == [
        [0, "c2s", "segments", "6", "7"],
        [0, "s2c", "duplicate_acks", "0", "1"],
    ]
    assert found.rule.isna().tolist() == [True, False]


def test_rows_of_tcptrace():
    (row,) = tcptrace_rows(TCPTRACE)
    assert row["ends"] == [("10.9.0.1", 36655), ("10.9.0.2", 80)]
    assert [way["total packets"] for way in row["ways"]] == ["7", "5"]


@pytest.mark.skipif(shutil.which("tshark") is None, reason="tshark is not installed")
def test_the_real_tshark_agrees_on_a_plain_connection():
    assert tcpflows("compare-tools", CAPTURE, "--tool", "tshark") == (0, "tshark: 0 disagreements\n", "")


@pytest.mark.skipif(shutil.which("tcptrace") is None, reason="tcptrace is not installed")
def test_the_real_tcptrace_counts_copies():
    found = tt.compare_tools(FIXTURES / "duplicates.pcap", tools="tcptrace")
    assert "copies_counted" in set(found.rule)
    assert found[found.label == "octets"][["ours", "theirs"]].to_numpy().tolist()[0] == ["153", "255"]
