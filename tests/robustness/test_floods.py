"""Floods against each bound of the tracker, made on the fly and read through a pipe: everything is accounted for.

Compiled the floods are long enough to pass every bound; interpreted they are shorter, and say less.
"""

from __future__ import annotations

import io
import json
import os
import subprocess
import sys
import threading
from pathlib import Path

import pytest

import tcptrace_py as tt
from bench.floods import flood, records
from tcptrace_py.analysis import compiled

ROOT = Path(__file__).resolve().parents[2]
LONG = compiled()
MEMORY_MB = 512
NO_HANG_S = 300
TELL_MEMORY = """
import sys
from pathlib import Path
from tcptrace_py.views.cli import app
try:
    app(sys.argv[1:])
finally:
    status = Path("/proc/self/status").read_text().split()
    print(status[status.index("VmHWM:") + 1], file=sys.stderr)
"""
"""The command, which then tells the most memory it had; to ask the system would give its parent's if that is more."""


def flooded(name, packets, *tables, **options):
    source = io.BytesIO(b"".join(flood(name, packets)))
    return tt.analyze(source, tables=("connections", "events", *tables), **options)


def reached(trace):
    """The bounds that were reached, and how often."""
    return limits_of(trace.summary.captures[0])


def limits_of(row):
    """The column `limits` of the captures table, by name."""
    return {name: int(times) for name, times in (text.split(": ") for text in row["limits"])}


def through_a_pipe(name, packets, *arguments):
    """The `captures` row that the command gives for a flood on its standard input, and the memory that it took."""
    command = [sys.executable, "-P", "-c", TELL_MEMORY, "analyze", "-", "-q", *arguments]
    command += ["--table", "captures", "--format", "ndjson"]
    environment = {**os.environ, "PYTHONPATH": str(ROOT)}
    pipes = dict.fromkeys(("stdin", "stdout", "stderr"), subprocess.PIPE)
    with subprocess.Popen(command, env=environment, **pipes) as process:

        def pour():
            with process.stdin as pipe:
                pipe.writelines(flood(name, packets))

        pouring = threading.Thread(target=pour)
        pouring.start()
        stuck = threading.Timer(NO_HANG_S, process.kill)
        stuck.start()
        out, peak_kb = process.stdout.read(), process.stderr.read()
        pouring.join()
        stuck.cancel()
    assert process.returncode == 0
    return json.loads(out), int(peak_kb.split()[-1]) / 1024


@pytest.mark.parametrize("name", ["syns", "scattered-syns"])
def test_53_syn_flood(name):
    """Far more half-open connections than are held: all counted, the memory bounded."""
    n, held = (600_000, 200_000) if LONG else (6_000, 1_000)
    row, megabytes = through_a_pipe(name, n, "--limit", f"max_connections={held}")
    assert (row["packets_read"], row["packets_used"], row["connections"]) == (n, n, n)
    assert n - held <= limits_of(row)["max_connections"] <= n - held // 2
    assert megabytes < MEMORY_MB


def test_53_a_flood_spares_what_is_established():
    """Half-open connections leave first; what was evicted goes on under another number, which says so."""
    *head, octets = flood("octets", 10)
    everything = b"".join([*head, octets, *flood_records("syns", 5_000), octets])
    trace = tt.analyze(io.BytesIO(everything), limits=tt.Limits(max_connections=100), batch_size=64)
    assert [trace[0].record[name] for name in ("evicted", "c2s_segments")] == [False, 2 + 10 + 10]
    assert sum(record["evicted"] for record in rows_of(trace)) == reached(trace)["max_connections"] > 4_800
    other = records(1, time_us=200, flags=16, sport=50_000)
    more = records(1, time_us=300, flags=16, seq=1_000_011, ack=2_000_001, payload=1)
    trace = tt.analyze(
        io.BytesIO(b"".join([*head, octets, other, more])), limits=tt.Limits(max_connections=1), batch_size=1
    )
    assert trace[0].record["evicted"]
    followers = [record for record in rows_of(trace) if record["continues"] is not None]
    assert [(record["continues"], record["client_port"]) for record in followers] == [(0, 40_000)]


def flood_records(name, packets):
    """A flood without the file header."""
    chunks = flood(name, packets)
    next(chunks)
    return chunks


def rows_of(trace):
    return (conn.record for conn in trace)


def test_54_holes():
    """Every second octet is missing: far more holes than are told apart, and each octet counted once."""
    n = 200_000 if LONG else 3_000
    row, megabytes = through_a_pipe("holes", n)
    assert (row["packets_read"], row["segments"], row["connections"]) == (n + 3, n + 3, 1)
    assert limits_of(row)["max_ranges"] == n - 1024
    assert megabytes < MEMORY_MB / 2
    trace = flooded("holes", 3_000)
    record = trace[0].record
    assert (record["c2s_unique_octets"], record["c2s_lost_segments"]) == (3_000, 3_000)
    assert "holes_capped" in record["findings"]
    assert reached(trace)["max_ranges"] == 3_000 - 1024
    assert "max_ranges" not in reached(flooded("holes", 1_024))
    assert reached(flooded("holes", 1_024, limits=tt.Limits(max_ranges=24)))["max_ranges"] == 1_000


def test_54_scattered_holes():
    n = 100_000 if LONG else 3_000
    trace = flooded("scattered-holes", n)
    record = trace[0].record
    assert record["c2s_octets"] == 2 * n
    assert record["c2s_unique_octets"] + record["c2s_resent_octets"] == 2 * n


def test_55_one_octet_segments():
    n = 300_000 if LONG else 9_000
    row, megabytes = through_a_pipe("octets", n)
    assert (row["segments"], limits_of(row)["max_unacked"]) == (n + 3, n - 8192)
    assert megabytes < MEMORY_MB / 2
    record = flooded("octets", 9_000)[0].record
    assert record["c2s_unique_octets"] == 9_000
    assert "rtt_sampling_limited" in record["findings"]
    assert "rtt_sampling_limited" not in flooded("octets", 8_192)[0].record["findings"]


@pytest.mark.parametrize("name", ["resets", "fins"])
def test_56_repeats_are_counted_and_not_listed(name):
    n = 200_000 if LONG else 3_000
    trace = flooded(name, n)
    events = trace.events
    listed = events[events.frame.notna()]
    assert listed.groupby("code", observed=True).size().max() == 25
    rest = events[events.sentence.str.endswith("more of this kind are not listed (max_repeats)")]
    for code, (segments, _) in trace.summary.findings.items():
        if segments:
            more = rest[rest.code == code].evidence.sum()
            assert segments == (listed.code == code).sum() + more, code
    assert rest.evidence.sum() > n / 2


def test_56_the_timeline_has_every_finding():
    trace = flooded("resets", 3_000, "timeline")
    marked = trace.timeline.anomalies.map(list)
    assert (marked.map(len) > 0).sum() == 3_000
    trace = flooded("resets", 3_000, limits=tt.Limits(max_repeats=10_000))
    assert trace.events.frame.notna().sum() == 3_000


def test_57_numbers_that_wrap():
    """Three times around (12 GB) when compiled, and the first wrap comes within the first segment."""
    n = 400_000 if LONG else 4_000
    trace = flooded("wraps", n)
    record = trace[0].record
    assert record["c2s_octets"] == record["c2s_unique_octets"] == n // 2 * 65_000
    assert record["c2s_rtt_samples"] == n // 2 + 1  # the SYN, and each segment
    assert record["findings"] == ["cap_snap"]
    assert reached(trace) == {}


def test_58_one_pair_used_again_and_again():
    n = 100_000 if LONG else 1_500
    trace = flooded("reuses", 2 * n)
    assert len(trace) == n
    assert trace.summary.by_handshake == {"refused": n}
    assert trace.summary.findings["reused_port"] == (n - 1, n - 1)


def test_59_acknowledgments_of_what_was_never_seen():
    """One finding for the whole, not one a segment."""
    trace = flooded("unseen", 3_000)
    assert trace.summary.findings == {"cap_one_sided": (0, 1), "cap_midstream": (0, 1)}


def test_60_hostile_sack_blocks():
    trace = flooded("sacks", 3_000)
    assert set(trace.summary.findings) == {"mbx_seq_rewrite"}
    assert [trace[0].record[name] for name in ("client_state", "c2s_unique_octets")] == ["ESTABLISHED", 0]


def test_61_random_timestamps():
    trace = flooded("timestamps", 3_000)
    assert set(trace.summary.findings) == {"seq_beyond_window", "opt_paws", "cap_snap"}
    assert trace[0].record["c2s_unique_octets"] == 300_000


def test_62_window_shift_of_255():
    """Shown as it is, used as 14 (RFC 7323 section 2.3), and flagged on both SYNs."""
    trace = flooded("shifts", 100)
    record = trace[0].record
    assert trace.summary.findings["wscale_gt14"] == (2, 1)
    assert (record["c2s_wscale"], record["s2c_wscale"]) == (255, 255)
    assert record["c2s_window_max"] == 65_535 << 14


def test_amendments_are_bounded():
    """Beyond the bound the totals still know them; only the timeline shows what was known before."""
    capture = ROOT / "tests/fixtures/reorder_bulk.pcap"
    whole, bounded = (tt.analyze(capture, limits=tt.Limits(max_amendments=most)) for most in (10_000, 1))
    assert reached(bounded)["max_amendments"] == 3
    assert "max_amendments" not in reached(whole)
    assert whole.summary.findings == bounded.summary.findings
    assert list(whole.timeline.anomalies.map(list)) != list(bounded.timeline.anomalies.map(list))
