"""The `states` table: from when on an endpoint may have been in a state, and which frame proves it.

The three closes are those worked out by hand from the observation model: a send proves at once, a receive only by what
the receiver sends later; a segment that shows that something had not arrived moves the bound.
"""

from __future__ import annotations

from pathlib import Path

import pytest

import tcptrace_py as tt
from tests import seg

FOLDER = Path(__file__).parent.parent / "scenarios"

OPENED = {
    "client": ["SYN_SENT 1 1 2", "ESTABLISHED 2 3 4"],
    "server": ["SYN_RCVD 1 2 3"],
}
CLOSES = {
    "four_way": {
        "client": ["FIN_WAIT_1 4 4 5", "FIN_WAIT_2 5 7 6", "TIME_WAIT 6 7 -"],
        "server": ["ESTABLISHED 3 5 4", "CLOSE_WAIT 4 5 6", "LAST_ACK 6 6 7", "CLOSED 7 - -"],
    },
    "three_segment": {
        "client": ["FIN_WAIT_1 4 4 5", "TIME_WAIT 5 6 -"],
        "server": ["ESTABLISHED 3 5 4", "CLOSE_WAIT 4 5 5", "LAST_ACK 5 5 6", "CLOSED 6 - -"],
    },
    "simultaneous": {
        "client": ["FIN_WAIT_1 4 4 5", "CLOSING 5 6 7", "TIME_WAIT 7 - -"],
        "server": ["ESTABLISHED 3 5 5", "FIN_WAIT_1 5 5 5", "CLOSING 5 7 6", "TIME_WAIT 6 - -"],
    },
    "last_ack_missing": {
        "client": ["FIN_WAIT_1 4 4 5", "FIN_WAIT_2 5 - 6", "TIME_WAIT 6 - -"],
        "server": ["ESTABLISHED 3 5 4", "CLOSE_WAIT 4 5 6", "LAST_ACK 6 6 -"],
    },
    "ack_of_fin_lost": {
        "client": ["FIN_WAIT_1 4 4 7", "FIN_WAIT_2 7 9 8", "TIME_WAIT 8 9 -"],
        "server": ["ESTABLISHED 3 5 4", "CLOSE_WAIT 4 5 8", "LAST_ACK 8 8 9", "CLOSED 9 - -"],
    },
}
"""State, frame of the earliest possible entry, frame of the proof, frame of leaving."""


def intervals(name: str, folder: Path) -> dict[str, list[str]]:
    script = seg.parse((FOLDER / f"{name}.seg").read_text())
    table = tt.analyze(seg.write(script, folder / "scenario.pcap")).arrow("states")
    found: dict[str, list[str]] = {"client": [], "server": []}
    for row in table.to_pylist():
        frames = [row[f"{what}_frame"] for what in ("entered", "proved", "left")]
        found[row["endpoint"]].append(" ".join([row["state"], *("-" if n is None else str(n) for n in frames)]))
    return found


@pytest.mark.parametrize("shape", CLOSES)
def test_close(shape, tmp_path):
    assert intervals(f"close/{shape}", tmp_path) == {end: OPENED[end] + CLOSES[shape][end] for end in OPENED}


def test_an_ack_that_was_lost_moves_the_bound(tmp_path):
    """The SYN-ACK comes again in frame 4: up to then the server was in SYN-RECEIVED, whatever had passed here."""
    found = intervals("open/ack_of_handshake_lost", tmp_path)
    assert found["server"] == ["SYN_RCVD 1 2 5", "ESTABLISHED 5 6 -"]


def test_a_reset_that_was_ignored_leaves_no_trace(tmp_path):
    found = intervals("reset/ignored", tmp_path)
    assert found == {
        "client": ["SYN_SENT 1 1 2", "ESTABLISHED 2 3 -"],
        "server": ["SYN_RCVD 1 2 3", "ESTABLISHED 3 5 -"],
    }


def test_times_stand_beside_their_frames(tmp_path):
    script = seg.parse((FOLDER / "close/four_way.seg").read_text())
    trace = tt.analyze(seg.write(script, tmp_path / "scenario.pcap"))
    times = {row["frame"]: row["time"] for row in trace.timeline.to_dict("records")}
    states = trace.states
    for what in ("entered", "proved", "left"):
        known = states[states[f"{what}_frame"].notna()]
        assert [times[frame] for frame in known[f"{what}_frame"]] == list(known[f"{what}_time"])
