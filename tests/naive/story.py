"""What stood where when a segment passed: each question is answered by reading the whole story so far again.

``before i`` means the rows 0..i-1 that count: no copies, no broken checksums.  A direction is named by who sends it.
"""

from __future__ import annotations

from functools import cache, wraps
from itertools import pairwise
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from tests.naive.rows import Row

MS, SECOND = 1_000_000, 1_000_000_000
FLOOR = 200 * MS  # Linux's least timeout; RFC 6298 has a second
FAR = 2**30  # numbers farther away than that are no numbers of this connection


def once(rule: Callable[[Story, int], Any]) -> Callable[[Story, int], Any]:
    """A rule asked twice about the same row of a story says the same."""

    @wraps(rule)
    def asked(story: Story, i: int) -> Any:
        if (rule, i) not in story.known:
            story.known[rule, i] = rule(story, i)
        return story.known[rule, i]

    return asked


class Story:
    """One connection's rows; `samples` are round trips in ns by row, where there was one that counts."""

    def __init__(self, rows: Sequence[Row], samples: Sequence[int | None] = ()) -> None:
        self.rows = list(rows)
        self.samples = list(samples) or [None] * len(self.rows)
        self.known: dict[tuple[object, int], Any] = {}
        for name in dir(type(self)):
            if not name.startswith("_"):  # a question asked twice has the same answer
                setattr(self, name, cache(getattr(self, name)))

    # -- which rows count ---------------------------------------------------------------------------------------------

    def broken(self, i: int) -> bool:
        """A wrong checksum means something once one of that sender was right."""
        row = self.rows[i]
        return row.sum_is_bad and any(one.side == row.side and not one.sum_is_bad for one in self.rows[:i])

    def copy_of(self, i: int) -> int | None:
        """The row that this one is a copy of: the same header, too soon for its sender to have sent it again."""
        if self.broken(i):
            return None
        for j in reversed(self.before(i, self.rows[i].side)):
            if header(self.rows[j]) == header(self.rows[i]):
                age = self.rows[i].time - self.rows[j].time
                return j if 0 <= age <= self.copies_within(i, age) else None
        return None

    def copies_within(self, i: int, age: int) -> int:
        """Decision 3: how soon a copy comes."""
        row = self.rows[i]
        side, peer = row.side, 1 - row.side
        if row.ip_id:
            small = self.id_steps(side, i)
            return 100 * MS if len(small) >= 3 and all(small) else 10 * MS
        if not row.takes:
            return -1
        unasked = self.duplicates(side, i) < 3 or age < (self.least_rtt(peer, i) or 0)
        if row.tsval is not None:
            return 100 * MS if unasked else 10 * MS
        if row.syn:
            return MS if any(self.copy_of(j) is not None for j in range(i) if self.rows[j].side == peer) else 10 * MS
        una = self.una(side, i)
        return 10 * MS if unasked and (una is None or row.end > una or self.longest_silence(side, i) < FLOOR) else MS

    def longest_silence(self, side: int, i: int) -> int:
        """Between two segments of `side` in a row: where it is shorter than any timer, none has run."""
        times = [self.rows[j].time for j in self.before(i, side)]
        return max((later - time for time, later in pairwise(times)), default=-1)

    def counts(self, i: int) -> bool:
        return not self.broken(i) and self.copy_of(i) is None

    def before(self, i: int, side: int | None = None) -> list[int]:
        return [j for j in range(i) if side in (None, self.rows[j].side) and self.counts(j)]

    def ordinary(self, i: int, side: int) -> list[int]:
        """A RST moves no number and no window."""
        return [j for j in self.before(i, side) if not self.rows[j].rst]

    # -- numbers ------------------------------------------------------------------------------------------------------

    def accepted(self, j: int) -> bool:
        """Is the ack of row j one that its receiver takes?  A SYN is answered by what it asked for, or not at all."""
        row = self.rows[j]
        if row.ack is None or row.rst:
            return False
        mine, others = ([self.rows[k] for k in self.ordinary(j, side)] for side in (row.side, 1 - row.side))
        unanswered = bool(others) and all(one.bare_syn for one in others)
        if row.syn or (unanswered and not any(one.syn_ack for one in mine)):
            return 1 <= row.ack <= 1 + self.syn_payload(1 - row.side, j)
        top = self.top(1 - row.side, j)
        return top is None or row.ack <= top + FAR

    def syn_payload(self, side: int, i: int) -> int:
        return next((self.rows[j].size for j in self.ordinary(i, side) if self.rows[j].bare_syn), 0)

    def una(self, side: int, i: int) -> int | None:
        """How far `side` has been acknowledged."""
        return max((self.rows[j].ack or 0 for j in self.ordinary(i, 1 - side) if self.accepted(j)), default=None)

    def top(self, side: int, i: int) -> int | None:
        """The highest number after anything that `side` sent, as far as was captured or acknowledged."""
        tops = [self.rows[j].end for j in self.ordinary(i, side) if self.probe(j) is None and self.near(j)]
        acked = [self.rows[j].ack or 0 for j in self.ordinary(i, 1 - side) if self.accepted(j)]
        return max(tops + acked, default=None)

    def near(self, j: int) -> bool:
        top = self.top(self.rows[j].side, j)
        return top is None or self.rows[j].seq <= top + FAR

    def seen(self, side: int, i: int) -> set[int]:
        """Every number that was captured."""
        rows = [self.rows[j] for j in self.ordinary(i, side) if self.probe(j) is None and self.near(j)]
        return set().union(*(row.numbers for row in rows))

    def last_ack(self, side: int, i: int) -> int | None:
        """The highest that `side` has acknowledged."""
        return max(
            (self.rows[j].ack or 0 for j in self.ordinary(i, side) if self.rows[j].ack is not None), default=None
        )

    def fin_end(self, side: int, i: int) -> int | None:
        """The number after the first FIN of `side`."""
        return next((self.rows[j].end for j in self.ordinary(i, side) if self.rows[j].fin), None)

    # -- probes: RFC 9293 sections 3.8.4 and 3.8.6.1 ------------------------------------------------------------------

    def probe(self, i: int) -> str | None:
        """Is it a question that moves no number: ``keep_alive``, ``window``, or ``resent`` to ask for the window?"""
        row = self.rows[i]
        top, una, offered = self.top(row.side, i), self.una(row.side, i), self.raw_window(1 - row.side, i)
        if row.flags & 7 or row.size > 1 or top is None or una is None or offered is None or not self.counts(i):
            return None
        if offered == 0 and not any(self.rows[j].rst for j in self.before(i)):  # nobody probes what was reset
            if (row.size == 0 and row.seq == una - 1 < top) or (row.size == 1 and row.seq == top):
                return "window"
            return "resent" if row.size == 1 and row.seq == una < top else None
        if offered == 0:
            return None
        sent = [self.rows[j].time for j in self.before(i, row.side) if self.rows[j].size]
        idle = row.time - (sent[-1] if sent else self.rows[0].time)  # answers to the peer's keep-alives do not count
        last = row.seq == top - 1 and una >= top and self.fin_end(row.side, i) is None
        asks = last and idle >= SECOND and self.order(i) >= 0 and not (row.size and self.answered_moments_ago(i))
        return "keep_alive" if asks else None

    def answered_moments_ago(self, i: int) -> bool:
        """Is its first octet new, and was it acknowledged a moment ago?"""
        row = self.rows[i]
        acks = [j for j in self.ordinary(i, 1 - row.side) if self.accepted(j) and self.before(j, row.side)]
        soon = [j for j in acks if row.time - self.rows[j].time <= MS]
        first = any((self.top(row.side, j) or 0) <= row.seq < (self.rows[j].ack or 0) for j in soon)
        return first and row.seq not in self.seen(row.side, i)

    def open_question(self, side: int, i: int) -> str | None:
        """The last that `side` sent was a probe, and nobody has answered it."""
        asked = self.ordinary(i, side)
        if not asked or self.probe(asked[-1]) is None:
            return None
        between = range(asked[-1] + 1, i)
        return None if any(self.answers(j) for j in between) else self.probe(asked[-1])

    def answers(self, i: int) -> str | None:
        """Is it the answer to a probe?"""
        row = self.rows[i]
        if not self.repeats_ack(i):
            return None
        question = self.open_question(1 - row.side, i)
        if question == "keep_alive":
            return "keep_alive_ack"
        return "zero_window_probe_ack" if question and row.window == 0 else None

    def repeats_ack(self, i: int) -> bool:
        row = self.rows[i]
        bare = self.counts(i) and not row.flags & 7 and not row.takes and row.ack is not None
        return bare and self.accepted(i) and row.ack == self.una(1 - row.side, i)

    # -- windows ------------------------------------------------------------------------------------------------------

    def raw_window(self, side: int, i: int) -> int | None:
        last = self.last_offer(side, i)
        return None if last is None else self.rows[last].window

    def last_offer(self, side: int, i: int) -> int | None:
        """The row that offered the window last: one with an older ack does not (SND.WL2, RFC 9293 section 3.10.7.4)."""
        rows = [j for j in self.ordinary(i, side) if not self.overtaken(j)]
        return rows[-1] if rows else None

    def overtaken(self, j: int) -> bool:
        ack, last = self.rows[j].ack, self.last_ack(self.rows[j].side, j)
        return ack is not None and last is not None and ack < last

    def shift(self, side: int, i: int) -> int | None:
        """By what the windows of `side` are scaled: the option in both SYNs, or none; unknown without the SYNs."""
        options = []
        for one in (side, 1 - side):
            syns = [self.rows[j] for j in self.ordinary(i, one) if self.rows[j].syn]
            if not syns:
                return None
            options.append(syns[-1].wscale)
        return min(options[0], 14) if None not in options else 0

    def both_scale(self, i: int) -> bool:
        """Had both SYNs the option?"""
        syns = {
            self.rows[j].side: self.rows[j].wscale for one in (0, 1) for j in self.ordinary(i, one) if self.rows[j].syn
        }
        return len(syns) == 2 and None not in syns.values()

    def window(self, i: int) -> int | None:
        """The window that a row offers, in octets."""
        row = self.rows[i]
        if row.syn:
            return row.window
        shift = self.shift(row.side, i + 1)
        return None if shift is None else row.window << shift

    def edge(self, side: int, i: int) -> int | None:
        """The right edge of what `side` ever offered."""
        edges = [self.offered(j) for j in self.ordinary(i, side)]
        return max((edge for edge in edges if edge is not None), default=None)

    def offered(self, i: int) -> int | None:
        ack, window = self.rows[i].ack, self.window(i)
        return None if ack is None or window is None else ack + window

    def duplicates(self, side: int, i: int) -> int:
        """Duplicate ACKs in a row of what `side` sent."""
        n = 0
        for j in self.ordinary(i, 1 - side):
            una = self.una(side, j)
            if self.accepted(j) and (una is None or (self.rows[j].ack or 0) > una):
                n = 0
            n += self.duplicate_ack(j)
        return n

    def duplicate_ack(self, i: int) -> bool:
        """RFC 5681 section 2; with SACK, RFC 6675: new SACK information, whatever the window."""
        row = self.rows[i]
        top, una = self.top(1 - row.side, i), self.una(1 - row.side, i)
        if not self.repeats_ack(i) or self.answers(i) or top is None or una is None or top <= una:
            return False
        mine = self.top(row.side, i)
        if self.last_ack(row.side, i) != row.ack or (mine is not None and row.seq < mine):
            return False
        return row.window == self.raw_window(row.side, i) or self.tells_more(i)

    def tells_more(self, i: int) -> bool:
        """Do its SACK blocks name octets that none before named?"""
        told = set().union(*(self.sacked_by(j) for j in self.ordinary(i, self.rows[i].side)))
        return not self.sacked_by(i) <= told

    def sacked_by(self, i: int) -> set[int]:
        """What the blocks of a row say of octets above its ack; the first may speak of octets that came twice."""
        row = self.rows[i]
        return {n for lo, hi in row.sack for n in range(lo, hi) if row.ack is not None and n >= row.ack}

    def sacked(self, side: int, i: int) -> set[int]:
        """Octets of `side` that its peer holds out of order."""
        told = set().union(*(self.sacked_by(j) for j in self.ordinary(i, 1 - side)))
        una = self.una(side, i)
        return {number for number in told if una is None or number >= una}

    # -- order of sending ---------------------------------------------------------------------------------------------

    def id_steps(self, side: int, i: int) -> list[bool]:
        """Is each of the first steps of the IP ID of `side` small?"""
        return [abs(apart) <= 64 and apart != 0 for _, apart in self.ids(side, i)][:64]

    def ids(self, side: int, i: int) -> list[tuple[int, int]]:
        """For each numbered packet but the first: the newest ID with it, and how far it was from the newest before."""
        made, newest = [], 0
        for j in self.ordinary(i, side):
            if self.rows[j].ip_id and newest:
                apart = circular(self.rows[j].ip_id, newest, 2**16)
                newest = self.rows[j].ip_id if apart > 0 else newest
                made.append((newest, apart))
            newest = newest or self.rows[j].ip_id
        return made

    def newest_id(self, side: int, i: int) -> int:
        made = self.ids(side, i)
        return (
            made[-1][0] if made else next((self.rows[j].ip_id for j in self.ordinary(i, side) if self.rows[j].ip_id), 0)
        )

    def newest_tsval(self, side: int, i: int) -> int | None:
        newest = None
        for j in self.ordinary(i, side):
            tsval = self.rows[j].tsval
            if tsval is not None and (newest is None or circular(tsval, newest, 2**32) > 0):
                newest = tsval
        return newest

    def order(self, i: int, other: int | None = None) -> int:
        """Was row i sent before (-1) or after (1) the newest row of its sender, or row `other`?  0: nothing tells."""
        row = self.rows[i]
        ip_id = self.newest_id(row.side, i) if other is None else self.rows[other].ip_id
        tsval = self.newest_tsval(row.side, i) if other is None else self.rows[other].tsval
        small = self.id_steps(row.side, i)
        if row.ip_id and ip_id and ip_id != row.ip_id and len(small) >= 3 and sum(small) >= 0.9 * len(small):
            return 1 if circular(row.ip_id, ip_id, 2**16) > 0 else -1
        if row.tsval is not None and tsval is not None and row.tsval != tsval:
            return 1 if circular(row.tsval, tsval, 2**32) > 0 else -1
        return 0

    # -- round trips: RFC 6298 ----------------------------------------------------------------------------------------

    def trips(self, side: int, i: int) -> list[int]:
        """Samples that the peer's ACKs gave of the segments of `side`."""
        return [self.samples[j] for j in range(i) if self.rows[j].side != side and self.samples[j] is not None]

    def least_rtt(self, side: int, i: int) -> int | None:
        """The least of them, an eighth off."""
        trips = self.trips(side, i)
        return min(trips) - min(trips) // 8 if trips else None

    def smoothed(self, side: int, i: int) -> tuple[float, float]:
        """SRTT and RTTVAR (RFC 6298 section 2)."""
        trips = self.trips(side, i)
        srtt, rttvar = float(trips[0]), trips[0] / 2
        for trip in trips[1:]:
            rttvar = 3 / 4 * rttvar + 1 / 4 * abs(srtt - trip)
            srtt = 7 / 8 * srtt + 1 / 8 * trip
        return srtt, rttvar

    def timeout(self, side: int, i: int) -> float:
        """RFC 6298, with Linux's floor."""
        if not self.trips(side, i):
            return SECOND
        srtt, rttvar = self.smoothed(side, i)
        return max(FLOOR, int(srtt + 4 * rttvar))


def header(row: Row) -> tuple[object, ...]:
    return row.seq, row.ack, row.flags, row.size, row.window, row.ip_id, row.tsval


def circular(a: int, b: int, turn: int) -> int:
    """How far a lies from b the short way round."""
    return min((a - b + k * turn for k in (-1, 0, 1)), key=abs)
