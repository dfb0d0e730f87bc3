"""Template connections, as a capture point beside the client sees them: the stuff that workloads are made of.

Knows TCP's manners (who sends what, when, with which numbers).  Knows nothing of frames or files.
"""

from __future__ import annotations

import struct
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    import numpy as np

FIN, SYN, RST, PSH, ACK = 1, 2, 4, 8, 16
CLIENT, SERVER = 0, 1
MSS = 1448  # with timestamps, on Ethernet
GAP_US = 120  # between segments of a burst: 100 Mbit/s
TCP, UDP = 6, 17
TEXT = b"The quick brown fox jumps over the lazy dog. " * 40


@dataclass(frozen=True, slots=True)
class Packet:
    """One packet of a dialogue; addresses and the client's port come later, for each copy anew."""

    time_us: int
    side: int
    flags: int = 0
    seq: int = 0
    ack: int = 0
    options: bytes = b""
    payload: bytes = b""
    window: int = 502


@dataclass
class Dialogue:
    """Two ends and what they say: `next` is the number each sends next, `got` the number each expects."""

    rng: np.random.Generator
    v6: bool = False
    protocol: int = TCP
    port: int = 80
    now: int = 0
    packets: list[Packet] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.rtt = int(self.rng.integers(2_000, 60_000))
        self.next = [int(number) for number in self.rng.integers(0, 2**32, 2)]
        self.got = [0, 0]
        self.stamp = int(self.rng.integers(0, 2**31))

    def send(self, side: int, flags: int, payload: bytes = b"", *, seen: bool = True, arrives: bool = True) -> int:
        """Send a segment, which the capture may miss or the other end never get; its sequence number."""
        seq = self.next[side]
        self.next[side] += len(payload) + bool(flags & SYN) + bool(flags & FIN)
        if seen:
            self.repeat(side, flags, seq, payload)
        if arrives and (flags & SYN or seq == self.got[1 - side]):
            self.got[1 - side] = self.next[side]
        return seq

    def repeat(
        self,
        side: int,
        flags: int,
        seq: int,
        payload: bytes = b"",
        *,
        sack: tuple[int, int] | None = None,
    ) -> None:
        """Put a segment on the wire without moving any number: a resend, or a duplicate ACK."""
        ack = self.got[side] if flags & ACK else 0
        options = self._options(flags, sack)
        self.packets.append(Packet(self.now, side, flags, seq % 2**32, ack % 2**32, options, payload))

    def _options(self, flags: int, sack: tuple[int, int] | None) -> bytes:
        if flags & RST:
            return b""
        stamp = self.stamp + self.now // 1000
        stamps = struct.pack("!BBII", 8, 10, stamp % 2**32, (stamp - 1) % 2**32 if flags & ACK else 0)
        if flags & SYN:
            return struct.pack("!BBHBB", 2, 4, 1460, 4, 2) + stamps + bytes([1, 3, 3, 7])
        blocks = b"" if sack is None else struct.pack("!BBBBII", 1, 1, 5, 10, sack[0] % 2**32, sack[1] % 2**32)
        return b"\1\1" + stamps + blocks

    def open(self) -> None:
        """SYN, SYN-ACK, ACK."""
        self.send(CLIENT, SYN)
        self.now += self.rtt
        self.send(SERVER, SYN | ACK)
        self.now += 30
        self.send(CLIENT, ACK)

    def ask(self, octets: int) -> None:
        """A request of one segment, and its acknowledgment."""
        request = (
            b"GET /%d HTTP/1.1\r\nHost: server.example\r\nUser-Agent: " % octets + TEXT[: octets % 300] + b"\r\n\r\n"
        )
        self.send(CLIENT, PSH | ACK, request)
        self.now += self.rtt
        self.send(SERVER, ACK)

    def answer(self, octets: int, losses: int = 0) -> None:
        """A response in full segments, an ACK for every second; some segments are lost, and resent."""
        head = b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n" % octets
        segments = list(_cut(head, octets))
        lost = set(self.rng.choice(len(segments), min(losses, len(segments) // 8), replace=False).tolist())
        at = 0
        while at < len(segments):
            self.now += GAP_US
            if at in lost and at + 5 < len(segments):
                self._lose(segments[at : at + 5])
                at += 5
                continue
            self.send(SERVER, ACK | (PSH if at == len(segments) - 1 else 0), segments[at])
            if at % 2 or at == len(segments) - 1:
                self.now += 20
                self.send(CLIENT, ACK)
            at += 1

    def _lose(self, segments: list[bytes]) -> None:
        """Five segments of which the first is lost, before or behind the capture; duplicate ACKs, and a resend."""
        hole = self.send(SERVER, ACK, segments[0], seen=bool(self.rng.random() < 0.5), arrives=False)
        for segment in segments[1:]:
            self.now += GAP_US
            self.send(SERVER, ACK, segment, arrives=False)
            self.now += 20
            self.repeat(CLIENT, ACK, self.next[CLIENT], sack=(hole + len(segments[0]), self.next[SERVER]))
        self.now += self.rtt
        self.repeat(SERVER, ACK, hole, segments[0])
        self.got[CLIENT] = self.next[SERVER]
        self.now += 20
        self.send(CLIENT, ACK)

    def end(self, side: int, *, separate: bool = False) -> None:
        """Close: `side` first; the other's FIN carries the ACK, or follows it."""
        self.send(side, FIN | ACK)
        self.now += self.rtt
        if separate:
            self.send(1 - side, ACK)
            self.now += int(self.rng.integers(100, 20_000))
        self.send(1 - side, FIN | ACK)
        self.now += 40
        self.send(side, ACK)


def _cut(head: bytes, octets: int) -> Iterator[bytes]:
    """Head and body in segments of the maximum size."""
    left = octets + len(head)
    segment = (head + TEXT)[:MSS]
    while left > 0:
        yield segment[:left]
        left -= MSS
        segment = TEXT[:MSS]


# -- what connections do -----------------------------------------------------------------------------------------------


def short(talk: Dialogue) -> None:
    """One to three requests; the server closes, or the client."""
    talk.open()
    for _ in range(int(talk.rng.integers(1, 4))):
        talk.ask(int(talk.rng.integers(40, 600)))
        talk.answer(int(talk.rng.lognormal(7.7, 1.3)), losses=int(talk.rng.random() < 0.2))
    talk.now += 1000
    talk.end(int(talk.rng.integers(0, 2)), separate=bool(talk.rng.random() < 0.4))


def kept_alive(talk: Dialogue) -> None:
    """Requests with time to think between them."""
    talk.open()
    for _ in range(int(talk.rng.integers(2, 6))):
        talk.ask(int(talk.rng.integers(40, 400)))
        talk.answer(int(talk.rng.integers(50, 2000)))
        talk.now += int(talk.rng.integers(100_000, 900_000))
    talk.end(SERVER)


def bulk(talk: Dialogue) -> None:
    """A transfer with losses."""
    talk.open()
    talk.ask(100)
    talk.answer(int(talk.rng.integers(60_000, 200_000)), losses=3)
    talk.end(CLIENT)


def half_closed(talk: Dialogue) -> None:
    """The client closes its half, and the server goes on."""
    talk.open()
    talk.ask(80)
    talk.send(CLIENT, FIN | ACK)
    talk.now += talk.rtt
    talk.send(SERVER, ACK)
    talk.answer(int(talk.rng.integers(2_000, 9_000)))
    talk.send(SERVER, FIN | ACK)
    talk.now += 40
    talk.send(CLIENT, ACK)


def crossed(talk: Dialogue) -> None:
    """Both close at once."""
    talk.open()
    talk.ask(60)
    talk.send(CLIENT, FIN | ACK, arrives=False)
    talk.now += talk.rtt // 2
    talk.send(SERVER, FIN | ACK)
    talk.now += 30
    talk.send(CLIENT, ACK)
    talk.now += talk.rtt // 2
    talk.got[SERVER] = talk.next[CLIENT]
    talk.send(SERVER, ACK)


def aborted(talk: Dialogue) -> None:
    """A request, an answer, a RST from either side."""
    talk.open()
    talk.ask(200)
    talk.answer(int(talk.rng.integers(100, 20_000)))
    talk.send(int(talk.rng.integers(0, 2)), RST | ACK)


def reset_after_fin(talk: Dialogue) -> None:
    """The client closes and does not listen any more."""
    talk.open()
    talk.ask(100)
    talk.send(CLIENT, FIN | ACK)
    talk.now += talk.rtt
    talk.send(SERVER, PSH | ACK, TEXT[:500])
    talk.now += 30
    talk.send(CLIENT, RST)


def refused(talk: Dialogue) -> None:
    """Nobody listens."""
    talk.send(CLIENT, SYN)
    talk.now += talk.rtt
    talk.next[SERVER] = 0
    talk.send(SERVER, RST | ACK)


def unanswered(talk: Dialogue) -> None:
    """A SYN and two more, a second and three later."""
    syn = talk.send(CLIENT, SYN, arrives=False)
    for pause in (1_000_000, 2_000_000):
        talk.now += pause
        talk.repeat(CLIENT, SYN, syn)


def lone_syn(talk: Dialogue) -> None:
    """A scan's."""
    talk.send(CLIENT, SYN, arrives=False)


def asked_by_udp(talk: Dialogue) -> None:
    """A question and an answer that are no TCP."""
    talk.packets.append(Packet(0, CLIENT, payload=TEXT[:40]))
    talk.packets.append(Packet(talk.rtt, SERVER, payload=TEXT[: int(talk.rng.integers(60, 400))]))


KINDS: list[tuple[Callable[[Dialogue], None], int]] = [  # of a hundred
    (short, 50),
    (kept_alive, 12),
    (bulk, 2),
    (half_closed, 4),
    (crossed, 2),
    (aborted, 6),
    (reset_after_fin, 3),
    (refused, 3),
    (unanswered, 2),
    (asked_by_udp, 16),
]


def cast(rng: np.random.Generator, hundreds: int = 4) -> list[Dialogue]:
    """Some hundred dialogues of every kind, one in seven over IPv6."""
    kinds = [kind for kind, share in KINDS for _ in range(share * hundreds)]
    talks = []
    for number, kind in enumerate(kinds):
        udp = kind is asked_by_udp
        port = 53 if udp else int(rng.choice([80, 80, 8080, 3128]))
        talks.append(Dialogue(rng, v6=number % 7 == 3, protocol=UDP if udp else TCP, port=port))
        kind(talks[-1])
    return talks
