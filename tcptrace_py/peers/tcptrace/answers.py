"""What the acknowledgments of one end's segments tell: round trips, duplicates.  All stand with the end that sent."""

from __future__ import annotations

from typing import TYPE_CHECKING

from tcptrace_py.peers.tcptrace.times import Times

if TYPE_CHECKING:
    from tcptrace_py.peers.tcptrace.octets import Octets, Sent

TRIPLE = 3  # RFC 5681: the third one is taken for a loss


class Answers:
    """Round trips by kind, and acknowledgments that say nothing new."""

    def __init__(self) -> None:
        self.samples = Times()
        self.full = Times()  # of segments as large as the largest with a sample
        self.full_size = 0
        self.last = Times()  # ambiguous: of segments that were sent again, from the last time
        self.handshake = self._latest = 0
        self.post_loss = self.cumulative = 0
        self.duplicates = self.triples = 0
        self._in_a_row = 0

    def take(self, octets: Octets, ack: int, time: int, syn: int | None) -> bool:
        """An acknowledgment up to `ack`: was any of it news?  `syn` is the number of its SYN, if there was only one."""
        news = False
        for known, latest in octets.acknowledge(ack):
            news = True
            if known.end == ack:
                self._direct(known, time - known.time, latest)
            else:  # also one that is acknowledged in part
                self.cumulative += 1
        if syn is not None and ack == syn + 1:  # also one that comes late: then it is the round trip measured last
            self.handshake = self._latest
        return news

    def _direct(self, known: Sent, took: int, latest: int) -> None:
        if latest > known.time:
            self.post_loss += 1
        elif known.resent:
            self.last.take(took)
        else:
            self.samples.take(took)
            self._latest = took
            self._full_sized(known.end - known.first, took)

    def _full_sized(self, size: int, took: int) -> None:
        """A larger segment starts the statistics afresh; and one of a single octet always does."""
        size = size if size > 1 else 0
        if size > self.full_size or not self.full_size:
            self.full_size = size
            self.full = Times()
        if size == self.full_size:
            self.full.take(took)

    def repeat(self, *, is_duplicate: bool) -> None:
        """One more acknowledgment that does not move on."""
        if not is_duplicate:
            self._in_a_row = 0
            return
        self.duplicates += 1
        self._in_a_row += 1
        self.triples += self._in_a_row == TRIPLE

    def moved_on(self) -> None:
        """The acknowledgment was a higher one."""
        self._in_a_row = 0
