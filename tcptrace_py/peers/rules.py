"""Why tshark and we disagree on a segment: every reason is a rule, declared once.

`docs/disagreements.md` is made from this list.  The classifier asks the rules in their order, and each has an exact
condition on what stood on both sides: a difference that meets none of them has no rule, and is told without one.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from tcptrace_py.peers.conditions import (
    ENOUGH,
    FAR,
    LATER_EVIDENCE,
    SYN_ACK,
    acked_was_set_aside,
    answered_a_filler,
    answered_a_resend,
    answers_a_syn,
    basis,
    behind_a_fin,
    duplicate_acks_before,
    first_wrong_of_its_side,
    goes_round,
    has,
    is_new,
    length_moved_it,
    marked,
    not_fast_for_tshark,
    number,
    number_before_the_syn,
    peer_asked,
    sent_a_reset,
    set_aside_moved_it,
    verified,
)
from tcptrace_py.peers.evidence import CHECKSUMS, FIN, NOT_WHOLE, SYN
from tcptrace_py.peers.programs import FLAGS
from tcptrace_py.peers.zeek import ahead

if TYPE_CHECKING:
    from collections.abc import Callable

    from tcptrace_py.peers.evidence import Case

BEHIND = ("retransmission", "spurious_retransmission", "fast_retransmission", "out_of_order")
ANY = ("flags", "seq", "ack", *FLAGS, "ack_rtt")


@dataclass(frozen=True, slots=True)
class Rule:
    """One reason for a difference.

    `labels` are tshark's names; `side`: who gives the label: ours, tshark, either.  `condition` says in words what
    `holds` checks; `we` and `they`: why each says what it says; `source`: the rule that we follow.
    """

    name: str
    labels: tuple[str, ...]
    side: str
    condition: str
    we: str
    they: str
    source: str
    holds: Callable[[Case], bool]

    def explains(self, case: Case) -> bool:
        """Does it explain this difference?"""
        mine = self.side in {"either", "ours" if case.ours else "tshark"}
        return mine and case.label in self.labels and self.holds(case)


def rule_of(case: Case) -> Rule | None:
    """The first rule that explains a difference; None: nothing does."""
    return next((rule for rule in RULES if rule.explains(case)), None)


# A rule in five or six lines reads better than in ten.
# fmt: off
RULES: tuple[Rule, ...] = (
    Rule("impossible_header", ("segment",), "tshark",
         "tshark gives no payload length, or a TCP header shorter than 20 octets",
         "Such a packet has no row; it is counted in `unused_bad_tcp_header` or `unused_truncated_header`",
         "dissects as much of the header as is there",
         "RFC 9293 section 3.1", lambda c: not c.told.whole),
    Rule("length_by_ip", ("length", *ANY), "either",
         "the payload lengths differ",
         "Lengths come from the IP header, also where the record holds fewer octets or claims to be shorter",
         "takes the record's length where it is shorter than the IP header's",
         "RFC 791 section 3.1", lambda c: c.mine.row["payload_bytes"] != c.told.length),
    Rule("number_after_another_length", (*BEHIND, "lost_segment"), "tshark",
         "new for us, and tshark's highest number was set by a segment to which it gives another length",
         "Numbers follow the IP header's lengths",
         "had counted an earlier segment as shorter or longer",
         "RFC 791 section 3.1", length_moved_it),
    Rule("other_network", ("stream", *ANY), "either",
         "tshark's stream holds another of our connections, which began in another network (VLAN, tunnel)",
         "VLAN and tunnel are part of a connection's identity, so segments of two networks never meet",
         "one stream per pair of addresses and ports, wherever the packets travel",
         "docs/accuracy.md", lambda c: c.shared == "networks"),
    Rule("attempt_after_refusal", ("stream", *ANY), "either",
         "tshark's stream holds an earlier connection of ours, and ours began with `reused_port`",
         "A SYN after an accepted RST or a close begins another connection, also with the same number",
         "a SYN of the same number stays in the stream, and is a retransmission",
         "RFC 9293 section 3.10.7.3", lambda c: c.shared == "attempts"),
    Rule("split_handshake", ("stream", *ANY), "either",
         "our connection lies in two of tshark's streams",
         "A bare SYN that answers a SYN belongs to the same connection",
         "opens a stream at the second bare SYN",
         "RFC 9293 section 3.5", lambda c: c.shared == "streams"),
    Rule("syn_ack_other_base", ("reused_ports",), "tshark",
         "a SYN-ACK of a side that has spoken before, whose number is not its last one",
         "A SYN-ACK opens nothing: the SYN before it did. Challenge ACKs and forged RSTs before it had no effect",
         "compares a SYN-ACK's number with the first one of its side, whatever segment that was",
         "RFC 5961 section 4",
         lambda c: c.told.flags & SYN_ACK == SYN_ACK and c.me.told is not None and (c.seq_ahead() != -1)),
    Rule("offload_checksum", ("bad_checksum",), "tshark",
         "`marks` has `checksum_offload`",
         "The sum is the pseudo header's alone: the network card was still to fill it in, and nothing is wrong",
         "compares with the full sum only",
         "RFC 9293 section 3.1", lambda c: marked(c, {"checksum_offload"})),
    Rule("checksum_of_a_whole_side", ("bad_checksum",), "tshark",
         "`marks` has `checksum_bad`, and no segment of this side had a right sum so far",
         "Where no sum of a side was ever right, something on the way rewrote packets or left the sum open; they "
         "were received all the same",
         "judges each segment by itself",
         "RFC 9293 section 3.1", first_wrong_of_its_side),
    Rule("checksum_not_verified", ("bad_checksum",), "tshark",
         "`marks` has `cut`, `original_length_wrong`, `length_from_frame` or `fragments`, and no mark on the sum",
         "Only a segment that was captured whole, of known length, is verified",
         "sums over the octets that it takes for the segment",
         "docs/accuracy.md", lambda c: marked(c, NOT_WHOLE) and (not marked(c, CHECKSUMS))),
    Rule("checksum_right_over_ip_length", ("bad_checksum",), "tshark",
         "the segment was captured whole and the sum over the IP header's length is right",
         "The sum covers what the IP header says",
         "cut the packet short by an outer header's or trailer's length",
         "RFC 9293 section 3.1", verified),
    Rule("copy", ANY, "tshark",
         "`duplicate_packet`",
         "The same transmission captured again: it gets a row and no other label",
         "takes a copy for a segment of its own",
         "docs/accuracy.md", lambda c: has(c, "duplicate_packet")),
    Rule("damaged", ANY, "tshark",
         "`bad_checksum`",
         "A damaged segment was never received: it gets a row and no other label",
         "takes it as it is",
         "RFC 9293 section 3.1", lambda c: has(c, "bad_checksum")),
    Rule("number_of_a_segment_set_aside", (*BEHIND, "lost_segment", "keep_alive", "ack_rtt"), "either",
         "tshark's highest number of this side was set by a RST, a copy or a damaged segment, and lies above this "
         "segment",
         "Such a segment moves no number",
         "its highest number is moved by every segment",
         "RFC 5961 section 3", set_aside_moved_it),
    Rule("acked_octets_set_aside", ("ack_lost_segment",), "ours",
         "the last octet that it acknowledges was captured only in a segment that was set aside",
         "What was damaged here must have arrived another way, outside the capture",
         "had counted the octets of the damaged segment",
         "docs/accuracy.md", acked_was_set_aside),
    Rule("number_before_the_syn", (*BEHIND, "lost_segment"), "tshark",
         "tshark's highest number of this side was set before this side's SYN",
         "An ACK of old numbers before the SYN-ACK (a challenge ACK, RFC 5961) belongs to no sequence space of this "
         "connection",
         "keeps its number beside the new ones",
         "RFC 5961 section 4", number_before_the_syn),
    Rule("numbers_go_round", (*BEHIND, "lost_segment"), "either",
         "the segment is behind on our line and ahead on the circle of 2^32, or the other way round, and numbers of "
         "this side lie 2^30 or more from its SYN",
         "Numbers are unwrapped once, each nearest to the highest; a damaged one does not turn the order round",
         "compares each pair on the circle, where two jumps come round again",
         "RFC 9293 section 3.4", goes_round),
    Rule("numbers_below_the_syn", ("spurious_retransmission",), "ours",
         "the segment lies below its side's SYN",
         "What lies below the SYN was acknowledged before this connection",
         "compares with the last ACK, whose number was rewritten as well",
         "RFC 9293 section 3.4", lambda c: number(c, "rel_seq") < 0),
    Rule("highest_ack_counts", ("spurious_retransmission",), "ours",
         "decided by `acknowledged`; an ACK of all its octets was captured, and the other side's last ACK is lower",
         "An octet that was acknowledged once stays acknowledged",
         "keeps the last ACK only, whatever it said",
         "RFC 9293 section 3.4",
         lambda c: (
             basis(c, "spurious_retransmission") == "acknowledged" and (not c.acked_before()) and
             (c.way.una >= c.mine.end)
         )),
    Rule("second_syn_ack", ("retransmission",), "tshark",
         "a SYN-ACK with the number of this side's bare SYN",
         "The SYN-ACK of a simultaneous or split open is its first: the SYN before it carried no ACK",
         "takes the SYN for sent again",
         "RFC 9293 section 3.5 figure 7",
         lambda c: (
             c.told.flags & SYN_ACK == SYN_ACK and c.me.told is not None and
             (c.me.told.flags & SYN_ACK == SYN) and (c.me.told.seq == c.told.seq)
         )),
    Rule("octets_seen_before", ("retransmission", "out_of_order"), "either",
         "decided by `octets`: the octets were captured before; tshark: out of order",
         "Octets that were captured before were sent again, however soon",
         "keeps no octets; behind, and sooner than a handshake's round trip after the other side's last segment, is "
         "out of order",
         "RFC 9293 section 3.8.1",
         lambda c: basis(c, "retransmission") == "octets" and "out_of_order" in c.told.labels),
    Rule("sent_after_its_neighbours", ("retransmission", "out_of_order"), "either",
         "`original_not_captured`, with the evidence that decided it; tshark: out of order",
         "It fills a hole, and IP ID, timestamp, feedback or time tell that it was sent after what lies above it",
         "goes by the time since the other side's last segment alone",
         "RFC 6675",
         lambda c: (
             has(c, "original_not_captured") and basis(c, "original_not_captured") is not None and
             ("out_of_order" in c.told.labels)
         )),
    Rule("late_not_resent", BEHIND, "either",
         "`out_of_order`, with the evidence that decided it; tshark: retransmission",
         "It fills a hole, and IP ID, timestamp, feedback or time tell that it was sent before what lies above it",
         "took longer than a handshake's round trip for a resend",
         "RFC 9293 section 3.8.1",
         lambda c: basis(c, "out_of_order") is not None and "retransmission" in c.told.labels),
    Rule("ambiguous", BEHIND, "tshark",
         "`ambiguous`",
         "It fills a hole, and nothing tells the order of sending: that is said, not guessed",
         "decides by time",
         "docs/accuracy.md", lambda c: has(c, "ambiguous")),
    Rule("answered_first", ("retransmission", "spurious_retransmission"), "tshark",
         "goes on where its side's captured octets end, after an ACK of them",
         "The capture shows an ACK a moment before the segment that it answers: a first transmission",
         "what was acknowledged already was sent again",
         "docs/accuracy.md", lambda c: c.acked_before() and c.seq_ahead() == 0 and is_new(c)),
    Rule("spurious_by_later_evidence", ("spurious_retransmission",), "ours",
         "decided by `dsack`, `tsecr`, `too_early`, `sack` or `late_original`; no ACK of all its octets was captured "
         "before",
         "A DSACK, an echoed timestamp, SACK blocks or an answer that is too early tell that an earlier copy had "
         "arrived",
         "knows a needless resend only by an ACK captured before it",
         "RFC 2883, RFC 3522",
         lambda c: basis(c, "spurious_retransmission") in LATER_EVIDENCE and (not c.acked_before())),
    Rule("spurious_syn_or_fin", ("spurious_retransmission",), "ours",
         "a SYN or FIN without payload, decided by any evidence",
         "SYN and FIN are acknowledged like octets, and can be resent without need",
         "looks at segments with payload only",
         "RFC 9293 section 3.4",
         lambda c: (
             c.told.length == 0 and bool(c.told.flags & (SYN | FIN)) and
             (basis(c, "spurious_retransmission") is not None)
         )),
    Rule("fast_by_feedback", ("fast_retransmission",), "ours",
         "with the evidence that decided it; and in tshark's count fewer than two duplicate ACKs, or 20 ms or more "
         "since the other side's last segment, or another number than the last ACK's, or tshark: out of order",
         "Three duplicate ACKs, SACK evidence, or the same recovery, however long ago the last ACK passed here",
         "wants two duplicate ACKs or SACK of this very octet within 20 ms",
         "RFC 6675, RFC 5681 section 3.2",
         lambda c: (
             basis(c, "fast_retransmission") is not None and (not_fast_for_tshark(c) or
             "out_of_order" in c.told.labels)
         )),
    Rule("two_duplicate_acks", ("fast_retransmission",), "tshark",
         "`retransmission`, after fewer than three duplicate ACKs of its first octet",
         "A fast retransmission takes three duplicate ACKs",
         "two are enough",
         "RFC 5681 section 3.2", lambda c: has(c, "retransmission") and duplicate_acks_before(c) < ENOUGH),
    Rule("gap_filled_late", ("lost_segment",), "tshark",
         "all missing octets came later, in segments marked `out_of_order`",
         "They were late, not lost: the label was withdrawn",
         "cannot know, and says it of every gap",
         "docs/accuracy.md",
         lambda c: (
             number(c, "rel_seq") > c.way.top and
             c.way.filled_late(c.way.top, number(c, "rel_seq"), c.told.frame)
         )),
    Rule("gap_acknowledged_before", ("lost_segment",), "tshark",
         "the missing octets had been acknowledged; `ack_of_unseen_segment` told of them then",
         "A gap is told once, where it is first known",
         "tells of it at the ACK and again at the next segment",
         "docs/accuracy.md", lambda c: c.way.top < number(c, "rel_seq") <= c.way.una),
    Rule("first_of_its_side", ("lost_segment",), "ours",
         "the first segment of its side, and the other side had acknowledged less",
         "ACKs tell what this side had sent, before it is first captured",
         "has no number yet to compare with",
         "docs/accuracy.md", lambda c: c.me.next is None and number(c, "rel_seq") > c.way.una),
    Rule("acked_octets_captured", ("ack_lost_segment",), "tshark",
         "everything that it acknowledges was captured",
         "Compared with the highest octet captured",
         "compares with the end of the part without gaps, as it stood before its last jump",
         "docs/accuracy.md", lambda c: c.mine.row["rel_ack"] is not None and number(c, "rel_ack") <= c.back.top),
    Rule("unseen_told_once", ("ack_lost_segment",), "ours",
         "acknowledges more than tshark had captured, and tshark had said so of this side before",
         "Said of every ACK beyond what was captured",
         "after it has said so once, its boundary is beyond what it captured",
         "RFC 9293 section 3.4", lambda c: (c.ack_ahead() or 0) > 0 and c.me.unseen),
    Rule("ack_of_a_reset", ("ack_lost_segment",), "tshark",
         "a RST",
         "What a RST acknowledges is judged with the RST",
         "looks at the ACK of every segment",
         "docs/accuracy.md", sent_a_reset),
    Rule("ack_before_the_handshake", ("ack_lost_segment",), "tshark",
         "answers a SYN by an ACK of another number, and is no SYN-ACK",
         "A challenge ACK of an old connection acknowledges nothing of this one",
         "compares it with the SYN",
         "RFC 5961 section 4", answers_a_syn),
    Rule("ack_far_off", ("ack_lost_segment",), "tshark",
         "acknowledges 2^30 octets or more beyond what was captured",
         "No endpoint sends that much unseen: a damaged number",
         "any number above is unseen",
         "docs/accuracy.md", lambda c: number(c, "rel_ack") - c.back.top >= FAR),
    Rule("nothing_outstanding", ("duplicate_ack",), "tshark",
         "the other side had nothing outstanding",
         "A duplicate ACK needs outstanding data",
         "does not ask whether anything is outstanding",
         "RFC 5681 section 2",
         lambda c: c.back.top <= c.back.una and (not has(c, "keep_alive", "keep_alive_ack", "td_last_ack_retx"))),
    Rule("late_ack", ("duplicate_ack",), "tshark",
         "acknowledges less than an ACK of its side before",
         "An ACK below the highest one is late, and repeats nothing",
         "compares with the last ACK only, which was late as well",
         "RFC 5681 section 2", lambda c: number(c, "rel_ack") < c.back.una),
    Rule("answer_to_a_syn_again", ("duplicate_ack",), "tshark",
         "the other side's last segment has SYN",
         "The handshake's ACK again, drawn by a SYN-ACK that was sent again",
         "looks at numbers and window only",
         "RFC 5681 section 2", lambda c: c.peer.told is not None and bool(c.peer.told.flags & SYN)),
    Rule("late_ack_between", ("duplicate_ack",), "ours",
         "`duplicate_ack`; this side's last segment, late or a copy, had a lower ACK",
         "Repeats the highest ACK; what came late between the two says nothing",
         "compares with the last ACK only",
         "RFC 5681 section 2",
         lambda c: has(c, "duplicate_ack") and c.me.told is not None and ahead(c.told.ack, c.me.told.ack) > 0),
    Rule("last_ack_again", ("duplicate_ack",), "tshark",
         "`td_last_ack_retx`",
         "The answer to a FIN sent again, from TIME-WAIT",
         "looks at numbers and window only",
         "RFC 9293 section 3.10.7.8", lambda c: has(c, "td_last_ack_retx")),
    Rule("sack_with_another_window", ("duplicate_ack", "window_update"), "either",
         "`duplicate_ack`, SACK blocks, and another window than before",
         "An ACK that brings new SACK blocks is a duplicate ACK also with another window",
         "an ACK with another window is a window update",
         "RFC 6675 section 2",
         lambda c: (
             has(c, "duplicate_ack") and c.told.sacks and (c.me.told is not None) and
             (c.me.told.window != c.told.window)
         )),
    Rule("window_not_grown", ("window_update",), "tshark",
         "the window is smaller than before",
         "An update opens the window; one that takes back is `window_shrunk`",
         "any change of the window",
         "RFC 9293 section 3.8.6",
         lambda c: (
             c.mine.row["window"] is not None and c.way.window is not None and
             (c.mine.row["window"] < c.way.window)
         )),
    Rule("sack_is_no_update", ("window_update",), "tshark",
         "SACK blocks, and not `duplicate_ack`",
         "It answers octets that came twice or out of order (RFC 2883); the window is beside the point",
         "does not look at SACK blocks",
         "RFC 2883", lambda c: c.told.sacks and (not has(c, "duplicate_ack"))),
    Rule("keep_alive_known_by_its_ack", ("keep_alive", "duplicate_ack"), "either",
         "`keep_alive`; tshark had seen no higher number of this side, the other side had acknowledged one",
         "The ACK tells how far this side had sent before the capture began",
         "knows only captured segments",
         "RFC 9293 section 3.8.4",
         lambda c: has(c, "keep_alive") and c.seq_ahead() == 0 and (c.way.una > number(c, "rel_seq"))),
    Rule("answer_to_our_keep_alive", ("keep_alive_ack", "duplicate_ack"), "either",
         "`keep_alive_ack`; the other side's last segment is a keep-alive for us and not for tshark",
         "Answers what we call a keep-alive",
         "did not take the question for one",
         "RFC 9293 section 3.8.4", lambda c: has(c, "keep_alive_ack") and peer_asked(c, "keep_alive", ours=True)),
    Rule("probe_by_the_window", ("zero_window_probe", "keep_alive"), "either",
         "`zero_window_probe`; the other side's last window is 0, and tshark does not call it a probe",
         "The window decides: Linux probes a closed one by an empty segment one below its next number, or by a resend",
         "knows only probes of one new octet; an empty one is a keep-alive",
         "RFC 9293 section 3.8.6.1",
         lambda c: has(c, "zero_window_probe") and c.peer.told is not None and c.peer.told.window == 0),
    Rule("answer_to_our_probe", ("zero_window_probe_ack", "keep_alive_ack"), "either",
         "`zero_window_probe_ack`; the other side's last segment is a window probe for us and not for tshark",
         "Answers what we call a window probe",
         "did not take the question for one",
         "RFC 9293 section 3.8.6.1",
         lambda c: has(c, "zero_window_probe_ack") and peer_asked(c, "zero_window_probe", ours=True)),
    Rule("ack_beside_the_next_number", ("duplicate_ack", "window_update"), "ours",
         "the segment does not begin at tshark's next number of its side",
         "An ACK says the same whether its side's own octets were all captured or not",
         "looks only at segments that begin where the last one ended",
         "RFC 5681 section 2", lambda c: c.seq_ahead() not in {0, None}),
    Rule("question_and_answer", ("keep_alive_ack",), "ours",
         "`keep_alive` and `keep_alive_ack`; tshark: keep-alive",
         "Answers a keep-alive and is one",
         "gives one of the two",
         "docs/accuracy.md", lambda c: has(c, "keep_alive") and "keep_alive" in c.told.labels),
    Rule("answer_beyond_a_gap", ("keep_alive_ack",), "ours",
         "tshark: lost segment; the octets before it had been acknowledged",
         "The gap lies before the capture",
         "looks no further once it has found a gap",
         "docs/accuracy.md", lambda c: (c.seq_ahead() or 0) > 0 and number(c, "rel_seq") <= c.way.una),
    Rule("ack_behind_a_fin", ("keep_alive",), "tshark",
         "an empty ACK one below the end of a FIN that its side had sent",
         "An ACK that was sent before the FIN and captured after it",
         "one below the highest number is a keep-alive",
         "docs/accuracy.md", behind_a_fin),
    Rule("answer_to_no_keep_alive", ("keep_alive_ack",), "tshark",
         "the other side's last segment is a keep-alive for tshark and not for us",
         "The question was none",
         "answers what it took for a keep-alive",
         "docs/accuracy.md", lambda c: peer_asked(c, "keep_alive", ours=False)),
    Rule("rtt_of_an_answer", ("ack_rtt",), "tshark",
         "`keep_alive_ack` or `zero_window_probe_ack`",
         "An answer to a probe is no sample: a probe need not be answered at once",
         "measures from the probe",
         "docs/accuracy.md", lambda c: has(c, "keep_alive_ack", "zero_window_probe_ack")),
    Rule("rtt_of_a_reset", ("ack_rtt",), "tshark",
         "a RST",
         "A RST is no acknowledgment",
         "measures every ACK number",
         "docs/accuracy.md", sent_a_reset),
    Rule("rtt_backwards", ("ack_rtt",), "tshark",
         "tshark's round trip is negative",
         "Where the clock went back there is no sample",
         "subtracts",
         "docs/accuracy.md", lambda c: c.told.rtt_ns is not None and c.told.rtt_ns < 0),
    Rule("rtt_of_nothing_new", ("ack_rtt",), "tshark",
         "acknowledges no more than before",
         "An ACK that moves nothing is no sample",
         "measures from the last segment that ends there",
         "RFC 6298 section 3", lambda c: c.mine.row["rel_ack"] is not None and number(c, "rel_ack") <= c.back.una),
    Rule("rtt_of_octets_set_aside", ("ack_rtt",), "tshark",
         "the last octet that it acknowledges was captured only in a segment that was set aside",
         "Which transmission was answered is not in the capture",
         "measures from the segment set aside",
         "docs/accuracy.md", acked_was_set_aside),
    Rule("rtt_zero", ("ack_rtt",), "ours",
         "our round trip is 0, tshark has none",
         "Two packets with the same time stamp: 0 is what the capture says",
         "prints no round trip of 0",
         "docs/accuracy.md", lambda c: c.told.rtt_ns is None and c.mine.row["rtt_ns"] == 0),
    Rule("rtt_within_a_segment", ("ack_rtt",), "ours",
         "acknowledges up to a number at which no captured segment ends; tshark has none",
         "An ACK within a segment (offload) answers the segment that holds the octet",
         "wants a segment that ends at the ACK",
         "docs/accuracy.md", lambda c: c.told.rtt_ns is None and c.mine.row["rel_ack"] not in c.back.ends),
    Rule("rtt_of_a_resend", ("ack_rtt",), "ours",
         "our round trip begins at a later transmission of the octets",
         "The transmission that the echoed timestamp or the time names is the one that was answered (Karn: not "
         "averaged if only time tells)",
         "measures from the first one",
         "RFC 6298 section 3", answered_a_resend),
    Rule("rtt_of_the_filler", ("ack_rtt",), "ours",
         "both have one, and ours begins at a segment that does not end at the ACK",
         "After a hole the receiver answers the segment that filled it",
         "measures from the segment that ends at the ACK, which waited there",
         "RFC 5681 section 4.2", answered_a_filler),
    Rule("rtt_after_a_late_syn", ("ack_rtt",), "ours",
         "tshark has none, and the sender's SYN was captured behind its answer (`hs_capture_reorder`)",
         "The capture's order does not change what the ACK answers",
         "has no open segment of the other side",
         "docs/accuracy.md",
         lambda c: c.told.rtt_ns is None and c.me.mover is not None and ("hs_capture_reorder" in c.me.mover.found)),
)
# fmt: on
