"""Every disagreement with the installed tshark over all reference captures falls under a named rule."""

from __future__ import annotations

import json
import re
import subprocess
from collections import Counter

import pytest

from tcptrace_py.comparison import compared
from tcptrace_py.peers.programs import installed
from tcptrace_py.peers.rules import RULES
from tests.corpus import CORPUS, needs, slow_interpreted

pytestmark = [
    *needs("captures"),
    slow_interpreted,
    pytest.mark.skipif(not installed("tshark"), reason="tshark is not installed"),
]
CAPTURES = CORPUS / "captures"

SEEN = {  # with tshark 4.0; a number that changes is read, frame by frame, before it is changed here
    "impossible_header": 6,
    "length_by_ip": 30,
    "number_after_another_length": 2,
    "other_network": 124,
    "attempt_after_refusal": 16,
    "split_handshake": 3,
    "syn_ack_other_base": 11,
    "offload_checksum": 2_622,
    "checksum_of_a_whole_side": 13_764,
    "checksum_not_verified": 21,
    "checksum_right_over_ip_length": 12,
    "copy": 252,
    "damaged": 98,
    "number_of_a_segment_set_aside": 3,
    "acked_octets_set_aside": 10,
    "number_before_the_syn": 18,
    "numbers_go_round": 17,
    "numbers_below_the_syn": 3,
    "highest_ack_counts": 2,
    "second_syn_ack": 1,
    "octets_seen_before": 14,
    "sent_after_its_neighbours": 142,
    "late_not_resent": 24,
    "ambiguous": 15,
    "answered_first": 4,
    "spurious_by_later_evidence": 28,
    "spurious_syn_or_fin": 4,
    "fast_by_feedback": 128,
    "two_duplicate_acks": 1,
    "gap_filled_late": 10,
    "gap_acknowledged_before": 7,
    "first_of_its_side": 1,
    "acked_octets_captured": 26,
    "acked_in_another_order": 13,
    "unseen_told_once": 53,
    "ack_of_a_reset": 1,
    "ack_before_the_handshake": 2,
    "ack_far_off": 1,
    "nothing_outstanding": 50,
    "last_ack_again": 3,
    "sack_with_another_window": 52,
    "window_not_grown": 1,
    "keep_alive_known_by_its_ack": 6,
    "answer_to_our_keep_alive": 6,
    "question_and_answer": 1,
    "answer_beyond_a_gap": 1,
    "ack_behind_a_fin": 1,
    "answer_to_no_keep_alive": 1,
    "rtt_of_an_answer": 56,
    "rtt_of_a_reset": 21,
    "rtt_backwards": 4,
    "rtt_of_nothing_new": 34,
    "rtt_of_octets_set_aside": 11,
    "rtt_zero": 200,
    "rtt_of_a_cut_segment": 3,
    "rtt_within_a_segment": 164,
    "rtt_of_a_resend": 77,
    "rtt_of_the_filler": 9,
    "rtt_after_a_late_syn": 2,
}
ELSEWHERE = {
    "sack_is_no_update",
    "octet_again",
    "earlier_one_forgotten",
    "another_syn_ack",
    "unacceptable_syn_ack",
    "late_ack",
    "late_ack_between",
    "answer_to_a_syn_again",
    "probe_by_the_window",
    "answer_to_our_probe",
    "ack_beside_the_next_number",
}
"""Rules for what these captures do not hold."""
CUT_BY_TSHARK = {
    "suricata-verify__http-mime-truncated__input.pcap": "cut short in the middle of a packet",
    "suricata-verify__smtp-to-comma__10.7.29.101_49898-178.63.41.150_25.pcap": "damaged or corrupt",
}
"""Captures that tshark reads in part, and its word on that."""


@pytest.fixture(scope="module")
def disagreements():
    """Capture -> what came of the comparison; tshark runs once over each, about a minute in all."""
    names = [m["name"] for m in map(json.loads, (CAPTURES / "MANIFEST.jsonl").read_text().splitlines())]
    return {name: compared(CAPTURES / name, tools=["tshark"], timeout_s=60) for name in names}


def test_every_capture_was_compared(disagreements):
    assert len(disagreements) == 156
    told = {name: done.stopped["tshark"] for name, done in disagreements.items() if done.stopped}
    assert told.keys() == CUT_BY_TSHARK.keys()
    assert all(why in told[name] for name, why in CUT_BY_TSHARK.items())
    assert all("tshark" in done.rows for done in disagreements.values())


def test_every_disagreement_has_a_rule(disagreements):
    without = [
        (name, row["frame"], row["label"], row["ours"], row["theirs"])
        for name, done in disagreements.items()
        for row in done.rows["tshark"]
        if row["rule"] is None
    ]
    assert without == []


def test_no_rule_swallows_more_than_was_seen(disagreements):
    version = subprocess.run(["tshark", "--version"], capture_output=True, text=True, check=True).stdout
    if not re.search(r"\b4\.0\.", version):
        pytest.skip("the numbers are of tshark 4.0")
    counted = Counter(row["rule"] for done in disagreements.values() for row in done.rows["tshark"])
    assert dict(counted) == SEEN
    assert {rule.name for rule in RULES} - SEEN.keys() == ELSEWHERE
