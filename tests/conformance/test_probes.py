"""Hand-made captures with known answers: shapes, steps, end states and findings of every probe."""

from __future__ import annotations

import json

import pytest

import tcptrace_py as tt
from tests.corpus import CORPUS, needs

pytestmark = needs("probes")
PROBES = CORPUS / "probes"
EXPECT = json.loads((PROBES / "EXPECT.json").read_text()) if PROBES.is_dir() else {}

CODES = {
    "ACK_DUP": "duplicate_ack",
    "CAP_DUP": "duplicate_packet",
    "SEQ_GAP": "previous_segment_lost",
    "SEQ_RETX_ORIG_UNSEEN": "original_not_captured",
    "SEQ_RETX_SPURIOUS": "spurious_retransmission",
    "WIN_PROBE": "zero_window_probe",
    "WIN_ZERO": "zero_window",
}
ACCUSING = {
    "duplicate_ack",
    "duplicate_packet",
    "original_not_captured",
    "out_of_order",
    "previous_segment_lost",
    "retransmission",
    "rst_forged",
    "spurious_retransmission",
}
"""What no probe may be accused of unless it is expected."""
IMPLIES = {"original_not_captured": "retransmission", "hs_syn_retx": "retransmission"}
IMPLIES |= {"spurious_retransmission": "retransmission"}


@pytest.mark.parametrize("name", sorted(EXPECT))
def test_probe(name):
    expected = EXPECT[name]
    trace = tt.analyze(PROBES / name, tables=["connections", "timeline", "events"])
    assert trace.summary.packets == expected["packets"]
    found = trace.connections
    assert len(found) == len(expected["connections"])
    for (_, got), want in zip(found.iterrows(), expected["connections"], strict=True):
        assert f"{got.client_ip}:{got.client_port}" == want["client"]
        assert f"{got.server_ip}:{got.server_port}" == want["server"]
        assert (got.handshake, got.teardown) == (want["handshake"], want["teardown"])
        assert {"client": got.client_state, "server": got.server_state} == want["end_states"]
        if "closed_first" in want:
            assert got.closed_first == want["closed_first"]


@pytest.mark.parametrize("name", sorted(EXPECT))
def test_steps_of_probe(name):
    rows = tt.analyze(PROBES / name).timeline
    for conn_id, want in enumerate(EXPECT[name]["connections"]):
        if "steps" in want:
            mine = rows[(rows.conn_id == conn_id) & rows.steps.map(len).astype(bool)]
            assert {str(frame): list(steps) for frame, steps in zip(mine.frame, mine.steps, strict=True)} == want[
                "steps"
            ]


@pytest.mark.parametrize("name", sorted(EXPECT))
def test_findings_of_probe(name):
    want = {CODES.get(code, code.lower()) for code in EXPECT[name]["codes"]}
    findings = set(tt.analyze(PROBES / name).summary.findings)
    assert want <= findings
    allowed = want | {IMPLIES[name] for name in want if name in IMPLIES}
    assert findings & ACCUSING <= allowed


@pytest.mark.parametrize("name", ["span.pcap", "span_1ms_bulk.pcap", "mixlt.pcapng"])
def test_every_second_frame_is_a_copy(name):
    rows = tt.analyze(PROBES / name).timeline
    copies = rows.anomalies.map(lambda labels: "duplicate_packet" in labels)
    assert rows.frame[copies].tolist() == list(range(2, len(rows) + 1, 2))
