"""Rules about octets: sent again, late, missing, acknowledged (RFC 9293 section 3.8.1, 5681, 6675, 6298, 8985)."""

from __future__ import annotations

from tests.naive.story import SECOND, Story, once

MSS = 1460
MOMENT = 1_000_000  # a capture may have so many nanoseconds' segments in any order


@once
def carries(story: Story, i: int) -> bool:
    """Is it a transmission of numbers?"""
    row = story.rows[i]
    return story.counts(i) and not row.rst and row.takes and story.probe(i) is None and story.near(i)


@once
def again(story: Story, i: int) -> set[int]:
    """Its numbers that had been captured."""
    row = story.rows[i]
    return row.numbers & story.seen(row.side, i) if carries(story, i) else set()


@once
def behind(story: Story, i: int) -> bool:
    """Does it begin below the highest number?"""
    row = story.rows[i]
    top = story.top(row.side, i)
    return carries(story, i) and top is not None and row.seq < top


@once
def fills(story: Story, i: int) -> bool:
    """Nothing of it had been captured, but something above it had, or was acknowledged."""
    return behind(story, i) and not again(story, i) and not story.rows[i].syn and not answered_first(story, i)


@once
def answered_first(story: Story, i: int) -> bool:
    """All below the highest number captured within a moment of its ACK: the capture changed the order (section 11)."""
    row = story.rows[i]
    answers, top = story.before(i, 1 - row.side), story.top(row.side, i) or 0
    if not story.before(i, row.side):
        return bool(answers) and row.time - story.rows[answers[-1]].time <= MOMENT
    return {number for number in row.numbers if number < top} <= acked_moments_ago(story, i)


@once
def acked_moments_ago(story: Story, i: int) -> set[int]:
    """Numbers of its side that were acknowledged before they were captured, and less than a moment before it."""
    row = story.rows[i]
    acks = [j for j in range(i) if story.rows[j].side != row.side and acks_unseen(story, j)]
    return set().union(*(unseen_by(story, j) for j in acks if row.time - story.rows[j].time <= MOMENT))


@once
def fills_as(story: Story, i: int) -> int:
    """A filler: sent before (-1) or after (1) what was captured before it?"""
    row = story.rows[i]
    return story.order(i) or by_feedback(story, i, row.side)


def by_feedback(story: Story, i: int, side: int) -> int:
    """Could its sender know of the loss, and has it had the time?  (TRACKER section 8, evidence 3 and 4.)"""
    row = story.rows[i]
    near = story.least_rtt(1 - side, i)
    gaps = [j for j in range(i) if (gap if story.rows[j].side == side else acks_unseen)(story, j)]
    holes = [j for j in gaps if story.rows[j].side == side and not forgotten(story, j, i)]
    mine = [j for j in holes if row.seq in hole_of(story, j)]
    if not gaps:
        return 0
    since = story.rows[(mine or gaps)[-1]].time
    age = row.time - since
    told, sure = told_of(story, mine[-1], i) if mine else (None, None)
    if sure is not None and near is not None:
        if row.time - sure >= near:
            return 1
        if age < story.timeout(side, i):
            return -1
    if near is not None and (age < near or (told is not None and row.time - told < near)):
        return -1
    return 1 if story.trips(side, i) and age >= story.timeout(side, i) else 0


def forgotten(story: Story, opener: int, i: int) -> bool:
    """Was the hole acknowledged, and more than a second old then?  So it waits for nothing any more."""
    side, opened, end = story.rows[opener].side, story.rows[opener].time, max(hole_of(story, opener)) + 1
    acks = [j for j in story.ordinary(i, 1 - side) if j > opener and story.accepted(j)]
    return any(story.rows[j].time - opened > SECOND and (story.una(side, j + 1) or 0) >= end for j in acks)


def told_of(story: Story, opener: int, i: int) -> tuple[int | None, int | None]:
    """When the sender could first know of a hole, and from when on it was sure."""
    side, hole = story.rows[opener].side, hole_of(story, opener)
    told = sure = None
    for j in story.ordinary(i, 1 - side):
        if j < opener or not story.accepted(j):
            continue
        now, una = story.rows[j].time, story.una(side, j + 1)
        if told is None and (story.sacked(side, j + 1) or story.duplicates(side, j + 1)):
            told = now
        three = story.duplicates(side, j + 1) >= 3 and una in hole
        if sure is None and (three or lost_by_sack(story, max(hole) + 1, side, j + 1)):
            sure = now
    return told, sure


@once
def late_original(story: Story, i: int) -> bool:
    """Octets that a resend had brought already, the first of them captured: sent before that resend."""
    row = story.rows[i]
    earlier = [j for j in story.before(i, row.side) if original_not_captured(story, j)]
    return any(row.numbers <= story.rows[j].numbers and story.order(i, j) < 0 for j in earlier)


@once
def answers_crossing_syn(story: Story, i: int) -> bool:
    """The SYN-ACK of a simultaneous or split open is the first of its kind, though its SYN was sent before."""
    row = story.rows[i]
    return row.syn_ack and not any(story.rows[j].syn_ack for j in story.ordinary(i, row.side))


@once
def gap(story: Story, i: int) -> bool:
    row = story.rows[i]
    top = story.top(row.side, i)
    return story.counts(i) and not row.rst and story.probe(i) is None and top is not None and row.seq > top


@once
def hole_of(story: Story, i: int) -> set[int]:
    return set(range(story.top(story.rows[i].side, i) or 0, story.rows[i].seq))


# -- rules ------------------------------------------------------------------------------------------------------------


@once
def retransmission(story: Story, i: int) -> bool:
    if story.probe(i) == "resent":
        return True
    if again(story, i):
        return not answers_crossing_syn(story, i) and not (behind(story, i) and late_original(story, i))
    return fills(story, i) and fills_as(story, i) > 0


@once
def original_not_captured(story: Story, i: int) -> bool:
    return fills(story, i) and fills_as(story, i) > 0


@once
def out_of_order(story: Story, i: int) -> bool:
    if fills(story, i):
        return fills_as(story, i) < 0
    return bool(again(story, i)) and not answers_crossing_syn(story, i) and late_original(story, i)


@once
def ambiguous(story: Story, i: int) -> bool:
    return fills(story, i) and fills_as(story, i) == 0


@once
def previous_segment_lost(story: Story, i: int) -> bool:
    """Final form: a hole that late originals filled, and nothing else, was no loss."""
    if not gap(story, i) or not story.near(i):
        return False
    side, hole = story.rows[i].side, hole_of(story, i)
    new = {
        k: story.rows[k].numbers - story.seen(side, k)
        for k in range(i + 1, len(story.rows))
        if story.rows[k].side == side and carries(story, k)
    }
    fillers = [k for k, numbers in new.items() if numbers & hole]
    late = all(fills(story, k) and out_of_order(story, k) for k in fillers)
    return not (late and hole <= set().union(*(new[k] for k in fillers)))


@once
def ack_of_unseen_segment(story: Story, i: int) -> bool:
    """Final form: an ACK of what the capture has in another order, all of it a moment later, is none."""
    if not acks_unseen(story, i):
        return False
    side, now = 1 - story.rows[i].side, story.rows[i].time
    soon = [k for k in range(i + 1, len(story.rows)) if story.rows[k].side == side and carries(story, k)]
    came = set().union(*(story.rows[k].numbers for k in soon if story.rows[k].time - now <= MOMENT))
    return not unseen_by(story, i) <= came


def unseen_by(story: Story, i: int) -> set[int]:
    """What it acknowledges beyond all that was captured or acknowledged before."""
    row = story.rows[i]
    return set(range(story.top(1 - row.side, i) or 0, row.ack or 0))


@once
def acks_unseen(story: Story, i: int) -> bool:
    row = story.rows[i]
    peer = 1 - row.side
    top = story.top(peer, i)
    if not story.counts(i) or not story.accepted(i) or top is None or row.ack is None or not story.before(i, peer):
        return False
    probes = [story.rows[j].end for j in story.ordinary(i, peer) if story.probe(j) == "window"]
    return row.ack > top and row.ack > max(probes, default=0)


@once
def spurious_when_sent(story: Story, i: int) -> bool:
    """Every number of it had been acknowledged, or SACKed, when it passed."""
    row = story.rows[i]
    una = story.una(row.side, i)
    if not (resend(story, i) and una is not None):
        return False
    return row.end <= una or row.numbers <= story.sacked(row.side, i)


@once
def resend(story: Story, i: int) -> bool:
    return retransmission(story, i) and story.probe(i) is None


def lost_by_sack(story: Story, upto: int, side: int, i: int) -> bool:
    """RFC 6675 section 4, IsLost: three blocks, or more than two segments, are held above."""
    above = {number for number in story.sacked(side, i) if number >= upto}
    size = max((story.rows[j].size for j in story.before(i, side)), default=0) or MSS
    blocks = sum(number - 1 not in above for number in above)
    return blocks >= 3 or len(above) > 2 * size


@once
def recovery_point(story: Story, i: int) -> int:
    """How far `side` had sent when its last fast recovery began; a timeout ends it (RFC 6675 section 5)."""
    side, point = story.rows[i].side, -1
    for j in story.before(i, side):
        if resend(story, j) and not spurious_when_sent(story, j):
            if triggered(story, j):
                point = max(point, story.top(side, j) or 0)
            elif timeout_retransmission(story, j):
                point = -1
    return point


@once
def triggered(story: Story, i: int) -> bool:
    """By three duplicate ACKs of its first octet, or by SACK."""
    row = story.rows[i]
    una = story.una(row.side, i)
    three = story.duplicates(row.side, i) >= 3 and una is not None and row.seq <= una
    return three or lost_by_sack(story, row.end, row.side, i)


@once
def same_recovery(story: Story, i: int) -> bool:
    row, point = story.rows[i], recovery_point(story, i)
    return row.end <= point and (story.una(row.side, i) or 0) < point


@once
def fast_retransmission(story: Story, i: int) -> bool:
    row = story.rows[i]
    if not resend(story, i) or spurious_when_sent(story, i):
        return False
    if triggered(story, i) or same_recovery(story, i):
        return True
    if timeout_retransmission(story, i) or tail_loss_probe(story, i):
        return False
    return any(number >= row.end for number in story.sacked(row.side, i))  # RACK: sent later, delivered sooner


@once
def pause(story: Story, i: int) -> float:
    """Since the last payload of its sender: for ever, where none was captured."""
    row = story.rows[i]
    data = [story.rows[j].time for j in story.before(i, row.side) if story.rows[j].size]
    return row.time - data[-1] if data else float("inf")


@once
def timeout_retransmission(story: Story, i: int) -> bool:
    row = story.rows[i]
    if not resend(story, i) or spurious_when_sent(story, i) or triggered(story, i) or same_recovery(story, i):
        return False
    una = story.una(row.side, i)
    return una is not None and row.seq <= una and pause(story, i) >= story.timeout(row.side, i)


@once
def tail_loss_probe(story: Story, i: int) -> bool:
    row = story.rows[i]
    if not resend(story, i) or spurious_when_sent(story, i) or triggered(story, i) or same_recovery(story, i):
        return False
    last = row.size > 0 and row.end >= (story.top(row.side, i) or 0) and row.seq > story.syn_payload(row.side, i)
    if timeout_retransmission(story, i) or not last or not story.trips(row.side, i) or story.sacked(row.side, i):
        return False
    return pause(story, i) >= 2 * story.smoothed(row.side, i)[0]


# -- round trips ------------------------------------------------------------------------------------------------------


@once
def clean_trip(story: Story, i: int) -> int | None:
    """From the segment that ends at the ack, where nothing of its direction was ever out of order, resent or SACKed."""
    row = story.rows[i]
    side = 1 - row.side
    una = story.una(side, i)
    moves = story.counts(i) and story.accepted(i) and row.ack is not None and (una is None or row.ack > una)
    if not moves or any(disturbed(story, j, side) for j in range(i + 1)):
        return None
    ends = [story.rows[j] for j in story.ordinary(i, side) if carries(story, j) and story.rows[j].end == row.ack]
    return row.time - ends[0].time if ends else None


def disturbed(story: Story, j: int, side: int) -> bool:
    row = story.rows[j]
    if row.side != side:
        return bool(row.sack) or story.duplicate_ack(j)
    return story.copy_of(j) is not None or gap(story, j) or behind(story, j)
