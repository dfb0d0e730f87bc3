"""tcpdump's printed text of every probe gives the steps and states of the capture itself."""

from __future__ import annotations

import shutil
import subprocess

import pytest

import tcptrace_py as tt
from tests.corpus import CORPUS, needs

TCPDUMP = shutil.which("tcpdump")
pytestmark = [*needs("probes"), pytest.mark.skipif(TCPDUMP is None, reason="tcpdump is not installed")]
PROBES = CORPUS / "probes"
UNREADABLE = {"mixlt.pcapng", "multi.pcapng"}  # tcpdump refuses a second link type or clock
NOT_PRINTED = {"enc_gtpu.pcap", "enc_iplen0.pcap"}  # as "UDP, length 48" and "IP bad-len 0"
INTACT = sorted({path.name for path in PROBES.glob("*.pcap*")} - UNREADABLE - NOT_PRINTED)
UNSEEN_SYN = {"mid.pcap", "onesided.pcap"}  # relative numbers have no base there


def steps_and_states(source):
    trace = tt.analyze(source, tables=["connections", "timeline"])
    rows = trace.timeline
    return [
        (row.conn_id, row.direction, list(row.steps), row.client_state, row.server_state) for row in rows.itertuples()
    ], [(c.handshake, c.teardown, c.client_state, c.server_state) for c in trace.connections.itertuples()]


def printed(name, tmp_path, *options):
    text = tmp_path / "printed.txt"
    run = subprocess.run([TCPDUMP, "-r", PROBES / name, *options], capture_output=True, check=True)
    text.write_bytes(run.stdout)
    return text


@pytest.mark.parametrize("name", INTACT)
def test_absolute_numbers_with_dates(name, tmp_path):
    text = printed(name, tmp_path, "-nn", "-S", "-tttt")
    if not text.read_bytes():
        assert tt.analyze(PROBES / name).summary.packets == 0
        return
    assert steps_and_states(text) == steps_and_states(PROBES / name)


@pytest.mark.parametrize("name", [name for name in INTACT if name not in UNSEEN_SYN])
def test_relative_numbers(name, tmp_path):
    text = printed(name, tmp_path, "-nn")
    if text.read_bytes():
        assert steps_and_states(text) == steps_and_states(PROBES / name)


def test_the_example_of_the_tutorial(tmp_path):
    text = tmp_path / "tutorial.txt"
    text.write_text(
        "IP 192.168.1.116.3337 > 192.168.1.123.7788: S 3626544836:3626544836\n"
        "IP 192.168.1.123.7788 > 192.168.1.116.3337: S 1739326486:1739326486 ack 3626544837\n"
        "IP 192.168.1.116.3337 > 192.168.1.123.7788: ack 1739326487,ack 1\n"
    )
    trace = tt.analyze(text, tables=["connections", "timeline"])
    (conn,) = trace.connections.itertuples()
    assert (conn.client_ip, conn.client_port) == ("192.168.1.116", 3337)
    assert (conn.client_state, conn.server_state) == ("ESTABLISHED", "ESTABLISHED")
    assert [list(steps) for steps in trace.timeline.steps] == [["handshake_1"], ["handshake_2"], ["handshake_3"]]
    assert [list(ok) for ok in trace.timeline.steps_ok] == [[True], [True], [True]]
