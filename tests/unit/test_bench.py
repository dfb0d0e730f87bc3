"""The harness measures what it says it measures; the workloads are what they are said to be."""

import hashlib
import sys
from pathlib import Path

import pytest

import tcptrace_py as tt
from bench import __main__ as harness
from bench import hostile, programs
from bench.generator import make
from bench.measure import Cost, FailedError, interleaved, run
from bench.stages import measure as stages_of
from bench.workloads import USUAL, WORKLOADS, Workload, quick

FIXTURE = Path(__file__).resolve().parents[1] / "fixtures/four_way.pcap"


@pytest.fixture(scope="module")
def mix(tmp_path_factory):
    path = tmp_path_factory.mktemp("bench") / "mix.pcap"
    packets, connections = make(Workload("mix", 5_000), path)
    return path, packets, connections


def test_the_mix_is_read_as_it_was_made(mix):
    path, packets, connections = mix
    trace = tt.analyze(path)
    assert (trace.status, trace.summary.packets, len(trace)) == ("ok", packets, connections)
    assert packets == 5_000
    assert "bad_checksum" not in trace.summary.findings
    assert trace.summary.segments + trace.summary.captures[0]["unused_not_tcp"] == packets


def test_the_mix_has_every_kind_of_close(mix):
    by_teardown = tt.analyze(mix[0]).summary.by_teardown
    wanted = {"four_way", "three_segment", "half_close", "simultaneous", "abort", "reset_after_fin", "refused"}
    assert wanted - by_teardown.keys() == set()


def test_the_same_bytes_every_time(mix, tmp_path):
    again = tmp_path / "again.pcap"
    make(Workload("mix", 5_000), again)
    assert hashlib.sha256(again.read_bytes()).digest() == hashlib.sha256(mix[0].read_bytes()).digest()


def test_cut_packets_lose_nothing_but_payload(mix, tmp_path):
    cut = tmp_path / "cut.pcap"
    make(Workload("mix", 5_000, snap=96), cut)
    whole, snapped = tt.analyze(mix[0]).summary, tt.analyze(cut).summary
    assert (snapped.by_teardown, snapped.segments) == (whole.by_teardown, whole.segments)
    assert cut.stat().st_size < mix[0].stat().st_size / 4


def test_one_flow_passes_the_end_of_the_numbers(tmp_path):
    path = tmp_path / "flow.pcap"
    packets, _ = make(Workload("flow", 6_000, snap=96), path)
    trace = tt.analyze(path)
    sent = trace.timeline.query("direction == 's2c' and payload_bytes > 0")
    assert (len(trace), len(trace.timeline)) == (1, packets)
    assert sent["seq"].max() - sent["seq"].min() > 2**31
    assert sent["rel_seq"].is_monotonic_increasing is False  # losses are resent
    assert trace[0].record["s2c_unique_octets"] == sent["rel_seq"].max() + sent["payload_bytes"].iloc[-1] - 1
    assert trace[0].record["s2c_missing_octets"] == 0
    assert trace[0].record["s2c_out_of_order"] == 0


def test_a_scan_is_one_syn_each(tmp_path):
    path = tmp_path / "scan.pcap"
    assert make(Workload("scan", 3_000, per_second=100_000), path) == (3_000, 3_000)
    assert tt.analyze(path).summary.by_handshake == {"no_answer": 3_000}


def test_quick_is_small():
    assert max(quick(workload).packets for workload in WORKLOADS.values()) == 20_000
    assert set(USUAL) < WORKLOADS.keys()


def test_tcptrace_never_gets_many_flows():
    assert "tcptrace" in WORKLOADS["many-flows"].without


def test_a_command_that_fails_has_no_figures():
    with pytest.raises(FailedError, match=r"ended with 3: no$"):
        run([sys.executable, "-c", "import sys; sys.stderr.write('no'); sys.exit(3)"])


def test_peak_memory_is_the_command_s():
    assert run([sys.executable, "-c", "x = b'x' * 200_000_000"]).peak_mb > 190


def test_rounds_are_interleaved(tmp_path):
    log = tmp_path / "log"
    append = f"open({str(log)!r}, 'a').write"
    commands = {name: [sys.executable, "-c", f"{append}({name!r})"] for name in "ab"}
    assert list(interleaved(commands, 2)) == ["a", "b"]
    assert log.read_text("utf-8") == "abab"


def test_the_table():
    rows = harness.table({programs.OURS: Cost(0.5, 1.0, 40.2), "slow": Cost(2.0, 2.25, 1000)})
    assert rows[1:] == [["tcpflows analyze", "0.50", "1.00", "1.00", "40"], ["slow", "2.00", "4.00", "2.25", "1000"]]
    assert harness.markdown(rows).splitlines()[1:3] == [
        "|---|---:|---:|---:|---:|",
        "| tcpflows analyze | 0.50 | 1.00 | 1.00 | 40 |",
    ]
    assert harness.plain(rows).splitlines()[2] == "slow               2.00           4.00    2.25     1000"


def test_a_file_of_one_s_own(monkeypatch, tmp_path, capsys):
    report = tmp_path / "report.md"
    report.write_text("a\n<!-- generated: figures -->\nold\n<!-- end -->\nz\n", "utf-8")
    given = ["--rounds=1", "--only=none", f"--folder={tmp_path}", f"--markdown={report}", "--files", str(FIXTURE)]
    monkeypatch.setattr(sys, "argv", ["bench", *given])
    assert harness.main() == 0
    told = capsys.readouterr().out
    assert "four_way.pcap (0.0 MB)" in told
    written = report.read_text("utf-8").splitlines()
    assert (written[0], written[1], written[-1]) == ("a", "<!-- generated: figures -->", "z")
    assert "Medians of 1 rounds." in written[2]
    assert [line.split(" | ")[0] for line in written[8:10]] == ["| tcpflows analyze", "| tcpflows timeline to Parquet"]


def test_floods_beside_the_ordinary(monkeypatch, tmp_path, capsys):
    monkeypatch.setattr(hostile, "PACKETS", {"syns": 1_000_000})
    report = tmp_path / "report.md"
    report.write_text(
        "<!-- generated: figures -->\nold\n<!-- end -->\n<!-- generated: floods -->\n<!-- end -->\n", "utf-8"
    )
    monkeypatch.setattr(sys, "argv", ["bench", "--floods", "--quick", f"--folder={tmp_path}", f"--markdown={report}"])
    assert harness.main() == 0
    written = report.read_text("utf-8").splitlines()
    assert written[1] == "old"
    cells = [[cell.strip() for cell in line.strip("|").split("|")] for line in written if line.startswith("| ")]
    assert [row[:2] for row in cells[1:]] == [["medium", "2,000"], ["syns", "2,000"]]
    assert [row[4] for row in cells[1:2]] == ["1.00"]
    assert not list(tmp_path.glob("flood-*"))


def test_a_batch_with_one_worker_and_two(monkeypatch, tmp_path, capsys):
    report = tmp_path / "report.md"
    report.write_text("<!-- generated: archive -->\n<!-- end -->\n", "utf-8")
    monkeypatch.setattr(sys, "argv", ["bench", "--archive", "--quick", f"--folder={tmp_path}", f"--markdown={report}"])
    assert harness.main() == 0
    rows = [line.strip("|").split("|") for line in report.read_text("utf-8").splitlines() if line.startswith("| ")]
    assert [row[0].strip() for row in rows] == ["workers", "1", "2"]
    assert rows[1][4].strip() == "1.00"
    assert "4 files of 2,000 packets" in capsys.readouterr().out


def test_one_capture_split_and_not(monkeypatch, tmp_path, capsys):
    report = tmp_path / "report.md"
    report.write_text("<!-- generated: split -->\n<!-- end -->\n", "utf-8")
    monkeypatch.setattr(sys, "argv", ["bench", "--split", "--quick", f"--folder={tmp_path}", f"--markdown={report}"])
    assert harness.main() == 0
    rows = [line.strip("|").split("|") for line in report.read_text("utf-8").splitlines() if line.startswith("| ")]
    names = [row[0].strip() for row in rows[1:]]
    assert names == [name + how for name in ("default tables", "with the timeline") for how in ("", ", --split")]
    assert [row[4].strip() for row in rows[1::2]] == ["1.00", "1.00"]
    assert "2 workers" in capsys.readouterr().out


def test_stages_are_those_of_the_pipeline():
    segments, stages = stages_of(str(FIXTURE))
    assert segments == 11
    assert stages.keys() == {"read", "decode", "assign", "track", "let go", "finish"}
    assert min(stages["read"], stages["decode"], stages["track"]) > 0
