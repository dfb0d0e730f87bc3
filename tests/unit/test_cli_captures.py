"""The command line on captures made here, through the real analysis: what each kind of input gets."""

import csv
import gzip
import io
import json
import os
import subprocess
import sys
from pathlib import Path

import pytest
from typer.testing import CliRunner

from tcptrace_py.views.cli import app
from tests.packets import CLIENT, SERVER, ethernet, ipv4, tcp, write_pcap

SYN, FIN, RST, PSH, ACK = 2, 1, 4, 8, 16
TO_SERVER = {"sport": 3337, "dport": 7788}
TO_CLIENT = {"sport": 7788, "dport": 3337}
J, K = 3626544836, 1739326486  # the initial numbers of the tutorial


@pytest.fixture(autouse=True)
def terminal(monkeypatch):
    monkeypatch.setenv("COLUMNS", "100")


def up(flags, seq, ack, payload=b""):
    return ethernet(ipv4(tcp(flags, seq=J + seq, ack=0 if ack is None else K + ack, payload=payload, **TO_SERVER)))


def down(flags, seq, ack, payload=b""):
    segment = tcp(flags, seq=K + seq, ack=J + ack, payload=payload, **TO_CLIENT)
    return ethernet(ipv4(segment, src=SERVER, dst=CLIENT))


TUTORIAL = [
    up(SYN, 0, None),
    down(SYN | ACK, 0, 1),
    up(ACK, 1, 1),
    up(PSH | ACK, 1, 1, b"question"),
    down(PSH | ACK, 1, 9, b"answer"),
    up(ACK, 9, 7),
    up(FIN | ACK, 9, 7),
    down(ACK, 7, 10),
    down(FIN | ACK, 7, 10),
    up(ACK, 10, 8),
]


@pytest.fixture
def tutorial(tmp_path):
    return write_pcap(tmp_path / "tutorial.pcap", TUTORIAL)


def tcpflows(*args):
    """Exit code, standard output, standard error."""
    result = CliRunner().invoke(app, [str(arg) for arg in args])
    return result.exit_code, result.stdout, result.stderr


def test_the_summary(tutorial):
    assert tcpflows("analyze", "-q", tutorial) == (
        0,
        f"""\
{tutorial}  pcap (ns), link type 1
  10 packets in 9 ms from 2023-11-14 22:13:20.000000 UTC
  10 segments on 1 connection

Opened
          1  three_way  SYN, SYN-ACK, ACK

Closed
          1  four_way  FIN, ACK, FIN, ACK

Connections
  0  10.0.0.1:3337 > 10.0.0.2:7788
     three_way, four_way  TIME_WAIT/CLOSED  8 B > < 6 B  RTT 1 ms
""",
        "",
    )


def test_the_ladder(tutorial, monkeypatch):
    monkeypatch.setenv("COLUMNS", "130")
    code, text, _ = tcpflows("show", "-q", tutorial, 0)
    assert code == 0
    rungs = [line.split("  ") for line in text.splitlines() if line[:2].strip().isdigit()]
    assert [rung[-1].strip() for rung in rungs if "_" in rung[-1]] == [
        "handshake_1 ✓", "handshake_2 ✓", "handshake_3 ✓",
        "teardown_1 ✓", "teardown_2 ✓", "teardown_3 ✓", "teardown_4 ✓",
    ]  # fmt: skip
    assert "SA seq 1739326486 ack 3626544837" in text


def test_states_as_csv(tutorial):
    _, text, _ = tcpflows("analyze", "-q", tutorial, "-t", "states", "-f", "csv")
    rows = list(csv.DictReader(io.StringIO(text)))
    assert [row["state"] for row in rows if row["endpoint"] == "client"] == [
        "SYN_SENT", "ESTABLISHED", "FIN_WAIT_1", "FIN_WAIT_2", "TIME_WAIT",
    ]  # fmt: skip
    assert [row["state"] for row in rows if row["endpoint"] == "server"][-3:] == ["CLOSE_WAIT", "LAST_ACK", "CLOSED"]


def test_a_table_is_the_same_from_a_file_a_compressed_file_and_a_pipe(tutorial, tmp_path):
    packed = tmp_path / "tutorial.pcap.gz"
    packed.write_bytes(gzip.compress(tutorial.read_bytes()))
    columns = "frame,time,flags,rel_seq,rel_ack,client_state,server_state,steps,steps_ok"
    args = ["-q", "-t", "timeline", "-f", "ndjson", "--columns", columns]
    plain = tcpflows("analyze", *args, tutorial)
    assert plain[0] == 0
    assert plain[1].count("\n") == 10
    assert tcpflows("analyze", *args, packed) == plain
    command = [sys.executable, "-m", "tcptrace_py", "analyze", *args, "-"]
    environment = os.environ | {"PYTHONPATH": os.pathsep.join(sys.path)}
    with tutorial.open("rb") as stdin:
        piped = subprocess.run(command, stdin=stdin, env=environment, capture_output=True, check=True)
    assert piped.stdout.decode() == plain[1]


def test_all_tables_at_once_and_one_by_one(tutorial, tmp_path):
    assert tcpflows("analyze", "-q", tutorial, "-f", "ndjson", "-o", tmp_path / "all") == (0, "", "")
    for table in ("captures", "connections", "timeline", "states", "events"):
        _, text, _ = tcpflows("analyze", "-q", tutorial, "-t", table, "-f", "ndjson")
        assert (tmp_path / "all" / f"{table}.ndjson").read_text() == text


def test_a_condition_on_real_columns(tutorial):
    _, text, _ = tcpflows(
        *("analyze", "-q", tutorial, "-t", "timeline", "-f", "csv", "--columns", "frame"),
        *("-w", "client_state == FIN_WAIT_2 or steps has handshake_2 or payload_bytes in (6, 7)"),
    )
    assert text.split() == ["frame", "2", "5", "8"]


UNREADABLE = {
    "empty": (b"", "empty file (0 bytes)"),
    "text": (b"Dear reader,\nthis is a letter.\n" * 20, "not a capture file"),
    "elf": (b"\x7fELF" + bytes(60), "not a capture file (looks like "),
    "short": (b"\xd4\xc3\xb2\xa1" + bytes(10), "cut short"),
}


@pytest.mark.parametrize("name", UNREADABLE)
def test_what_cannot_be_read(name, tmp_path):
    content, said = UNREADABLE[name]
    path = tmp_path / name
    path.write_bytes(content)
    code, out, err = tcpflows("analyze", "-q", path)
    assert (code, out) == (4, "")
    assert err.startswith(f"tcpflows: {path}: ")
    assert said in err
    assert err.count("\n") == 1


def test_what_cannot_be_read_has_its_row_in_the_captures_table(tutorial, tmp_path):
    (tmp_path / "empty").write_bytes(b"")
    args = ("analyze", "-q", tutorial, tmp_path / "empty", "-t", "captures", "-f", "csv")
    code, text, _ = tcpflows(*args, "--columns", "path,status,reason,message,packets_read")
    assert code == 3
    assert text.splitlines()[1:] == [
        f"{tutorial},ok,,,10",
        f"{tmp_path}/empty,unreadable,empty,empty file (0 bytes),0",
    ]
    code, text, _ = tcpflows("analyze", "-q", tmp_path / "empty", "-f", "json")
    document = json.loads(text)
    assert code == 4
    assert document["connections"] == []
    assert [known["status"] for known in document["captures"]] == ["unreadable"]


def test_what_is_not_there(tmp_path):
    assert tcpflows("analyze", "-q", tmp_path / "no")[::2] == (4, f"tcpflows: {tmp_path}/no: no such file\n")
    code, _, err = tcpflows("analyze", "-q", tmp_path)
    assert code == 4
    assert f"tcpflows batch {tmp_path}" in err


def test_a_header_alone_is_no_error(tmp_path):
    code, out, err = tcpflows("analyze", "-q", write_pcap(tmp_path / "x", []))
    assert (code, err) == (0, "")
    assert "\n  0 packets\n" in out


@pytest.mark.parametrize("cut", [1, 17, 53])
def test_a_capture_cut_short_gives_what_it_has(cut, tutorial):
    tutorial.write_bytes(tutorial.read_bytes()[:-cut])
    code, out, err = tcpflows("analyze", "-q", tutorial)
    assert code == 3
    assert "\n  9 packets in 8 ms" in out
    assert err.startswith(f"tcpflows: {tutorial}: cut short in record 10 at byte ")
    assert err.endswith("; 9 packets kept\n")
    document = json.loads(tcpflows("analyze", "-q", tutorial, "-f", "json")[1])
    assert document["captures"][0]["status"] == "partial"
    assert document["captures"][0]["packets_read"] == 9
    assert len(document["connections"]) == 1


def test_a_hostile_name_is_shown_safely_in_every_output(tmp_path):
    name = "a[foo]\x1b[31m\n\u202e=1.pcap"
    path = write_pcap(tmp_path / name, TUTORIAL)
    shown = str(tmp_path) + "/a[foo]\\x1b[31m\\x0a\\u202e=1.pcap"
    assert tcpflows("analyze", "-q", path)[1].startswith(f"{shown}  pcap")
    _, text, _ = tcpflows("analyze", "-q", path, "-f", "csv", "--columns", "capture")
    assert text == f"capture\n{shown}\n"
    _, text, _ = tcpflows("analyze", "-q", path, "-f", "ndjson", "--columns", "capture")
    assert json.loads(text) == {"capture": str(path)}
    assert text.isprintable() or "\x1b" not in text


def test_a_name_that_is_not_utf_8(tmp_path):
    path = Path(os.fsdecode(os.fsencode(tmp_path) + b"/\xff\xfe.pcap"))
    write_pcap(path, TUTORIAL)
    code, out, err = tcpflows("analyze", "-q", path)
    assert (code, err) == (0, "")
    assert out.startswith(f"{tmp_path}/\\xff\\xfe.pcap  pcap")
    code, out, err = tcpflows("analyze", "-q", path, "-f", "csv", "--columns", "capture")
    assert (code, err) == (0, "")
    assert out == f"capture\n{tmp_path}/\\xff\\xfe.pcap\n"


def test_text_output_never_loads_pandas(tutorial):
    code = f"""
import sys
from tcptrace_py.views.cli import app
for args in (["-f", "csv"], ["-f", "ndjson", "-t", "timeline"], ["-f", "json", "-t", "states,events"], []):
    app(["analyze", "-q", {str(tutorial)!r}, *args], standalone_mode=False)
    print("pandas" in sys.modules, file=sys.stderr)
"""
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stderr == "False\n" * 4


def test_printed_text_has_no_link_type(tmp_path):
    line = "12:00:00.000001 IP 10.0.0.1.5 > 10.0.0.2.80: Flags [S], seq 1, win 5, length 0\n"
    (tmp_path / "x.txt").write_text(line)
    code, text, _ = tcpflows("analyze", "-q", tmp_path / "x.txt")
    assert (code, text.splitlines()[0]) == (0, f"{tmp_path}/x.txt  tcpdump text")
