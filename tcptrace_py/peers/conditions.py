"""The conditions of the rules that take more than a comparison; each a question about one difference."""

from __future__ import annotations

from typing import TYPE_CHECKING

from tcptrace_py.peers.circle import ahead
from tcptrace_py.peers.evidence import CHECKSUMS, FIN, NOT_WHOLE, RST, SYN

if TYPE_CHECKING:
    from tcptrace_py.peers.evidence import Case, Mine

MS = 1_000_000
SECOND = 1_000_000_000
FAST_WITHIN_NS = 20 * MS
ENOUGH = 3  # duplicate ACKs (RFC 5681 section 3.2)
FAR = 1 << 30  # octets: numbers so far from what was captured were not sent on this connection
SYN_ACK = SYN | 16
LATER_EVIDENCE = frozenset({"dsack", "tsecr", "too_early", "sack", "late_original"})


def has(case: Case, *names: str) -> bool:
    """Is one of these findings ours?"""
    return not case.mine.found.isdisjoint(names)


def basis(case: Case, name: str) -> str | None:
    """What decided that finding."""
    return case.mine.why.get(name, (None, None, ""))[0]


def marked(case: Case, marks: set[str]) -> bool:
    """Does the frame bear one of these marks?"""
    return not marks.isdisjoint(case.mine.row["marks"])


def number(case: Case, name: str) -> int:
    """A number of our row; 0 where there is none."""
    return int(case.mine.row[name] or 0)


def is_new(case: Case) -> bool:
    """Does it begin at or beyond the highest octet captured?"""
    return case.mine.row["rel_seq"] is not None and number(case, "rel_seq") >= case.way.top


def verified(case: Case) -> bool:
    """Was the checksum computed over the whole segment, and right?"""
    return not marked(case, CHECKSUMS | NOT_WHOLE)


def first_wrong_of_its_side(case: Case) -> bool:
    """Is the sum wrong, as every one of its side so far?"""
    return marked(case, {"checksum_bad"}) and not has(case, "bad_checksum") and not case.way.good_sums


def begins(case: Case) -> bool:
    """Is it the first segment of its connection?"""
    frames = [way.rows[0].row["frame"] for way in (case.way, case.back) if way.rows]
    return not frames or min(frames) == case.told.frame


def set_aside_moved_it(case: Case) -> bool:
    """Was tshark's highest number set by a segment that has none for us: damaged, a copy, a RST?"""
    behind = case.seq_ahead()
    if case.me.mover is None or not case.me.mover.aside or behind is None:
        return False
    if case.ours:
        return behind < 0 or (case.label == "lost_segment" and behind == 0)
    return behind < 0 and is_new(case)


def acked_was_set_aside(case: Case) -> bool:
    """Was the last octet that it acknowledges captured only in a segment that was set aside?"""
    last = (case.told.ack - 1) % (1 << 32)
    return any(ahead(last, low) >= 0 and ahead(last, high) < 0 for low, high in case.peer.aside)


def number_before_the_syn(case: Case) -> bool:
    """Was tshark's highest number set by a segment of this side that came before its SYN?"""
    mover = case.me.mover
    if mover is None or mover.row["flags_raw"] & SYN:
        return False
    before, here = mover.row["frame"], case.told.frame
    return any(before < mine.row["frame"] <= here for mine in case.way.syns())


def goes_round(case: Case) -> bool:
    """Do our line and the circle of 2**32 disagree on what is ahead, because numbers of this side lie FAR apart?"""
    on_circle = case.seq_ahead()
    if (
        case.mine.row["rel_seq"] is None
        or on_circle is None
        or (number(case, "rel_seq") < case.way.top) == (on_circle < 0)
    ):
        return False
    return any(abs(mine.row["rel_seq"] or 0) >= FAR for mine in case.way.rows)


def length_moved_it(case: Case) -> bool:
    """Was tshark's highest number set by a segment to which it gives another length?"""
    mover, told = case.me.mover, case.me.moved_by
    return mover is not None and told is not None and mover.row["payload_bytes"] != told.length and is_new(case)


def captured_before_its_octets(case: Case) -> bool:
    """Was all that it acknowledges beyond what was captured or acknowledged before captured within a moment?"""
    low, high = max(case.back.top, case.back.una), case.mine.row["rel_ack"]
    return high is not None and low < high and case.back.captured_soon(low, high, case.mine.row, MS)


def answers_a_syn(case: Case) -> bool:
    """Does it, from a side that had not spoken and without SYN, answer a SYN by another number than that asks for?"""
    asked = case.back.rows and case.back.rows[0].row["flags_raw"] & SYN
    return (
        bool(asked) and case.me.told is None and not case.told.flags & SYN and number(case, "rel_ack") != case.back.top
    )


def not_fast_for_tshark(case: Case) -> bool:
    """Does one of tshark's own conditions for a fast retransmission fail?"""
    peer = case.peer
    since = case.since_peer_ns()
    return (
        peer.told is None
        or peer.dup_acks < 2  # noqa: PLR2004 - tshark's number
        or since is None
        or since >= FAST_WITHIN_NS
        or case.told.seq != peer.told.ack
    )


def duplicate_acks_before(case: Case) -> int:
    """How many duplicate ACKs of its first octet we had seen."""
    asked, here = case.mine.row["rel_seq"], case.told.frame
    return sum(mine.row["rel_ack"] == asked and mine.row["frame"] < here for mine in case.back.having("duplicate_ack"))


def sent_lately(case: Case) -> bool:
    """Had its side sent a segment with the same end less than a second before?"""
    before, now = case.way.ends.get(case.mine.end), case.mine.row["time"]
    return before is not None and now is not None and now - before < SECOND


def behind_a_fin(case: Case) -> bool:
    """Is it an empty ACK with the number of a FIN that its side had sent before?"""
    mover = case.me.mover
    return mover is not None and bool(mover.row["flags_raw"] & FIN) and case.told.length == 0 and case.seq_ahead() == -1


def peer_asked(case: Case, question: str, *, ours: bool) -> bool:
    """Was the other side's last segment a probe of this kind for us and not for tshark, or the other way round?"""
    if case.peer.last is None or case.peer.told is None:
        return False
    here, there = question in case.peer.last.found, question in case.peer.told.labels
    return here is ours and there is not ours


def measured_from(case: Case) -> list[Mine]:
    """The segments of the other side at which our round trip begins."""
    rtt, time = case.mine.row["rtt_ns"], case.mine.row["time"]
    return [] if rtt is None or time is None else case.back.sent.get(time - rtt, [])


def answered_a_resend(case: Case) -> bool:
    """Does our round trip begin at an octet's later transmission?"""
    again = [mine for mine in measured_from(case) if "retransmission" in mine.found or _syn_again(case, mine)]
    return bool(case.mine.row["rtt_ambiguous"]) or bool(again)


def _syn_again(case: Case, mine: Mine) -> bool:
    """Has it the SYN of its side, which had been sent before?"""
    return bool(mine.row["flags_raw"] & SYN) and any(
        syn.row["frame"] < mine.row["frame"] and syn.row["rel_seq"] == mine.row["rel_seq"] for syn in case.back.syns()
    )


def answered_a_filler(case: Case) -> bool:
    """Do both have a round trip, and does ours begin at a segment that does not end at the ACK?"""
    both = case.mine.row["rtt_ns"] is not None and case.told.rtt_ns is not None
    from_ = measured_from(case)
    return both and bool(from_) and all(mine.end != case.mine.row["rel_ack"] for mine in from_)


def sent_a_reset(case: Case) -> bool:
    """Has it RST?"""
    return bool(case.told.flags & RST)
