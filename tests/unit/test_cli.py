"""The command line by the door a user comes in by: exact texts, exit codes, and what it refuses to load."""

import contextlib
import csv
import io
import json
import os
import subprocess
import sys
from pathlib import Path

import hand_made
import pyarrow as pa
import pytest
from typer.testing import CliRunner

from tcptrace_py.options import Limits
from tcptrace_py.tables.schema import TABLES
from tcptrace_py.views.cli import app

RUN = "import hand_made; hand_made.install(); from tcptrace_py.__main__ import main; main()"
HERE = Path(__file__).parent


@pytest.fixture(autouse=True)
def stand_in(monkeypatch):
    """The hand-made analysis in place of the real one."""
    monkeypatch.setitem(sys.modules, "tcptrace_py.analysis", None)
    hand_made.install()
    hand_made.asked.clear()
    monkeypatch.setenv("COLUMNS", "100")


def tcpflows(*args):
    """Exit code, standard output, standard error."""
    result = CliRunner().invoke(app, list(args), prog_name="tcpflows")
    return result.exit_code, result.stdout, result.stderr


def process(*args, **options):
    """The same in a process of its own, where descriptors and signals are real."""
    environment = os.environ | {"PYTHONPATH": os.pathsep.join([str(HERE), *sys.path]), "PYTHONDONTWRITEBYTECODE": "1"}
    return subprocess.Popen([sys.executable, "-c", RUN, *args], env=environment, stderr=subprocess.PIPE, **options)


SUMMARY = """\
hand.pcap  pcap, ETHERNET
  30 packets in 902 ms from 2023-11-14 22:13:20.000000 UTC
  3 packets not used: not_ip (neither IPv4 nor IPv6 inside (ARP, LLDP, MAC control, ...))
  1 packet not used: not_tcp (IP, but another protocol than TCP)
  26 segments on 1 connection

Opened
          1  three_way  SYN, SYN-ACK, ACK

Closed
          1  three_segment  FIN, FIN-ACK, ACK: the second FIN is the segment that acknowledges th...

Findings                    segments  connections
  warning  zero_window             1            1  Window 0 on a segment without SYN, FIN or RST
  note     retransmission          1            1  Octets (payload, SYN or FIN) that this side ha...

Connections
  0  192.168.1.116:3337 > 192.168.1.123:7788  zero_window, retransmission
     three_way, three_segment  TIME_WAIT/CLOSED  1 kB > < 0 B  RTT 200 us
"""


def test_the_summary():
    assert tcpflows("analyze", "hand.pcap") == (0, SUMMARY, "")


def test_a_damaged_capture_is_told_on_both_streams(monkeypatch):
    code, out, err = tcpflows("analyze", "cut.pcap")
    assert code == 3
    assert "\n  partial: cut short in record 31 at byte 1234 (wanted 54, got 47)\n" in out
    assert err == "tcpflows: cut.pcap: cut short in record 31 at byte 1234 (wanted 54, got 47); 30 packets kept\n"


def test_an_unreadable_capture():
    assert tcpflows("analyze", "missing.pcap") == (4, "", "tcpflows: missing.pcap: no such file\n")


def test_an_unreadable_capture_among_others_makes_the_result_partial():
    code, out, err = tcpflows("analyze", "missing.pcap", "hand.pcap")
    assert (code, out, err) == (3, SUMMARY, "tcpflows: missing.pcap: no such file\n")


def test_captures_are_told_one_after_the_other():
    code, out, _ = tcpflows("analyze", "hand.pcap", "other.pcap")
    assert code == 0
    assert out == SUMMARY + "\n" + SUMMARY.replace("hand.pcap", "other.pcap")


def test_an_internal_error_asks_for_a_report():
    code, out, err = tcpflows("analyze", "bug.pcap")
    assert (code, out) == (70, "")
    assert err == (
        "tcpflows: internal error: ZeroDivisionError: division by zero; please report it, with what --debug shows\n"
    )
    code, _, err = tcpflows("analyze", "bug.pcap", "--debug")
    assert code == 70
    assert err.startswith("Traceback (most recent call last):\n")
    assert err.endswith("ZeroDivisionError: division by zero; please report it with the lines above\n")


def test_interrupted():
    assert tcpflows("analyze", "interrupt.pcap") == (130, "", "tcpflows: interrupted\n")


def test_hostile_names_are_shown_safely():
    _, out, err = tcpflows("analyze", "caps[/foo]\x1b[31m\n\u202e.pcap", "missing\x1b]0;x\x07.pcap")
    assert out.startswith("caps[/foo]\\x1b[31m\\x0a\\u202e.pcap  pcap")
    assert err == "tcpflows: missing\\x1b]0;x\\x07.pcap: no such file\n"


def test_options_reach_the_analysis():
    tcpflows(
        "analyze",
        "x",
        "--reader",
        "dpkt",
        "--link-type",
        "101",
        "--idle-timeout",
        "0.000000001",
        "--msl2",
        "1e2",
        "--no-checksums",
        "--overlaps",
        "--limit",
        "max_ranges=5",
        "--limit",
        "max_unacked=1_000",
        "--resync",
    )
    assert hand_made.asked == [
        (
            "x",
            (),
            {
                "reader": "dpkt",
                "link_type": 101,
                "idle_timeout_ns": 1,
                "msl2_ns": 100_000_000_000,
                "verify_checksums": False,
                "overlaps": True,
                "limits": Limits(max_ranges=5, max_unacked=1000),
                "resync": True,
            },
        )
    ]
    hand_made.asked.clear()
    tcpflows("analyze", "-", "-t", "timeline")
    assert hand_made.asked == [("-", ("timeline",), {})]


def test_csv_json_and_ndjson_say_the_same():
    _, text, _ = tcpflows("analyze", "hand.pcap", "-f", "csv", "-t", "timeline")
    rows = list(csv.DictReader(io.StringIO(text)))
    _, text, _ = tcpflows("analyze", "hand.pcap", "-f", "ndjson", "-t", "timeline")
    objects = [json.loads(line) for line in text.splitlines()]
    _, text, _ = tcpflows("analyze", "hand.pcap", "-f", "json", "-t", "timeline")
    document = json.loads(text)
    assert document["timeline"] == objects
    assert document["captures"][0]["status"] == "ok"
    assert len(rows) == len(objects) == 26
    assert rows[24]["steps"] == "teardown_2;teardown_3"
    assert rows[24]["steps_ok"] == "true;false"
    assert objects[24]["steps_ok"] == [True, False]
    assert rows[0]["ack"] == ""
    assert objects[0]["ack"] is None
    assert rows[0]["time"] == objects[0]["time"] == "2023-11-14T22:13:20.000000000Z"


def test_rows_of_several_captures_follow_each_other():
    _, text, _ = tcpflows("analyze", "a", "b", "-f", "ndjson", "--columns", "capture,conn_id")
    assert text == '{"capture":"a","conn_id":0}\n{"capture":"b","conn_id":0}\n'


def test_a_condition_filters_rows():
    code, text, _ = tcpflows(
        *("analyze", "hand.pcap", "-t", "timeline", "-f", "csv", "--columns", "frame,flags"),
        *("-w", "anomalies has retransmission or steps has handshake_2"),
    )
    assert (code, text) == (0, "frame,flags\n2,SA\n12,PA\n")


def test_a_table_for_reading():
    _, text, _ = tcpflows(
        "analyze", "hand.pcap", "-t", "timeline", "--columns", "frame,time,steps,rtt_ns", "-w", "frame<3"
    )
    assert text == (
        "frame  time                        steps        rtt_ns\n"
        "    1  2023-11-14 22:13:20.000000  handshake_1\n"
        "    2  2023-11-14 22:13:20.000200  handshake_2\n"
    )


def test_each_table_has_a_short_form_for_reading():
    for table in TABLES:
        code, text, err = tcpflows("analyze", "hand.pcap", "-f", "table", "-t", table)
        assert (code, err) == (0, "")
        assert set(text.splitlines()[0].split()) <= {column.name for column in TABLES[table]}


def test_files_by_their_suffix(tmp_path):
    for name in ("x.csv", "x.json", "x.ndjson", "x.jsonl", "x.parquet", "x.arrow"):
        assert tcpflows("analyze", "hand.pcap", "-o", str(tmp_path / name)) == (0, "", "")
    assert (tmp_path / "x.jsonl").read_bytes() == (tmp_path / "x.ndjson").read_bytes()
    assert pa.parquet.read_table(tmp_path / "x.parquet")["client_port"].to_pylist() == [3337]
    assert (tmp_path / "x.csv").read_text().startswith("capture,conn_id,")


def test_a_folder_gets_all_tables(tmp_path):
    assert tcpflows("analyze", "hand.pcap", "-f", "parquet", "-o", str(tmp_path / "out")) == (0, "", "")
    assert sorted(path.stem for path in (tmp_path / "out").iterdir()) == sorted(TABLES)
    assert pa.parquet.read_table(tmp_path / "out" / "timeline.parquet").num_rows == 26


def test_no_output_rather_than_an_empty_one(tmp_path):
    assert tcpflows("analyze", "missing.pcap", "-o", str(tmp_path / "x.csv"))[0] == 4
    assert list(tmp_path.iterdir()) == []


def test_a_capture_is_not_overwritten(tmp_path):
    capture = tmp_path / "x.csv"
    capture.write_text("precious")
    code, _, err = tcpflows("analyze", str(capture), "-o", str(capture))
    assert (code, err) == (2, f"tcpflows: {capture} is the capture itself\n")
    assert capture.read_text() == "precious"


@pytest.mark.parametrize(
    ("args", "said"),
    [
        (["-t", "segments"], "there is no table 'segments'; there are captures, connections, timeline, states, events"),
        (["--columns", "conn"], "--columns: connections has no column 'conn'; did you mean conn_id or continues?"),
        (["-w", "x == 1"], "--where: connections has no column 'x'"),
        (["-t", "timeline,events", "-w", "frame == 1"],
         "--where and --columns are about one table: choose it with --table"),
        (["-t", "timeline,events", "-f", "csv"],
         "csv holds one table: choose it with --table, or write to a folder with -o"),
        (["-f", "parquet"], "parquet needs a file: use -o FILE or -o FOLDER"),
        (["-o", "x.txt"], "x.txt: say with --format what to write"),
        (["-f", "table", "-o", "x"], "table is for reading; with -o choose csv, json, ndjson, parquet or arrow"),
        (["--fail-on", "rst"], "--fail-on: 'rst' is neither a finding nor a severity"),
        (["--fail-on", "eror"], "--fail-on: 'eror' is neither a finding nor a severity; did you mean error?"),
    ],
)  # fmt: skip
def test_usage(args, said):
    assert tcpflows("analyze", "hand.pcap", *args) == (2, "", f"tcpflows: {said}\n")
    assert hand_made.asked == []  # nothing was read in vain


@pytest.mark.parametrize(
    "args", [["--msl2", "soon"], ["--msl2", "-1"], ["--top", "21"], ["--reader", "tshark"], ["--nope"]]
)
def test_options_that_make_no_sense(args):
    code, out, err = tcpflows("analyze", "hand.pcap", *args)
    assert (code, out) == (2, "")
    assert err.startswith("Usage: tcpflows analyze [OPTIONS]")


@pytest.mark.parametrize(
    ("asked", "code", "said"),
    [
        ("zero_window", 1, "tcpflows: hand.pcap: found zero_window (1 connection)\n"),
        ("note", 1, "tcpflows: hand.pcap: found zero_window (1 connection), retransmission (1 connection)\n"),
        ("error,cap_loss", 0, ""),
    ],
)
def test_fail_on(asked, code, said):
    assert tcpflows("analyze", "hand.pcap", "--fail-on", asked) == (code, SUMMARY, said)


def test_fail_on_with_a_table():
    code, text, err = tcpflows("analyze", "hand.pcap", "-f", "ndjson", "--columns", "conn_id", "--fail-on", "warning")
    assert (code, text) == (1, '{"conn_id":0}\n')
    assert err == "tcpflows: hand.pcap: found zero_window (1 connection)\n"


def test_damage_outweighs_findings():
    assert tcpflows("analyze", "cut.pcap", "--fail-on", "note")[0] == 3


def test_show_draws_the_ladder():
    code, text, err = tcpflows("show", "hand.pcap", "0", "--ascii")
    golden = (HERE.parent / "golden" / "ladder-bulk-ascii-100.txt").read_text(encoding="utf-8")
    assert (code, text, err) == (0, golden, "")


def test_show_all_folds_nothing():
    _, text, _ = tcpflows("show", "hand.pcap", "0", "--all")
    assert sum(line[:2].strip().isdigit() for line in text.splitlines()) == 26


def test_show_says_which_connections_there_are():
    assert tcpflows("show", "hand.pcap", "5") == (
        2,
        "",
        "tcpflows: hand.pcap: no connection 5; the capture has 1 connection\n",
    )


def test_the_slow_form_says_so_once(monkeypatch):
    monkeypatch.setattr(sys.modules["tcptrace_py.analysis"], "compiled", lambda: False)
    advice = "tcpflows: running uncompiled, which is much slower; install again where there is a C compiler\n"
    assert tcpflows("analyze", "hand.pcap", "hand.pcap")[2] == advice
    assert tcpflows("analyze", "hand.pcap", "-q")[2] == ""
    assert tcpflows("--version")[1].endswith(" (interpreted)\n")


def test_version():
    code, out, err = tcpflows("--version")
    assert (code, err) == (0, "")
    assert out.startswith("tcpflows ")
    assert out.endswith(" (compiled)\n")


@pytest.mark.parametrize("command", ["analyze", "show", "catalog"])
def test_help_ends_with_examples(command):
    code, out, _ = tcpflows(command, "--help")
    examples = out.partition("\n  Examples:\n")[2].splitlines()
    assert code == 0
    assert len(examples) >= 2
    assert all("tcpflows" in line for line in examples)


@pytest.mark.parametrize("command", [["--help"], ["analyze", "--help"], ["catalog", "state"]])
def test_help_and_catalog_load_nothing_heavy(command):
    code = f"""
import os, sys
os._exit = sys.exit  # so that there is an after
sys.argv = ["tcpflows", *{command!r}]
from tcptrace_py.__main__ import main
try:
    main()
finally:
    print(sorted({{"numpy", "pandas", "pyarrow", "rich"}} & set(sys.modules)), file=sys.stderr)
"""
    assert subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stderr == "[]\n"


def test_the_summary_loads_neither_pandas_nor_pyarrow():
    code = f"""
import os, sys
os._exit = sys.exit
sys.path.insert(0, {str(HERE)!r})
import hand_made
hand_made.install()
sys.argv = ["tcpflows", "analyze", "hand.pcap", "--fail-on", "error"]
from tcptrace_py.__main__ import main
try:
    main()
finally:
    print(sorted({{"pandas", "pyarrow", "rich"}} & set(sys.modules)), file=sys.stderr)
"""
    assert subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stderr == "[]\n"


def test_a_reader_that_goes_away_is_no_error():
    with process("catalog", stdout=subprocess.PIPE) as running:
        running.stdout.close()
        assert running.stderr.read() == b""
        assert running.wait() == 141


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="/dev/full is a device of Linux")
@pytest.mark.parametrize("args", [["analyze", "x"], ["analyze", "x", "-f", "csv"], ["analyze", "x", "-f", "arrow"]])
def test_standard_output_on_a_full_disk(args):
    with Path("/dev/full").open("wb") as full, process(*args, stdout=full) as running:
        said = running.stderr.read()
        assert running.wait() == 5
    assert said.startswith(b"tcpflows: cannot write to standard output: No space left on device")
    assert said.count(b"\n") == 1


def test_standard_output_closed_from_the_start():
    code = f"import os, sys; os.close(1); os.execv(sys.executable, [sys.executable, '-c', {RUN!r}, 'analyze', 'x'])"
    environment = os.environ | {"PYTHONPATH": os.pathsep.join([str(HERE), *sys.path])}
    done = subprocess.run([sys.executable, "-c", code], env=environment, capture_output=True, check=False)
    assert (done.returncode, done.stderr) == (0, b"")


def test_terminated_while_writing_leaves_nothing(tmp_path):
    code = """
import os, signal, hand_made
module = hand_made.install()
def killed(source, **options):
    trace = hand_made.HandMadeTrace(source)
    def batches(table):
        yield from hand_made.HandMadeTrace.batches(trace, table)
        os.kill(os.getpid(), signal.SIGTERM)
    trace.batches = batches
    return trace
module.analyze = killed
from tcptrace_py.__main__ import main
main()
"""
    environment = os.environ | {"PYTHONPATH": os.pathsep.join([str(HERE), *sys.path])}
    command = [sys.executable, "-c", code, "analyze", "x", "-o", str(tmp_path / "x.csv")]
    done = subprocess.run(command, env=environment, capture_output=True, check=False)
    assert (done.returncode, done.stderr) == (143, b"")
    assert list(tmp_path.iterdir()) == []


def on_a_terminal(*args, **environment):
    """What a terminal gets to see."""
    import pty

    leader, follower = pty.openpty()
    surroundings = {"TERM": "xterm", "COLUMNS": "100", "PYTHONPATH": os.pathsep.join([str(HERE), *sys.path])}
    running = subprocess.Popen(
        [sys.executable, "-c", RUN, *args], env=surroundings | environment, stdout=follower, stderr=follower
    )
    os.close(follower)
    seen = b""
    with contextlib.suppress(OSError):  # EIO: the other end was closed
        while piece := os.read(leader, 65536):
            seen += piece
    os.close(leader)
    assert running.wait() == 0
    return seen.decode().replace("\r\n", "\n")


def test_colours_only_on_a_terminal_and_never_against_no_color():
    assert "\x1b[38;5;214mwarning" in on_a_terminal("analyze", "hand.pcap")
    assert on_a_terminal("analyze", "hand.pcap", NO_COLOR="1") == SUMMARY
    assert on_a_terminal("analyze", "hand.pcap", TERM="dumb") == SUMMARY


def test_without_unicode_the_ladder_is_ascii():
    golden = (HERE.parent / "golden" / "ladder-bulk-ascii-100.txt").read_text(encoding="utf-8")
    assert on_a_terminal("show", "hand.pcap", "0", NO_COLOR="1", PYTHONIOENCODING="ascii") == golden
