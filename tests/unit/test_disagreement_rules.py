"""Every rule for a disagreement with tshark: a case that it explains, and one that misses its condition by little."""

from __future__ import annotations

from dataclasses import replace

import pytest

from tcptrace_py.peers.evidence import COMPARED, Case, Mine, Side, Way
from tcptrace_py.peers.programs import Told
from tcptrace_py.peers.rules import ANY, RULES, rule_of

FIN, SYN, RST, ACK = 1, 2, 4, 16
MS = 1_000_000
RULE = {rule.name: rule for rule in RULES}


def mine(found=(), why=None, **row):
    """A row of ours: c2s, 10 octets at 100, which is next."""
    usual = {
        "frame": 10,
        "conn_id": 0,
        "direction": "c2s",
        "flags_raw": ACK,
        "rel_seq": 100,
        "rel_ack": 50,
        "payload_bytes": 10,
        "window": 1000,
        "time": 500 * MS,
        "rtt_ns": None,
        "rtt_ambiguous": None,
        "marks": [],
    }
    reasons = dict.fromkeys(found, (None, None, "")) | {name: (basis, 1, "") for name, basis in (why or {}).items()}
    return Mine(usual | row, frozenset(found) | frozenset(why or {}), reasons)


def told(*labels, **header):
    """What tshark has of the same segment; its numbers begin at 1000 and 2000."""
    usual = {
        "frame": 10,
        "time_ns": 500 * MS,
        "source": ("a", "1"),
        "stream": 0,
        "flags": ACK,
        "seq": 1100,
        "ack": 2050,
    }
    return Told(**(usual | {"length": 10, "window": 1000} | header), labels=frozenset(labels))


def case(label, ours=False, **sides):
    """A difference in a segment about which nothing is out of the ordinary, but for `sides`."""
    usual = {
        "mine": mine(),
        "told": told(),
        "me": Side(
            next=1100, mover=mine(frame=8), moved_by=told(frame=8), last=mine(frame=8), told=told(frame=8, seq=1090)
        ),
        "peer": Side(
            next=2050, mover=mine(frame=9), last=mine(frame=9), told=told(frame=9, seq=2050, ack=1100, time_ns=490 * MS)
        ),
        "way": Way(top=100, una=100, window=1000, good_sums=True),
        "back": Way(top=50, una=50, ends=dict.fromkeys([50], 0)),
        "shared": "",
    }
    return Case(label, ours, **(usual | sides))


def side(**changes):
    return replace(case("ack_rtt").me, **changes)


def peer(**changes):
    return replace(case("ack_rtt").peer, **changes)


def row(number, end, *found, **values):
    return mine(found, frame=number, rel_seq=end - 10, **values)


RST_MOVED = {"mover": mine(flags_raw=RST | ACK, frame=7), "next": 1200}
SYN_ACK = SYN | ACK
# name: label, ours, what the rule explains, what it must not (the same but for a detail)
STORIES = {
    "impossible_header": ("segment", False, {"told": told(whole=False)}, {"told": told()}),
    "length_by_ip": ("retransmission", True, {"told": told(length=4)}, {"told": told(length=10)}),
    "number_after_another_length": (
        "lost_segment",
        False,
        {"me": side(next=1090, moved_by=told(length=2))},
        {"me": side(next=1090, moved_by=told(length=10))},
    ),
    "other_network": ("retransmission", False, {"shared": "networks"}, {"shared": ""}),
    "attempt_after_refusal": ("retransmission", False, {"shared": "attempts"}, {"shared": ""}),
    "split_handshake": ("stream", True, {"shared": "streams"}, {"shared": ""}),
    "syn_ack_other_base": (
        "reused_ports",
        False,
        {"told": told(flags=SYN_ACK, seq=5000)},
        {"told": told(flags=SYN, seq=5000)},
    ),
    "earlier_one_forgotten": (
        "reused_ports",
        False,
        {"told": told(flags=SYN), "way": Way(rows=[mine(frame=10)]), "back": Way(rows=[mine(frame=11)])},
        {"told": told(flags=SYN), "way": Way(rows=[mine(frame=10)]), "back": Way(rows=[mine(frame=9)])},
    ),
    "another_syn_ack": (
        "lost_segment",
        False,
        {"told": told(flags=SYN_ACK), "me": side(next=1050, mover=mine(["hs_synack_bad_ack"]))},
        {"told": told(flags=SYN_ACK), "me": side(next=1050, mover=mine(["mss_clamped"]))},
    ),
    "offload_checksum": (
        "bad_checksum",
        False,
        {"mine": mine(marks=["checksum_offload"])},
        {"mine": mine(marks=["cap_offload", "checksum_bad"])},
    ),
    "checksum_of_a_whole_side": (
        "bad_checksum",
        False,
        {"mine": mine(marks=["checksum_bad"]), "way": Way(top=100)},
        {"mine": mine(marks=["checksum_bad"]), "way": Way(top=100, good_sums=True)},
    ),
    "checksum_not_verified": (
        "bad_checksum",
        False,
        {"mine": mine(marks=["cut"])},
        {"mine": mine(marks=["cut", "checksum_bad"])},
    ),
    "checksum_right_over_ip_length": (
        "bad_checksum",
        False,
        {"mine": mine(marks=["after_gap"])},
        {"mine": mine(marks=["length_from_frame"])},
    ),
    "copy": ("duplicate_ack", False, {"mine": mine(["duplicate_packet"])}, {"mine": mine(["duplicate_ack"])}),
    "damaged": ("retransmission", False, {"mine": mine(["bad_checksum"])}, {"mine": mine(["cap_offload"])}),
    "number_of_a_segment_set_aside": (
        "retransmission",
        False,
        {"me": side(**RST_MOVED)},
        {"me": side(next=1200, mover=mine(frame=7))},
    ),
    "acked_octets_set_aside": (
        "ack_lost_segment",
        True,
        {"peer": peer(aside=[(2040, 2050)])},
        {"peer": peer(aside=[(2040, 2049)])},
    ),
    "number_before_the_syn": (
        "retransmission",
        False,
        {"me": side(next=9000), "way": Way(rows=[mine(flags_raw=SYN, frame=9)], top=101)},
        {"me": side(next=9000), "way": Way(rows=[mine(flags_raw=SYN, frame=7)], top=101)},
    ),
    "numbers_go_round": (
        "lost_segment",
        False,
        {"me": side(next=1090), "way": Way(rows=[mine(rel_seq=1 << 30)], top=1 << 30, una=0)},
        {"me": side(next=1090), "way": Way(rows=[mine(rel_seq=1 << 29)], top=1 << 29, una=0)},
    ),
    "numbers_below_the_syn": (
        "spurious_retransmission",
        True,
        {"mine": mine(rel_seq=-1)},
        {"mine": mine(rel_seq=0)},
    ),
    "highest_ack_counts": (
        "spurious_retransmission",
        True,
        {"mine": mine(why={"spurious_retransmission": "acknowledged"}), "way": Way(top=110, una=110)},
        {"mine": mine(why={"spurious_retransmission": "acknowledged"}), "way": Way(top=110, una=109)},
    ),
    "second_syn_ack": (
        "retransmission",
        False,
        {
            "told": told(flags=SYN_ACK, length=0),
            "mine": mine(payload_bytes=0),
            "me": side(told=told(flags=SYN, seq=1100)),
        },
        {
            "told": told(flags=SYN_ACK, length=0),
            "mine": mine(payload_bytes=0),
            "me": side(told=told(flags=SYN_ACK, seq=1100)),
        },
    ),
    "octets_seen_before": (
        "out_of_order",
        False,
        {"mine": mine(why={"retransmission": "octets"}), "told": told("out_of_order")},
        {"mine": mine(why={"retransmission": "octets"}), "told": told("lost_segment")},
    ),
    "sent_after_its_neighbours": (
        "retransmission",
        True,
        {"mine": mine(why={"original_not_captured": "ip_id"}), "told": told("out_of_order")},
        {"mine": mine(why={"original_not_captured": None}), "told": told("out_of_order")},
    ),
    "late_not_resent": (
        "out_of_order",
        True,
        {"mine": mine(why={"out_of_order": "tsval"}), "told": told("retransmission")},
        {"mine": mine(why={"out_of_order": "tsval"}), "told": told("duplicate_ack")},
    ),
    "ambiguous": ("retransmission", False, {"mine": mine(["ambiguous"])}, {"mine": mine(["retransmission"])}),
    "answered_first": (
        "retransmission",
        False,
        {"peer": peer(told=told(ack=1110))},
        {"peer": peer(told=told(ack=1109))},
    ),
    "spurious_by_later_evidence": (
        "spurious_retransmission",
        True,
        {"mine": mine(why={"spurious_retransmission": "dsack"})},
        {"mine": mine(why={"spurious_retransmission": "octets"})},
    ),
    "spurious_syn_or_fin": (
        "spurious_retransmission",
        True,
        {
            "mine": mine(why={"spurious_retransmission": "acknowledged"}, payload_bytes=0),
            "told": told(flags=FIN | ACK, length=0),
        },
        {"mine": mine(why={"spurious_retransmission": "acknowledged"}, payload_bytes=0), "told": told(length=0)},
    ),
    "fast_by_feedback": (
        "fast_retransmission",
        True,
        {"mine": mine(why={"fast_retransmission": "sack"}), "peer": peer(dup_acks=1)},
        {"mine": mine(why={"fast_retransmission": "sack"}), "peer": peer(dup_acks=2)},
    ),
    "two_duplicate_acks": (
        "fast_retransmission",
        False,
        {
            "mine": mine(["retransmission"]),
            "back": Way(rows=[mine(["duplicate_ack"], rel_ack=100, frame=n) for n in (5, 6, 11)]),
        },
        {
            "mine": mine(["retransmission"]),
            "back": Way(rows=[mine(["duplicate_ack"], rel_ack=100, frame=n) for n in (5, 6, 7)]),
        },
    ),
    "gap_filled_late": (
        "lost_segment",
        False,
        {"way": Way(rows=[row(11, 90, "out_of_order"), row(12, 100, "out_of_order")], top=80)},
        {"way": Way(rows=[row(11, 90, "out_of_order"), row(12, 100, "retransmission")], top=80)},
    ),
    "gap_acknowledged_before": (
        "lost_segment",
        False,
        {"way": Way(top=80, una=100)},
        {"way": Way(top=80, una=99)},
    ),
    "first_of_its_side": (
        "lost_segment",
        True,
        {"me": Side(), "way": Way(una=99)},
        {"me": Side(), "way": Way(una=100)},
    ),
    "acked_octets_captured": ("ack_lost_segment", False, {"back": Way(top=50)}, {"back": Way(top=49)}),
    "acked_in_another_order": (
        "ack_lost_segment",
        False,
        {"back": Way(top=40, una=40, rows=[row(11, 50, time=501 * MS)])},
        {"back": Way(top=40, una=40, rows=[row(11, 50, time=501 * MS + 1)])},
    ),
    "unseen_told_once": (
        "ack_lost_segment",
        True,
        {"me": side(unseen=True), "peer": peer(next=2049)},
        {"me": side(unseen=False), "peer": peer(next=2049)},
    ),
    "unacceptable_syn_ack": (
        "ack_lost_segment",
        False,
        {"mine": mine(["hs_synack_bad_ack"]), "back": Way(top=9)},
        {"mine": mine(["hs_synack_retx"]), "back": Way(top=9)},
    ),
    "ack_of_a_reset": (
        "ack_lost_segment",
        False,
        {"told": told(flags=RST | ACK), "back": Way(top=9)},
        {"told": told(flags=FIN | ACK), "back": Way(top=9)},
    ),
    "ack_before_the_handshake": (
        "ack_lost_segment",
        False,
        {"me": Side(), "back": Way(rows=[mine(flags_raw=SYN)], top=1)},
        {"me": side(), "back": Way(rows=[mine(flags_raw=SYN)], top=1)},
    ),
    "ack_far_off": (
        "ack_lost_segment",
        False,
        {"mine": mine(rel_ack=(1 << 30) + 50)},
        {"mine": mine(rel_ack=(1 << 30) + 49)},
    ),
    "nothing_outstanding": ("duplicate_ack", False, {"back": Way(top=50, una=50)}, {"back": Way(top=51, una=50)}),
    "late_ack": (
        "duplicate_ack",
        False,
        {"back": Way(top=99, una=51)},
        {"back": Way(top=99, una=50)},
    ),
    "answer_to_a_syn_again": (
        "duplicate_ack",
        False,
        {"back": Way(top=99, una=50), "peer": peer(told=told(flags=SYN_ACK))},
        {"back": Way(top=99, una=50), "peer": peer(told=told(flags=FIN | ACK))},
    ),
    "late_ack_between": (
        "duplicate_ack",
        True,
        {"mine": mine(["duplicate_ack"]), "me": side(told=told(ack=2049))},
        {"mine": mine(["duplicate_ack"]), "me": side(told=told(ack=2050))},
    ),
    "last_ack_again": (
        "duplicate_ack",
        False,
        {"mine": mine(["td_last_ack_retx"])},
        {"mine": mine(["keep_alive"]), "back": Way(top=51, una=50)},
    ),
    "sack_with_another_window": (
        "window_update",
        False,
        {"mine": mine(["duplicate_ack"]), "told": told(sacks=True, window=900)},
        {"mine": mine(["duplicate_ack"]), "told": told(sacks=True, window=1000)},
    ),
    "window_not_grown": ("window_update", False, {"mine": mine(window=999)}, {"mine": mine(window=1001)}),
    "sack_is_no_update": ("window_update", False, {"told": told(sacks=True)}, {"told": told(sacks=False)}),
    "keep_alive_known_by_its_ack": (
        "keep_alive",
        True,
        {"mine": mine(["keep_alive"]), "way": Way(top=100, una=101)},
        {"mine": mine(["keep_alive"]), "way": Way(top=100, una=100)},
    ),
    "answer_to_our_keep_alive": (
        "keep_alive_ack",
        True,
        {"mine": mine(["keep_alive_ack"]), "peer": peer(last=mine(["keep_alive"]))},
        {"mine": mine(["keep_alive_ack"]), "peer": peer(last=mine(["keep_alive"]), told=told("keep_alive"))},
    ),
    "probe_by_the_window": (
        "keep_alive",
        False,
        {"mine": mine(["zero_window_probe"]), "peer": peer(told=told(window=0))},
        {"mine": mine(["zero_window_probe"]), "peer": peer(told=told(window=1))},
    ),
    "answer_to_our_probe": (
        "zero_window_probe_ack",
        True,
        {"mine": mine(["zero_window_probe_ack"]), "peer": peer(last=mine(["zero_window_probe"]))},
        {
            "mine": mine(["zero_window_probe_ack"]),
            "peer": peer(last=mine(["zero_window_probe"]), told=told("zero_window_probe")),
        },
    ),
    "ack_beside_the_next_number": (
        "duplicate_ack",
        True,
        {"me": side(next=1099)},
        {"me": side(next=1100)},
    ),
    "question_and_answer": (
        "keep_alive_ack",
        True,
        {"mine": mine(["keep_alive", "keep_alive_ack"]), "told": told("keep_alive")},
        {"mine": mine(["keep_alive", "keep_alive_ack"]), "told": told("duplicate_ack")},
    ),
    "answer_beyond_a_gap": (
        "keep_alive_ack",
        True,
        {"me": side(next=1099)},
        {"me": side(next=1099), "way": Way(top=99, una=99)},
    ),
    "octet_again": (
        "keep_alive",
        False,
        {
            "mine": mine(why={"retransmission": "octets"}, time=1500 * MS),
            "told": told("keep_alive"),
            "way": Way(top=110, una=110, ends={110: 501 * MS}),
        },
        {
            "mine": mine(why={"retransmission": "octets"}, time=1500 * MS),
            "told": told("keep_alive"),
            "way": Way(top=110, una=110, ends={110: 500 * MS}),
        },
    ),
    "ack_behind_a_fin": (
        "keep_alive",
        False,
        {"told": told(length=0, seq=1099), "mine": mine(payload_bytes=0), "me": side(mover=mine(flags_raw=FIN | ACK))},
        {"told": told(length=0, seq=1098), "mine": mine(payload_bytes=0), "me": side(mover=mine(flags_raw=FIN | ACK))},
    ),
    "answer_to_no_keep_alive": (
        "keep_alive_ack",
        False,
        {"peer": peer(told=told("keep_alive"))},
        {"peer": peer(told=told("keep_alive"), last=mine(["keep_alive"]))},
    ),
    "rtt_of_an_answer": (
        "ack_rtt",
        False,
        {"mine": mine(["keep_alive_ack"])},
        {"mine": mine(["keep_alive"]), "back": Way(top=50, una=49)},
    ),
    "rtt_of_a_reset": (
        "ack_rtt",
        False,
        {"told": told(flags=RST)},
        {"told": told(flags=FIN), "back": Way(top=50, una=49)},
    ),
    "rtt_backwards": (
        "ack_rtt",
        False,
        {"told": told(rtt_ns=-1)},
        {"told": told(rtt_ns=0), "back": Way(top=50, una=49)},
    ),
    "rtt_of_nothing_new": ("ack_rtt", False, {"back": Way(top=50, una=50)}, {"back": Way(top=50, una=49)}),
    "rtt_of_octets_set_aside": (
        "ack_rtt",
        False,
        {"peer": peer(aside=[(2049, 2050)]), "back": Way(top=40, una=40)},
        {"peer": peer(aside=[(2050, 2060)]), "back": Way(top=50, una=49)},
    ),
    "rtt_zero": ("ack_rtt", True, {"mine": mine(rtt_ns=0)}, {"mine": mine(rtt_ns=1)}),
    "rtt_of_a_cut_segment": (
        "ack_rtt",
        True,
        {
            "mine": mine(rtt_ns=MS),
            "back": Way(ends=dict.fromkeys([50], 0), sent={499 * MS: [row(5, 50, marks=["original_length_wrong"])]}),
        },
        {
            "mine": mine(rtt_ns=MS),
            "back": Way(ends=dict.fromkeys([50], 0), sent={499 * MS: [row(5, 50, marks=["cut"])]}),
        },
    ),
    "rtt_within_a_segment": (
        "ack_rtt",
        True,
        {"mine": mine(rtt_ns=5), "back": Way(ends=dict.fromkeys([49, 51], 0))},
        {"mine": mine(rtt_ns=5), "back": Way(ends=dict.fromkeys([50], 0))},
    ),
    "rtt_of_a_resend": (
        "ack_rtt",
        True,
        {
            "mine": mine(rtt_ns=MS),
            "back": Way(ends=dict.fromkeys([50], 0), sent={499 * MS: [row(5, 50, "retransmission")]}),
        },
        {
            "mine": mine(rtt_ns=MS),
            "back": Way(ends=dict.fromkeys([50], 0), sent={498 * MS: [row(5, 50, "retransmission")]}),
        },
    ),
    "rtt_of_the_filler": (
        "ack_rtt",
        True,
        {
            "mine": mine(rtt_ns=MS),
            "told": told(rtt_ns=9 * MS),
            "back": Way(ends=dict.fromkeys([50], 0), sent={499 * MS: [row(5, 30, "out_of_order")]}),
        },
        {
            "mine": mine(rtt_ns=MS),
            "told": told(rtt_ns=9 * MS),
            "back": Way(ends=dict.fromkeys([50], 0), sent={499 * MS: [row(5, 50, "out_of_order", payload_bytes=10)]}),
        },
    ),
    "rtt_after_a_late_syn": (
        "ack_rtt",
        True,
        {"mine": mine(rtt_ns=MS), "me": side(mover=mine(["hs_capture_reorder"]))},
        {"mine": mine(rtt_ns=MS), "me": side(mover=mine(["cap_ts_back"]))},
    ),
}


def test_every_rule_has_its_story():
    assert list(STORIES) == [rule.name for rule in RULES]


@pytest.mark.parametrize("name", STORIES)
def test_a_rule_explains_its_case(name):
    label, ours, hit, _ = STORIES[name]
    assert rule_of(case(label, ours, **hit)).name == name


@pytest.mark.parametrize("name", STORIES)
def test_a_near_miss_is_refused(name):
    label, ours, _, miss = STORIES[name]
    assert not RULE[name].explains(case(label, ours, **miss))


@pytest.mark.parametrize("name", STORIES)
def test_a_rule_does_not_explain_the_label_of_the_other(name):
    rule = RULE[name]
    label, ours, hit, _ = STORIES[name]
    assert rule.explains(case(label, not ours, **hit)) == (
        rule.side == "either" and rule.holds(case(label, not ours, **hit))
    )


BARE = {  # a segment about which nothing is known: only these differences then have a rule, each by its own condition
    ("bad_checksum", False): "checksum_right_over_ip_length",
    ("ack_lost_segment", False): "acked_octets_captured",
    ("duplicate_ack", False): "nothing_outstanding",
    ("ack_rtt", False): "rtt_of_nothing_new",
}


@pytest.mark.parametrize("ours", [True, False])
@pytest.mark.parametrize("label", [*dict.fromkeys([*COMPARED, *ANY, "length", "stream", "segment"])])
def test_what_nothing_explains_has_no_rule(label, ours):
    rule = rule_of(case(label, ours))
    assert (rule and rule.name) == BARE.get((label, ours))


def test_rules_are_written_out():
    for rule in RULES:
        assert all([rule.name, rule.labels, rule.condition, rule.we, rule.they, rule.source])
        assert rule.side in {"ours", "tshark", "either"}
