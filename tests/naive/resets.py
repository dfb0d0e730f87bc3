"""Twin of the judgment of a RST (RFC 9293 sections 3.5.3 and 3.10.7, RFC 5961; TRACKER section 6)."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from tests.naive.end import Coming

if TYPE_CHECKING:
    from tests.naive.end import End
    from tests.naive.rows import Row
    from tests.naive.states import Ends

CROSSING = 10_000_000  # ns beyond the largest round trip


@dataclass
class Last:
    """The RST whose fate is open."""

    i: int
    side: int
    accepted: bool
    top: int  # how far its claimed sender had sent
    labels: set[str]
    signs: int = 0
    refused: Coming | None = None  # the SYN that it seemed to answer


class Judge:
    """Says of every RST what its target does with it, and watches who lives on."""

    def __init__(self, ends: Ends) -> None:
        self.ends = ends
        self.story = ends.story
        self.last: Last | None = None

    def judge(self, i: int, row: Row, me: End, peer: End) -> None:
        what = self.verdict(i, row, me, peer)
        refused = None
        accepted = what in ("accepted", "refused")
        labels = self.ends.labels[i]
        if what == "refused":
            self.ends.refused = True
            labels.add("hs_refused")
            refused = me.waits_for("got SYN")
            if refused is not None:
                me.strike(refused)
                me.proved = "CLOSED"
        if accepted:
            self.accept(i, row, me, peer)
        elif what == "answers a bad SYN-ACK":
            peer.coming.clear()
            peer.proved = "LISTEN"
            return
        else:
            labels.add(f"rst_{what}")
            una = self.story.una(me.side, i)
            below = what == "out_of_window" and una is not None and row.seq < una
            if below and peer.estimate not in ("CLOSED", "LISTEN"):
                labels.add("rst_ignored")
        signs = self.signs(i, row, me)
        if signs >= 2:
            labels.add("rst_forged")
        self.last = Last(i, me.side, accepted, self.story.top(me.side, i) or 0, labels, signs, refused)

    def verdict(self, i: int, row: Row, me: End, peer: End) -> str:
        """By what the target is known to be, and the interval in which the number it expects lies."""
        if me.proved == "SYN_SENT" and row.ack is None and self.ends.bad_ack == row.seq:
            return "answers a bad SYN-ACK"
        if peer.proved == "SYN_SENT" and not me.sent_syn_ack:
            asked = row.ack is not None and 1 <= row.ack <= 1 + peer.syn_payload
            return "refused" if asked else "unacceptable"
        mine = self.story.ordinary(i, me.side)
        una, edge = self.story.una(me.side, i), self.story.edge(peer.side, i)
        if peer.proved == "UNKNOWN" or not peer.seen or (not mine and una is None):
            return "accepted"
        least = una if una is not None else self.story.rows[mine[0]].seq
        if least <= row.seq <= self.ends.complete(me.side, i):
            return "accepted"
        if me.fin is not None and row.seq == me.fin.end - 1:  # Linux: one below what it expects after a FIN
            return "accepted"
        if row.seq < least or (edge is not None and row.seq >= edge):
            return "out_of_window"
        held = max(self.story.seen(me.side, i), default=0) > self.ends.complete(me.side, i)
        at_the_edge = held and row.seq == self.story.top(me.side, i)  # of what is held out of order: Linux takes it
        return "accepted" if edge is None or at_the_edge else "inexact"

    def accept(self, i: int, row: Row, me: End, peer: End) -> None:
        labels = self.ends.labels[i]
        closed = me.fin_acked_by is not None and peer.fin_acked_by is not None
        if me.fin is not None:
            labels.add("rst_after_fin")
        elif peer.fin is None and not self.ends.refused:
            labels.add("rst_abort")
        data = [j for j in self.story.ordinary(i, peer.side) if self.story.rows[j].size]
        if me.fin is not None and data and row.seq == self.story.rows[data[-1]].ack and not closed:
            self.ends.labels[data[-1]].add("td_data_after_close")
            self.ends.answered.add(data[-1])
        if closed and peer.estimate == "TIME_WAIT":
            labels.add("tw_assassination")
        if self.ends.reset_by is None:
            self.ends.reset_by = me.side
            self.ends.reset_after_close = closed
        if not me.waits_for("sent RST"):
            me.coming.append(Coming("sent RST", i))  # claimed in its name: it counts unless it lives on
        if not peer.waits_for("got RST") and not peer.waits_for("got RST as listener"):
            listener = peer.estimate == "SYN_RCVD" and peer.sent_syn_ack and not self.ends.simultaneous
            peer.gets("got RST as listener" if listener else "got RST", i)

    def signs(self, i: int, row: Row, me: End) -> int:
        """That another host sent it: the distance is another, or the counter of IP IDs is."""
        usual = [self.story.rows[j].ttl for j in self.story.ordinary(i, me.side)]
        steps = self.story.id_steps(me.side, i)
        far = (row.ip_id - self.story.newest_id(me.side, i)) % 2**16 > 1024
        counted = len(steps) >= 8 and sum(steps) >= 0.9 * len(steps)
        return (bool(usual) and abs(usual[-1] - row.ttl) >= 2) + bool(row.ip_id and counted and far)

    # -- who lives on -------------------------------------------------------------------------------------------------

    def survive(self, i: int, row: Row, me: End, peer: End) -> None:
        last = self.last
        if last is None:
            return
        if me.side == last.side:
            if row.takes and row.seq >= last.top and last.accepted:  # it goes on in order: the RST was not its own
                self.revoke(me, "sent RST")
                if last.refused is not None:
                    self.ends.restore(me, last.refused)
                last.signs += 1
                if last.signs == 2:
                    last.labels.add("rst_forged")
            return
        if self.challenges(i, row, peer):
            self.ends.labels[i].add("challenge_ack")
        elif "rst_ignored" not in last.labels and self.sent_after(i, row):
            last.labels.add("rst_ignored")
            last.labels -= {"rst_abort", "rst_after_fin", "hs_refused"}
            if last.accepted:
                self.revoke(me, "got RST")
                self.revoke(me, "got RST as listener")
                self.ends.refused, self.ends.reset_by = False, None
            self.last = None

    def challenges(self, i: int, row: Row, peer: End) -> bool:
        """RFC 5961 section 3.2: the empty ACK of the numbers as they are that an inexact RST draws."""
        last = self.last
        if last is None or last.accepted or "rst_inexact" not in last.labels:
            return False
        if row.takes or row.ack != self.story.una(peer.side, i + 1):
            return False
        return last.i == i - 1 or self.story.duplicate_ack(i)

    def sent_after(self, i: int, row: Row) -> bool:
        """Does it answer something later than the RST, or come later than any answer that crossed it can?"""
        last = self.last
        if last is None:
            return False
        if row.ack is not None and row.ack > last.top:
            return True
        trips = self.story.trips(0, i + 1) + self.story.trips(1, i + 1)
        return bool(trips) and row.time - self.story.rows[last.i].time > max(trips) + CROSSING

    @staticmethod
    def revoke(end: End, given: str) -> None:
        one = end.waits_for(given)
        if one is not None:
            end.strike(one)
