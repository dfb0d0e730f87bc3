"""Real kernels' traffic: what the network did to it is known, and how the applications closed it."""

from __future__ import annotations

from collections import Counter
from pathlib import Path

import pytest

import tcptrace_py as tt
from tests import seg

FIXTURES = Path(__file__).parent.parent / "fixtures"
TW_C, TW_S, BOTH_TW = ("TIME_WAIT", "CLOSED"), ("CLOSED", "TIME_WAIT"), ("TIME_WAIT", "TIME_WAIT")
GONE = ("CLOSED", "CLOSED")
RESENT = ["retransmission", "hs_syn_retx"]

STORIES = {
    "duplicates": [("three_way", "four_way", GONE, ["duplicate_packet", "rst_after_fin", "tw_assassination"])],
    "fast_open": [
        ("three_way", "four_way", TW_C, ["hs_tfo_cookie_req"]),
        ("fast_open", "four_way", TW_C, ["hs_tfo_used"]),
    ],
    "fin_lost": [("three_way", "four_way", TW_C, ["retransmission", "timeout_retransmission", "td_fin_retx"])],
    "four_way": [("three_way", "four_way", TW_C, [])],
    "half_close": [("three_way", "half_close", TW_C, [])],
    "ipv6": [("three_way", "four_way", TW_C, [])],
    "keep_alive": [("three_way", "four_way", TW_C, ["keep_alive", "keep_alive_ack"])],
    "last_ack_lost": [
        (
            "three_way",
            "four_way",
            TW_C,
            ["retransmission", "spurious_retransmission", "td_fin_retx", "td_last_ack_retx"],
        )
    ],
    "loopback": [("three_way", "four_way", TW_C, [])],
    "mid_stream": [("not_seen", "four_way", TW_C, ["cap_midstream"])],
    "no_answer": [("no_answer", "open", ("SYN_SENT", "LISTEN"), [*RESENT, "hs_no_answer"])],
    "port_reuse": [
        ("three_way", "three_segment", TW_S, []),
        ("three_way", "three_segment", TW_S, ["reused_port", "tw_reuse_ok"]),
        ("three_way", "three_segment", TW_S, ["reused_port", "tw_reuse_ok"]),
    ],
    "refused": [("refused", "refused", GONE, ["hs_refused"])],
    "reset_abort": [("three_way", "abort", GONE, ["rst_abort"])],
    "reset_after_fin": [("three_way", "reset_after_fin", GONE, ["rst_after_fin", "td_data_after_close"])],
    "reset_unread": [("three_way", "abort", GONE, ["rst_abort"])],
    "simultaneous_close": [("three_way", "simultaneous", BOTH_TW, [])],
    "simultaneous_open": [("simultaneous_open", "four_way", TW_C, ["hs_simultaneous_open"])],
    "syn_lost": [("three_way", "four_way", TW_C, RESENT)],
    "synack_lost": [("three_way", "four_way", TW_C, [*RESENT, "spurious_retransmission", "hs_synack_retx"])],
    "three_segment": [("three_way", "three_segment", TW_C, [])],
}
"""Capture -> handshake, teardown, last states and findings of each of its connections."""

BULK = {
    "loss_bulk": {"retransmissions": 3, "out_of_order": 0, "resent_octets": 0, "missing_octets": 0},
    "loss_bulk_sender": {"retransmissions": 4, "out_of_order": 0, "resent_octets": 4 * 1448, "missing_octets": 0},
    "reorder_bulk": {"retransmissions": 2, "out_of_order": 4, "resent_octets": 2 * 1448, "missing_octets": 0},
}
"""120 kB from the server: as many resends as the path lost, and as many late segments as it held back.

After a reordering the kernel itself resent two segments that had arrived.
"""


def analysed(name: str) -> tt.Trace:
    return tt.analyze(FIXTURES / f"{name}.pcap")


@pytest.mark.parametrize("name", STORIES)
def test_story(name):
    got = [
        (r["handshake"], r["teardown"], (r["client_state"], r["server_state"]), sorted(r["findings"]))
        for r in (conn.record for conn in analysed(name))
    ]
    assert got == [(opened, closed, states, sorted(found)) for opened, closed, states, found in STORIES[name]]


@pytest.mark.parametrize("name", BULK)
def test_bulk_counts_what_the_path_did(name):
    record = analysed(name)[0].record
    assert record["s2c_unique_octets"] == 120_000
    assert {key: record[f"s2c_{key}"] for key in BULK[name]} == BULK[name]
    assert record["s2c_octets"] == record["s2c_unique_octets"] + record["s2c_resent_octets"]


def test_zero_window_is_probed_and_opens_again():
    found = Counter(label for row in analysed("zero_window")[0].rows() for label in row["anomalies"])
    assert found["zero_window"] == 2
    assert found["zero_window_probe"] == 2
    assert found["zero_window_probe_ack"] == 1
    assert found["window_update"] == 1
    assert found["keep_alive"] == found["duplicate_ack"] == 0


def test_four_way_is_as_the_readme_shows_it():
    record = analysed("four_way")[0].record
    assert (record["client_ip"], record["server_ip"], record["server_port"]) == ("10.9.0.1", "10.9.0.2", 80)
    steps = [step for row in analysed("four_way")[0].rows() for step in row["steps"]]
    assert steps == [f"handshake_{n}" for n in (1, 2, 3)] + [f"teardown_{n}" for n in (1, 2, 3, 4)]


def test_half_close_counts_what_came_after_the_fin():
    record = analysed("half_close")[0].record
    assert record["half_close_octets"] == 3 * len("message 0\n")
    assert record["half_close_ns"] > 100_000_000


@pytest.mark.parametrize("name", [*STORIES, *BULK, "zero_window"])
def test_every_fixture_is_small(name):
    assert (FIXTURES / f"{name}.pcap").stat().st_size < 20_000


def test_every_fixture_has_a_story_here_and_a_line_in_the_readme():
    names = {path.stem for path in FIXTURES.glob("*.pcap")}
    assert names == {*STORIES, *BULK, "zero_window"}
    readme = (FIXTURES / "README.md").read_text()
    assert {name for name in names if f"| {name}.pcap |" not in readme} == set()


@pytest.mark.parametrize(
    "name", [name for name in STORIES if len(STORIES[name]) == 1 and name not in {"loopback", "ipv6"}]
)
def test_written_as_a_scenario_it_says_the_same(name, tmp_path):
    """What `python -m tests.seg` prints is a script that holds; it is written as IPv4 over Ethernet, with its MSS."""
    text = seg.of_connection(analysed(name)[0])
    script = seg.parse(text)
    assert script.segments
    assert seg.differences(script, tt.analyze(seg.write(script, tmp_path / "again.pcap"))) == ""
