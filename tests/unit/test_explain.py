"""``tcpflows explain`` on real captures: which connections it tells, in which language, what it refuses."""

import os
import subprocess
import sys
from pathlib import Path

import pytest
from typer.testing import CliRunner

import tcptrace_py as tt
from tcptrace_py.errors import UsageError
from tcptrace_py.views.cli import app
from tests import packets

FIXTURES = Path(__file__).parent.parent / "fixtures"
CAPTURE = str(FIXTURES / "port_reuse.pcap")

pytestmark = pytest.mark.usefixtures("without_advice")


def explain(*args):
    done = CliRunner().invoke(app, ["explain", *args], prog_name="tcpflows", env={"COLUMNS": "100"})
    return done.exit_code, done.stdout, done.stderr


@pytest.mark.parametrize("lang", ["en", "zh"])
def test_the_command_and_python_tell_the_same(lang):
    assert explain(CAPTURE, "1", "--lang", lang) == (0, tt.analyze(CAPTURE)[1].explain(lang), "")


def headings(text):
    return [line for line in text.splitlines() if line.startswith(("TCP in short", "Connection "))]


def test_few_connections_are_all_told_after_what_tcp_is():
    code, text, _ = explain(CAPTURE)
    assert code == 0
    assert headings(text) == [
        "TCP in short",
        *(f"Connection {number}: 10.9.0.1:40000 and 10.9.0.2:80" for number in range(3)),
    ]
    assert f"  3 connections were found in {CAPTURE}.\n" in text


def test_of_many_connections_the_worst_is_told(tmp_path):
    refused = [
        packets.ipv4(packets.tcp(packets.SYN, seq=1, sport=1000 + number), packets.CLIENT, packets.SERVER)
        for number in range(4)
    ]
    answer = packets.tcp(packets.RST | packets.ACK, seq=0, ack=2, sport=80, dport=1002)
    refused.append(packets.ipv4(answer, packets.SERVER, packets.CLIENT))
    path = packets.write_pcap(tmp_path / "many.pcap", refused, 101)
    code, text, _ = explain(str(path))
    worst = tt.analyze(path).summary.worst[0]["conn_id"]
    assert code == 0
    assert len(headings(text)) == 2
    assert headings(text)[1].startswith(f"Connection {worst}: ")
    assert "The one whose findings weigh most is told here" in " ".join(text.split())


def test_a_capture_without_connections(tmp_path):
    path = packets.write_pcap(tmp_path / "none.pcap", [], 101)
    code, text, _ = explain(str(path))
    assert code == 0
    assert "  0 connections were found in" in text


def test_a_pipe_is_told_as_well():
    command = [sys.executable, "-m", "tcptrace_py", "explain", "-q", "-", "0"]
    data = (FIXTURES / "four_way.pcap").read_bytes()
    done = subprocess.run(command, input=data, capture_output=True, check=True, env=os.environ | {"COLUMNS": "100"})
    assert done.stdout.decode() == tt.analyze(FIXTURES / "four_way.pcap")[0].explain()


@pytest.mark.parametrize(
    ("args", "code", "message"),
    [
        ([CAPTURE, "--lang", "xx"], 2, "there is no language 'xx'; there are en, zh"),
        ([CAPTURE, "--lang", "../zh"], 2, "there is no language '../zh'; there are en, zh"),
        ([CAPTURE, "7"], 2, f"{CAPTURE}: no connection 7; the capture has 3 connections, 0 to 2"),
        (["no.pcap"], 4, "no.pcap: no such file"),
    ],
)
def test_what_is_refused(args, code, message):
    assert explain(*args) == (code, "", f"tcpflows: {message}\n")


def test_a_language_that_is_not_there_is_refused_in_python():
    with pytest.raises(UsageError, match="there is no language 'fr'; there are en, zh"):
        tt.analyze(CAPTURE)[0].explain("fr")


def test_without_unicode_the_marks_are_words():
    command = [sys.executable, "-m", "tcptrace_py", "explain", "-q", CAPTURE, "0"]
    done = subprocess.run(command, env=os.environ | {"PYTHONIOENCODING": "ascii"}, capture_output=True, check=True)
    assert "\n  Step 1 ok, frame 1 (RFC 9293 section 3.5)\n" in done.stdout.decode("ascii")


def test_no_pandas_is_needed():
    program = (
        "import sys; from tcptrace_py.views.cli import app\ntry:\n    app(sys.argv[1:])\nexcept SystemExit:\n    pass\n"
    )
    program += "print('pandas' in sys.modules)"
    done = subprocess.run([sys.executable, "-c", program, "explain", CAPTURE, "0"], capture_output=True, check=True)
    assert done.stdout.decode().splitlines()[-1] == "False"
