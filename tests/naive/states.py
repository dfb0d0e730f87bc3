"""Twin of the endpoint machine, the steps and the shapes (RFC 9293 sections 3.3.2, 3.5, 3.6, 3.10.7; TRACKER 2, 4, 7).

An input that passes on its way to an endpoint is kept with the row from which on it may have arrived.  A later
segment of that endpoint proves it, moves that row, or strikes it out.  Only when the whole story has been read are the
states of all rows worked out, so that nothing has to be put right.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from tests.naive import octets, resets
from tests.naive.end import Coming, End, step_to

if TYPE_CHECKING:
    from tests.naive.rows import Row
    from tests.naive.story import Story


class Ends:
    """Both ends, followed through a story: `states` and `steps` by row when all is read."""

    def __init__(self, story: Story) -> None:
        self.story = story
        self.ends = (End(0), End(1))
        self.simultaneous = False
        self.split: str | None = None  # "4" or "5"
        self.crossed: int | None = None
        self.third: Row | None = None
        self.fast_open = False
        self.refused = False
        self.bad_ack: int | None = None
        self.reset_by: int | None = None
        self.reset_after_close = False
        self.answered: set[int] = set()  # rows with payload that a closed end answered by RST
        self.judge = resets.Judge(self)
        self.steps: list[dict[str, bool | None]] = []
        self.labels: list[set[str]] = []
        self.known: list[list[tuple[str, list[Coming]]]] = []
        for i, row in enumerate(story.rows):
            self.steps.append({})
            self.labels.append(set())
            if story.counts(i):
                self.follow(i, row)
                self.ends[row.side].rows.append(row)
            self.known.append([(end.proved, list(end.coming)) for end in self.ends])
        self.conclude()
        self.states = [[self.best(proved, coming, i) for proved, coming in known] for i, known in enumerate(self.known)]

    @staticmethod
    def best(proved: str, coming: list[Coming], i: int) -> str:
        """Its state in row i if all has arrived that was not refuted."""
        for one in coming:
            if one.since <= i and not one.lost:
                proved = step_to(proved, one.given)
        return proved

    def conclude(self) -> None:
        """SYNs resent in vain to the end: none of them arrived."""
        client, server = self.ends
        if client.syns and not server.seen and sum(row.bare_syn for row in client.syns) > 1 and not self.third:
            for one in list(server.coming):
                server.strike(one)

    def restore(self, end: End, syn: Coming) -> None:
        """It never refused: the SYN was on its way all the time."""
        syn.lost = False
        end.proved, end.coming = "LISTEN", [syn]
        for row in self.known[syn.since :]:
            row[end.side] = ("LISTEN", [syn])

    def follow(self, i: int, row: Row) -> None:
        me, peer = self.ends[row.side], self.ends[1 - row.side]
        if row.rst:
            self.steps[i]["reset"] = None
            self.judge.judge(i, row, me, peer)
            return
        self.judge.survive(i, row, me, peer)
        self.prove(i, row, me, peer)
        if row.syn_ack:
            self.syn_ack(i, row, me, peer)
        elif row.syn:
            self.syn(i, row, me, peer)
        elif row.ack is not None:
            self.ack(i, row, me, peer)
        self.assume(row, me, peer)
        if self.acks_fin(row, peer):
            self.ack_of_fin(i, row, me, peer)
        if row.fin:
            self.fin(i, row, me, peer)
        if self.beyond_fin(i, row, me):
            self.labels[i].add("td_fin_seq_changed")
        self.pass_fin(i, me, peer)

    @staticmethod
    def acks_fin(row: Row, peer: End) -> bool:
        return peer.fin is not None and row.ack is not None and row.ack >= peer.fin.end

    # -- what a segment says of its sender ---------------------------------------------------------------------------

    def prove(self, i: int, row: Row, me: End, peer: End) -> None:
        shown = [at for at, one in enumerate(me.coming) if self.proves(i, one.given, row, me, peer)]
        if shown:
            for one in me.coming[: shown[-1] + 1]:
                if "RST" in one.given:
                    one.lost = True
                else:
                    me.proved = step_to(me.proved, one.given)
            del me.coming[: shown[-1] + 1]
        if me.coming:
            self.refute(i, me.coming[0], row, me, peer)

    def proves(self, i: int, given: str, row: Row, me: End, peer: End) -> bool:
        ack = -1 if row.ack is None else row.ack
        if given == "got SYN":
            return 1 <= ack <= (self.story.top(peer.side, i) or 0)
        if given == "got SYN-ACK":
            return ack >= 1 and not row.syn
        if given == "got ACK of SYN":
            more = row.takes and not peer.syn_payload
            had = max([1] + [one.ack for one in me.rows if one.ack is not None and not one.rst])
            return not row.syn and (more or ack > had)
        if given == "got ACK of FIN":
            return me.needs is not None and ack >= me.needs
        return given == "got FIN" and self.acks_fin(row, peer)

    @staticmethod
    def refute(i: int, one: Coming, row: Row, me: End, peer: End) -> None:
        """What its sender cannot have had: it comes later, or was lost where the peer sends again."""
        if one.given == "got FIN" and row.ack is not None:
            one.since = i
        elif (one.given == "got SYN-ACK" and row.bare_syn and me.syns) or (one.given == "got ACK of SYN" and row.syn):
            me.strike(one)
            peer.told_syn_acked = peer.told_syn_acked and one.given != "got ACK of SYN"
        elif one.given == "got ACK of FIN" and row.fin and me.fin is not None:
            me.strike(one)
            peer.told_fin_acked = False
        elif one.given == "got SYN" and row.bare_syn and not me.syns:
            one.since = i

    def assume(self, row: Row, me: End, peer: End) -> None:
        """What never passed here, and must have happened all the same."""
        if row.syn or row.ack is None:
            return
        if me.proved == "SYN_SENT":
            me.proved = "ESTABLISHED"
            if not peer.seen:
                peer.coming.clear()
                peer.proved = "UNKNOWN"
        elif me.proved == "UNKNOWN" or (me.proved == "SYN_RCVD" and row.size and not peer.syn_payload):
            me.proved = "ESTABLISHED"
        if self.acks_fin(row, peer) and not peer.told_fin:
            peer.told_fin = True
            me.sends("got FIN")

    # -- opening ------------------------------------------------------------------------------------------------------

    def syn(self, i: int, row: Row, me: End, peer: End) -> None:
        self.steps[i]["handshake_1"] = True
        if not me.syns:
            if row.size and row.cookie is None:
                self.labels[i].add("hs_data_on_syn")
            elif row.cookie == "" and not row.size:
                self.labels[i].add("hs_tfo_cookie_req")
            if self.story.rows[0].syn_ack and not me.seen and not peer.coming:
                self.labels[i].add("hs_capture_reorder")
            if peer.syns and peer.proved != "SYN_RCVD":
                self.simultaneous, self.crossed = True, i
                self.split = "5" if me.seen else self.split
                self.labels[i].add("hs_split" if me.seen else "hs_simultaneous_open")
            if me.proved in ("UNKNOWN", "LISTEN", "CLOSED"):
                me.sends("sent SYN")
        else:
            self.labels[i].add("hs_syn_retx")
        if peer.proved == "UNKNOWN" and not peer.seen:
            peer.proved = "LISTEN"
        if peer.proved in ("LISTEN", "SYN_SENT"):
            one = peer.waits_for("got SYN")
            if one is None:
                peer.gets("got SYN", i)
            else:
                one.since = i

    def syn_ack(self, i: int, row: Row, me: End, peer: End) -> None:
        good = row.ack is not None and 1 <= row.ack <= 1 + peer.syn_payload
        if good and me.syns and not me.sent_syn_ack and self.bad_ack is None and self.third is None:
            self.simultaneous = True
        self.steps[i]["handshake_2"] = good if peer.syns else None
        if me.proved in ("UNKNOWN", "LISTEN", "CLOSED", "SYN_SENT"):
            me.sends("sent SYN-ACK")
        if not good:
            self.labels[i].add("hs_synack_bad_ack")
            self.bad_ack = row.ack
            return
        if me.sent_syn_ack:
            self.labels[i].add("hs_synack_retx")
            me.syn_again = True
        elif peer.syn_payload:
            self.fast_open = row.ack is not None and row.ack > 1
            if self.fast_open:
                self.labels[i].add("hs_tfo_used")
            elif next(row for row in peer.syns if row.bare_syn).cookie is not None:
                self.labels[i].add("hs_tfo_ignored")
        me.sent_syn_ack = True
        if peer.proved == "UNKNOWN" and not peer.seen:
            peer.proved = "SYN_SENT"
        told = peer.waits_for("got SYN-ACK") or peer.waits_for("got ACK of SYN")
        if peer.proved in ("SYN_SENT", "SYN_RCVD") and not told:
            peer.gets("got SYN-ACK", i)

    def ack(self, i: int, row: Row, me: End, peer: End) -> None:
        if not self.story.accepted(i):
            self.bad_ack = row.ack
            return
        if not me.sent_syn_ack and (peer.sent_syn_ack or (me.syns and not peer.seen)):
            if self.third is None:
                self.third = row
                self.steps[i]["handshake_3"] = self.third_holds(i, row, me) if peer.sent_syn_ack else None
            elif peer.syn_again and not row.takes and row.ack == self.story.last_ack(me.side, i):
                self.steps[i]["handshake_3"] = self.third_holds(i, row, me)
            peer.syn_again = False
        if self.simultaneous and self.split is None and me.syns and not me.sent_syn_ack and peer.sent_syn_ack:
            self.split = "4"
            if self.crossed is not None:
                self.labels[self.crossed] ^= {"hs_split", "hs_simultaneous_open"}
        asked = peer.proved == "SYN_RCVD" and not me.told_syn_acked and not peer.waits_for("got SYN-ACK")
        if asked and row.ack is not None and row.ack >= 1:
            me.told_syn_acked = True
            peer.gets("got ACK of SYN", i)

    def third_holds(self, i: int, row: Row, me: End) -> bool | None:
        """Sent between what the SYN-ACK acknowledged and the end of the data on the SYN; answers what was captured."""
        taken, all_of_it = self.story.una(me.side, i) or 1, 1 + me.syn_payload
        right = min(taken, all_of_it) <= row.seq <= all_of_it
        answered = row.ack is not None and row.ack >= 1 and row.ack <= (self.story.top(1 - me.side, i + 1) or 0)
        if not (right and answered):
            return False
        return None if octets.acks_unseen(self.story, i) else True

    # -- closing ------------------------------------------------------------------------------------------------------

    def beyond_fin(self, i: int, row: Row, me: End) -> bool:
        """New payload that goes beyond the FIN it sent before."""
        fin_end, top = self.story.fin_end(me.side, i), self.story.top(me.side, i)
        probe = self.story.probe(i) is not None or not self.story.near(i)
        return bool(row.size and not probe and fin_end is not None and row.end > max(fin_end, top or 0))

    @staticmethod
    def second(me: End, peer: End) -> bool:
        """Is the FIN of `me` the second one, sent after it had the peer's?"""
        fin, first = me.fin, peer.fin
        return fin is not None and first is not None and fin.ack is not None and fin.ack >= first.end

    def fin(self, i: int, row: Row, me: End, peer: End) -> None:
        if me.fin is None:
            me.fin = row
            crossed = me.proved == "CLOSE_WAIT" and not self.acks_fin(row, peer)
            me.proved = "CLOSING" if crossed else step_to(me.proved, "sent FIN")
            if (self.story.una(me.side, i) or 0) >= row.end:  # captured after its ACK
                acks = [one for one in peer.rows if not one.rst and (one.ack or 0) >= row.end]
                by_fin = peer.fin is not None and (peer.fin.ack or 0) >= row.end
                me.fin_acked_by = peer.fin if by_fin else acks[0]
                peer.told_fin_acked = me.gets("got ACK of FIN", i)
        elif row.end == me.fin.end:
            self.labels[i].add("td_fin_retx")
            me.fin_again = True
            one = peer.waits_for("got FIN")
            if one is not None:
                one.since = i
        else:
            self.labels[i].add("td_fin_seq_changed")
        if self.second(me, peer):
            self.steps[i]["teardown_3"] = peer.fin is not None and row.ack == peer.fin.end
        else:
            complete = self.complete(me.side, i + 1) >= row.seq
            last = row.end >= (self.story.top(me.side, i + 1) or 0)
            self.steps[i]["teardown_1"] = last if complete else None

    def complete(self, side: int, i: int) -> int:
        """The first number that was neither captured nor acknowledged, from the beginning on."""
        seen, una = self.story.seen(side, i), self.story.una(side, i)
        at = min(seen, default=0) if una is None else una
        while at in seen:
            at += 1
        return at

    def ack_of_fin(self, i: int, row: Row, me: End, peer: End) -> None:
        again = peer.fin_acked_by is not None and peer.fin_again and not row.takes
        first = peer.fin_acked_by is None
        if first:
            peer.fin_acked_by = row
        if (first or again) and peer.fin is not None:
            if self.second(peer, me) and me.fin is not None:
                self.steps[i]["teardown_4"] = row.ack == peer.fin.end and row.seq == me.fin.end
                self.labels[i] |= {"td_last_ack_retx"} if again else set()
            else:
                self.steps[i]["teardown_2"] = row.ack == peer.fin.end
            peer.fin_again = peer.fin_again and not again
        if not me.told_fin_acked:
            me.told_fin_acked = peer.gets("got ACK of FIN", i)
        if row.takes and peer.needs is None:
            peer.needs = row.end

    def pass_fin(self, i: int, me: End, peer: End) -> None:
        """A FIN arrives only with every octet before it."""
        if me.fin is not None and not me.told_fin and self.complete(me.side, i + 1) >= me.fin.end:
            me.told_fin = peer.gets("got FIN", i)

    # -- shapes: TRACKER section 7 ------------------------------------------------------------------------------------

    def handshake(self) -> str:
        client, server = self.ends
        if self.refused:
            return "refused"
        if self.simultaneous:
            return f"split_{self.split}" if self.split else "simultaneous_open"
        if self.third is not None:
            return "fast_open" if self.fast_open else "three_way"
        if any(row.bare_syn for end in self.ends for row in end.rows):
            return "half_open" if server.sent_syn_ack else "no_answer"
        answers = any(row.syn_ack for end in self.ends for row in end.rows) and not client.seen
        resets_only = all(row.rst for row in self.story.rows)
        return "backscatter" if answers or resets_only else "not_seen"

    def closed_first(self) -> int | str | None:
        fins = [end.fin for end in self.ends]
        if None in fins:
            return next((side for side in (0, 1) if fins[side] is not None), None)
        after = [self.second(self.ends[side], self.ends[1 - side]) for side in (0, 1)]
        if all(after):
            return 0 if fins[0].time <= fins[1].time else 1  # type: ignore[union-attr]
        return "both" if not any(after) else 1 if after[0] else 0

    def teardown(self) -> str:
        first = self.closed_first()
        if self.refused:
            return "refused"
        if self.reset_by is not None and not self.reset_after_close:
            return "abort" if first is None else "reset_after_fin"
        if first is None or first == "both":
            return "open" if first is None else "simultaneous"
        closer, other = self.ends[int(first)], self.ends[1 - int(first)]
        if other.fin is None:
            return "one_fin"
        if self.half_close_octets(closer, other):
            return "half_close"
        by_fin = closer.fin_acked_by is not None and closer.fin_acked_by.fin
        return "three_segment" if by_fin else "four_way"

    def half_close_octets(self, closer: End, other: End) -> int:
        """New octets of the other end that acknowledge the first FIN, but for those on the FIN that does so first."""
        new = 0
        for i, row in enumerate(self.story.rows):
            if row.side != other.side or not self.story.counts(i) or row.rst or i in self.answered:
                continue
            acked = [j for j in range(i) if self.acks_first(j, closer, other)]
            if self.acks_first(i, closer, other) and (acked or not row.fin):
                new += len(row.octets - self.story.seen(other.side, i))
        return new

    def acks_first(self, i: int, closer: End, other: End) -> bool:
        row = self.story.rows[i]
        passed = any(row is closer.fin for row in self.story.rows[:i])
        return passed and self.story.counts(i) and row.side == other.side and not row.rst and self.acks_fin(row, closer)
