"""Rules about windows, probes, repeated acknowledgments and options (RFC 9293 section 3.8, 7323, 5681)."""

from __future__ import annotations

from tests.naive.story import Story, circular, once

LEGAL = ({"S"}, {"S", "U"}, {"S", "A"}, {"R"}, {"R", "A"}, {"F", "A"}, {"F", "A", "U"}, {"A"}, {"A", "U"})
LETTERS = {1: "F", 2: "S", 4: "R", 16: "A", 32: "U"}
USUAL_MSS = 1460


@once
def keep_alive(story: Story, i: int) -> bool:
    return story.probe(i) == "keep_alive"


@once
def zero_window_probe(story: Story, i: int) -> bool:
    return story.probe(i) in ("window", "resent")


@once
def keep_alive_ack(story: Story, i: int) -> bool:
    return story.answers(i) == "keep_alive_ack"


@once
def zero_window_probe_ack(story: Story, i: int) -> bool:
    return story.answers(i) == "zero_window_probe_ack"


@once
def zero_window(story: Story, i: int) -> bool:
    row = story.rows[i]
    return story.counts(i) and row.window == 0 and not row.flags & 7


@once
def window_update(story: Story, i: int) -> bool:
    row = story.rows[i]
    same = story.last_ack(row.side, i) == row.ack
    return story.repeats_ack(i) and not story.answers(i) and same and grown(story, i) and not story.tells_more(i)


def grown(story: Story, i: int) -> bool:
    """By more than the scaling rounds; what a SYN offers is not scaled (RFC 7323 sections 2.2 and 2.4)."""
    row = story.rows[i]
    last = story.last_offer(row.side, i)
    if last is None:
        return False
    before, now, unit = story.window(last), story.window(i), 1 << (story.shift(row.side, i + 1) or 0)
    if before is None or now is None or not story.both_scale(i):
        return row.window > story.rows[last].window
    return now >= before + unit


@once
def window_full(story: Story, i: int) -> bool:
    """Its last octet is the last that the peer offered room for."""
    row = story.rows[i]
    return sends_payload(story, i) and row.seq + row.size == story.edge(1 - row.side, i)


@once
def seq_beyond_window(story: Story, i: int) -> bool:
    """A closed window may be probed by one octet."""
    row = story.rows[i]
    edge, closed = story.edge(1 - row.side, i), story.raw_window(1 - row.side, i) == 0
    return sends_payload(story, i) and edge is not None and row.seq + row.size > edge + closed


def sends_payload(story: Story, i: int) -> bool:
    row = story.rows[i]
    return bool(story.counts(i) and not row.rst and row.size and story.probe(i) is None and story.near(i))


@once
def window_shrunk(story: Story, i: int) -> bool:
    """By more than the scaling rounds (RFC 7323 section 2.4)."""
    row = story.rows[i]
    edge, last, now = story.edge(row.side, i), story.last_ack(row.side, i), story.offered(i)
    if not story.counts(i) or row.flags & 7 or edge is None or last is None or now is None or row.ack is None:
        return False
    return row.ack >= last and edge - now >= 1 << (story.shift(row.side, i + 1) or 0)


@once
def ack_old(story: Story, i: int) -> bool:
    """RFC 5961 section 5: below what was acknowledged by more than the largest window."""
    row = story.rows[i]
    una = story.una(1 - row.side, i)
    if not story.counts(i) or not story.accepted(i) or row.ack is None or una is None:
        return False
    windows = [story.window(j) for j in story.ordinary(i, row.side) if not story.rows[j].syn]
    known = [window for window in windows if window is not None]
    return bool(known) and una - row.ack > max(known)


# -- options, flags, the packet around --------------------------------------------------------------------------------


@once
def opt_paws(story: Story, i: int) -> bool:
    """RFC 7323 section 5: older than TS.Recent, which moves only with what the peer can have taken in order."""
    row = story.rows[i]
    recent = ts_recent(story, i)
    if not story.counts(i) or row.rst or row.tsval is None or recent is None or not row.takes:
        return False
    return circular(row.tsval, recent, 2**32) < 0


@once
def ts_recent(story: Story, i: int) -> int | None:
    recent = None
    for j in story.ordinary(i, story.rows[i].side):
        row, last = story.rows[j], story.last_ack(1 - story.rows[j].side, j)
        if row.tsval is None:
            continue
        newer = recent is not None and circular(row.tsval, recent, 2**32) > 0
        if recent is None or (newer and last is not None and row.seq <= last):
            recent = row.tsval
    return recent


@once
def opt_missing_ts(story: Story, i: int) -> bool:
    row = story.rows[i]
    agreed = all(
        any(story.rows[j].syn and story.rows[j].tsval is not None for j in story.ordinary(i, one)) for one in (0, 1)
    )
    return story.counts(i) and not row.rst and not row.syn and row.tsval is None and agreed


@once
def opt_stripped(story: Story, i: int) -> bool:
    """RFC 7323 section 2.3: only what the SYN offered may stand in the SYN-ACK."""
    row = story.rows[i]
    syns = [story.rows[j] for j in story.ordinary(i, 1 - row.side) if story.rows[j].syn]
    if (
        not story.counts(i)
        or not row.syn_ack
        or not syns
        or any(story.rows[j].syn for j in story.ordinary(i, row.side))
    ):
        return False
    pairs = ((row.wscale, syns[-1].wscale), (row.tsval, syns[-1].tsval))
    unasked = any(here is not None and there is None for here, there in pairs)
    return unasked or (row.sack_permitted and not syns[-1].sack_permitted)


@once
def mss_clamped(story: Story, i: int) -> bool:
    row = story.rows[i]
    return story.counts(i) and row.syn and not row.rst and row.mss is not None and row.mss < USUAL_MSS


@once
def wscale_gt14(story: Story, i: int) -> bool:
    row = story.rows[i]
    return story.counts(i) and row.syn and not row.rst and row.wscale is not None and row.wscale > 14


@once
def flag_illegal(story: Story, i: int) -> bool:
    row = story.rows[i]
    letters = {letter for bit, letter in LETTERS.items() if row.flags & bit}
    return story.counts(i) and (letters not in LEGAL or bool(row.flags & 0xE00))


@once
def mbx_ttl_shift(story: Story, i: int) -> bool:
    """More than one away from what it was, for the third time in a row."""
    row = story.rows[i]
    ttls = [story.rows[j].ttl for j in story.ordinary(i, row.side)] + [row.ttl]
    usual, run = ttls[0], 0
    for at, ttl in enumerate(ttls):
        run = 0 if ttl == usual else run + 1 if ttl == ttls[at - 1] else 1
        if run == 3:
            if at == len(ttls) - 1:
                return story.counts(i) and not row.rst and abs(ttl - usual) > 1
            usual, run = ttl, 0
    return False


@once
def mbx_seq_rewrite(story: Story, i: int) -> bool:
    """RFC 2018: a block names what its sender holds, so there was room for it, and the peer sent it."""
    row = story.rows[i]
    edge = story.edge(row.side, i)
    peer_began = any(story.rows[j].syn for j in story.ordinary(i, 1 - row.side))
    if not story.counts(i) or not story.accepted(i):
        return False
    return any((edge is not None and lo > edge) or (peer_began and hi <= 0) for lo, hi in row.sack)


@once
def cap_ts_back(story: Story, i: int) -> bool:
    return any(one.time > story.rows[i].time for one in story.rows[:i])


@once
def bad_checksum(story: Story, i: int) -> bool:
    return story.broken(i)


@once
def duplicate_packet(story: Story, i: int) -> bool:
    return story.copy_of(i) is not None


@once
def duplicate_ack(story: Story, i: int) -> bool:
    return story.duplicate_ack(i)
