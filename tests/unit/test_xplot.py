"""The graphs for xplot, through the command line: one whole file, every line of all, and tcptrace's own points."""

from __future__ import annotations

import re
import shutil
import subprocess
from collections import Counter
from pathlib import Path

import pytest

from tcptrace_py.views.xplot import GRAPHS
from tests.unit.test_cli import tcpflows

pytestmark = pytest.mark.usefixtures("without_advice")

FIXTURES = Path(__file__).resolve().parents[1] / "fixtures"
UNDAMAGED = ["four_way", "half_close", "three_segment", "simultaneous_close"]
COLOURS = {"white", "green", "yellow", "red", "blue", "orange", "magenta", "pink", "purple"}
PLACE = r" \d+\.\d{6} -?\d+(\.\d{3})?"
POINT = re.compile(rf"(dot|diamond|box|utick|dtick|uarrow|darrow|line{PLACE}){PLACE}")
TEXT = re.compile(rf"(atext|ltext){PLACE}")

RTT = """\
timeval double
title
10.9.0.1:36655_==>_10.9.0.2:80 (rtt samples)
xlabel
time
ylabel
rtt (ms)
red
dot 1795386182.006229 10.252
ltext 1795386182.006229 10.252
rtt
dot 1795386182.021639 10.209
line 1795386182.021639 10.209 1795386182.006229 10.252
dot 1795386182.075283 53.569
line 1795386182.075283 53.569 1795386182.021639 10.209
go
"""


def graphs(fixture, folder, conn_id="0"):
    code, out, err = tcpflows("xplot", str(FIXTURES / f"{fixture}.pcap"), conn_id, "-o", str(folder))
    assert (code, err) == (0, "")
    written = [Path(name) for name in out.splitlines()]
    assert sorted(written) == sorted(folder.iterdir())
    return {path.stem: path.read_text() for path in written}


def commands(text):
    """What is drawn in which colour, wherever the colour was named."""
    lines = iter(text.splitlines()[7:])
    colour, found = "", Counter()
    for line in lines:
        *words, last = line.split()
        if not words and last in COLOURS:
            colour = last
        elif last in COLOURS:
            found[(last, *words, next(lines) if "text" in words[0] else "")] += 1
        elif line != "go":
            found[(colour, *words, last, next(lines) if "text" in words[0] else "")] += 1
    return found


def test_a_file_whole(tmp_path):
    files = graphs("four_way", tmp_path / "made" / "anew")
    assert sorted(files) == sorted(f"0_{way}_{kind}" for way in ("c2s", "s2c") for kind in GRAPHS)
    assert files["0_c2s_rtt"] == RTT


@pytest.mark.parametrize("fixture", sorted(path.stem for path in FIXTURES.glob("*.pcap")))
def test_every_line_is_a_command(fixture, tmp_path):
    for text in graphs(fixture, tmp_path).values():
        head, *lines = text.splitlines()
        assert head in {"timeval double", "timeval signed"}
        assert [lines[0], lines[2], lines[4], lines[-1]] == ["title", "xlabel", "ylabel", "go"]
        body = iter(lines[6:-1])
        for line in body:
            if TEXT.fullmatch(line):
                assert next(body)
            else:
                assert line in COLOURS or POINT.fullmatch(line), line


def test_losses_and_windows_are_marked(tmp_path):
    drawn = commands(graphs("loss_bulk_sender", tmp_path)["0_s2c_tsg"])
    assert Counter(key[-1] for key in drawn if key[1] == "atext") == {"R": 4, "SYN": 1, "FIN": 1}
    assert {key[0] for key in drawn if key[-1] == "R"} == {"red"}
    drawn = commands(graphs("zero_window", tmp_path / "zero")["0_c2s_tsg"])
    assert sum(key[-1] == "Z" for key in drawn) == 2


def test_throughput_is_the_mean_of_ten(tmp_path):
    drawn = commands(graphs("loss_bulk", tmp_path)["0_s2c_tput"])
    reds = sorted(key for key in drawn if key[:2] == ("red", "dot"))
    assert (len(reds), reds[0]) == (8, ("red", "dot", "1795386192.831584", "708844", ""))


@pytest.mark.skipif(shutil.which("tcptrace") is None, reason="tcptrace is not installed")
@pytest.mark.parametrize("fixture", UNDAMAGED)
def test_points_are_tcptraces(fixture, tmp_path):
    theirs = tmp_path / "theirs"
    theirs.mkdir()
    subprocess.run(
        ["tcptrace", "-n", "-G", str(FIXTURES / f"{fixture}.pcap")], cwd=theirs, capture_output=True, check=True
    )
    mine = graphs(fixture, tmp_path / "mine")
    for ours, told in (("c2s", "a2b"), ("s2c", "b2a")):
        for kind in ("tsg", "tput", "ssize"):
            drawn, wanted = commands(mine[f"0_{ours}_{kind}"]), commands((theirs / f"{told}_{kind}.xpl").read_text())
            unlike = Counter(key[:2] for key in (drawn - wanted) + (wanted - drawn) if key[1] != "ltext")
            assert unlike <= Counter([("green", "dot")])  # a mark of tcptrace's at its first packet
        told_rtt = (theirs / f"{told}_rtt.xpl").read_text()
        assert dots(mine[f"0_{ours}_rtt"]) == dots(told_rtt)
        flights = dots(mine[f"0_{ours}_owin"])
        told_flights = dots((theirs / f"{told}_owin.xpl").read_text())
        assert all(flights[time] - told_flights[time] in {0, -1} for time in told_flights)  # it counts one too many


def dots(text):
    """Time -> whole number at it, of the red dots."""
    return {key[2]: int(float(key[3])) for key in commands(text) if key[:2] == ("red", "dot")}


def test_errors(tmp_path):
    capture = str(FIXTURES / "four_way.pcap")
    assert tcpflows("xplot", capture, "1", "-o", str(tmp_path)) == (
        2,
        "",
        f"tcpflows: {capture}: no connection 1; the capture has 1 connection\n",
    )
    (tmp_path / "file").write_text("")
    code, out, err = tcpflows("xplot", capture, "0", "-o", str(tmp_path / "file"))
    assert (code, out, err) == (5, "", f"tcpflows: cannot write {tmp_path / 'file'}: File exists\n")


def test_printed_text_without_times_has_no_graph(tmp_path):
    (tmp_path / "printed.txt").write_text("IP 10.0.0.1.4000 > 10.0.0.2.80: Flags [S], seq 5, win 8192, length 0\n" * 3)
    code, out, err = tcpflows("xplot", str(tmp_path / "printed.txt"), "0", "-o", str(tmp_path / "made"))
    assert (code, out, (tmp_path / "made").exists()) == (2, "", False)
    assert "connection 0 has no segment with a time: there is nothing to draw" in err
