"""Zeek's conn.log: connections, `conn_state` and `history` as Zeek defines them.

An endpoint of Zeek is not one of RFC 9293: it has seven states, a SYN-ACK makes both ends established, and a
connection is forgotten a while after its end, so that what comes later begins another one.
"""

from __future__ import annotations

import hashlib
from enum import Enum, auto
from typing import Any

from tcptrace_py.decode import _batch
from tcptrace_py.peers.circle import CIRCLE, ahead

FIN, SYN, RST, ACK = 1, 2, 4, 16
SECOND = 1_000_000_000
CLOSE_DELAY = 5 * SECOND  # tcp_close_delay: after both ends have closed
PARTIAL_CLOSE_DELAY = 3 * SECOND  # tcp_partial_close_delay: after one has, and the other was not seen to open
RESET_DELAY = SECOND // 10  # tcp_reset_delay
ATTEMPT_DELAY = 5 * SECOND  # tcp_attempt_delay: after a SYN without an answer
SILENCE = 300 * SECOND  # tcp_inactivity_timeout
ONCE_IN = (1, 10, 100, 1_000, 10_000, 100_000, 1_000_000)  # how often a letter of a counted event is written
ALPHABET = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"


ADDRESSES = ("src_hi", "src_lo", "sport", "dst_hi", "dst_lo", "dport", "net")
NUMBERS = ("time_ns", "flags", "seq", "ack", "payload", "window", "marks")
SERVERS = frozenset(
    {
        21,
        22,
        23,
        25,
        53,
        80,
        88,
        110,
        135,
        139,
        143,
        389,
        443,
        445,
        465,
        502,
        587,
        631,
        993,
        995,
        1080,
        3128,
        3306,
        3389,
        5060,
        5222,
        8080,
    }
)
"""Zeek's likely_server_ports, as far as its scripts for protocols over TCP register them."""


class State(Enum):
    """What Zeek knows of an endpoint."""

    INACTIVE = auto()
    SYN_SENT = auto()
    SYN_ACK_SENT = auto()
    PARTIAL = auto()
    ESTABLISHED = auto()
    CLOSED = auto()  # it has sent FIN
    RESET = auto()


class End:
    """One end: its state, numbers, and which letters it has in the history."""

    def __init__(self) -> None:
        self.state = State.INACTIVE
        self.start: int | None = None  # number before its first octet
        self.last = self.front = 0  # after the highest, and after the last without a gap before it
        self.later: list[tuple[int, int]] = []  # what lies beyond a gap
        self.packets = self.octets = 0
        self.numbers: dict[str, int] = {}
        self.counts = dict.fromkeys("CTWG", 0)
        self.fin_seen = False

    def size(self) -> int:
        """Octets by the sequence numbers, which also counts what was not captured."""
        if self.start is None:
            return 0
        return max(ahead(self.last, self.start) - self.fin_seen, 0)


class Conversation:
    """One connection as Zeek would log it."""

    def __init__(self, pair: tuple[Any, Any], net: int, time: int) -> None:
        self.pair = pair  # (originator, responder), each (address hi, lo, port)
        self.net = net
        self.begin = self.end = time
        self.orig, self.resp = End(), End()
        self.history = ""
        self.gone_after = 0

    def letter(self, letter: str, *, is_orig: bool) -> None:
        """Add a letter to the history."""
        self.history += letter if is_orig else letter.lower()

    def flip(self) -> None:
        """The first packet came from the responder after all."""
        self.pair = (self.pair[1], self.pair[0])
        self.orig, self.resp = self.resp, self.orig
        self.history = "^" + self.history.swapcase()

    def expired(self, time: int) -> bool:
        """Has Zeek forgotten it by now?"""
        orig, resp = self.orig.state, self.resp.state
        idle = time - self.end
        if State.RESET in (orig, resp):
            return idle > RESET_DELAY
        if orig is resp is State.CLOSED:
            return idle > CLOSE_DELAY
        if State.CLOSED in (orig, resp) and {State.INACTIVE, State.PARTIAL} & {orig, resp}:
            return idle > PARTIAL_CLOSE_DELAY
        if orig is State.SYN_SENT and resp is State.INACTIVE:
            return idle > ATTEMPT_DELAY
        return idle > SILENCE

    def conn_state(self) -> str:
        """The first that fits."""
        orig, resp = self.orig.state, self.resp.state
        if resp is State.RESET:
            nothing = orig is State.RESET and not self.orig.size() and not self.resp.size()
            if orig in (State.SYN_SENT, State.SYN_ACK_SENT) or nothing:
                return "REJ"
            return "RSTRH" if orig in (State.INACTIVE, State.PARTIAL) else "RSTR"
        if orig is State.RESET:
            if resp is not State.INACTIVE:
                return "RSTO"
            before = self.history.split("R", 1)[0]
            alone = "S" in before and not set(before.split("S", 1)[1]) & set("HAFGIQ")
            return "RSTOS0" if alone else "OTH"
        return STATES.get((orig, resp)) or CLOSED_ONE.get((orig is State.CLOSED, resp), "OTH")


STATES = {
    (State.CLOSED, State.CLOSED): "SF",
    (State.CLOSED, State.INACTIVE): "SH",
    (State.INACTIVE, State.CLOSED): "SHR",
    (State.SYN_SENT, State.INACTIVE): "S0",
    (State.ESTABLISHED, State.ESTABLISHED): "S1",
}
CLOSED_ONE = {(False, State.CLOSED): "S3"} | {(True, state): "S2" for state in State}


class Zeek:
    """Makes the rows of the view from batches of segments, as a sink of the pipeline."""

    def __init__(self, capture: str) -> None:
        self.capture = capture
        self.open: dict[Any, Conversation] = {}
        self.ended: list[Conversation] = []

    def rows(self, batch: Any, _tracker: Any) -> None:
        """Take the segments of a batch, in order."""
        columns = [batch.column(name).tolist() for name in (*ADDRESSES, *NUMBERS)]
        for src_hi, src_lo, sport, dst_hi, dst_lo, dport, net, *numbers in zip(*columns, strict=True):
            named = dict(zip(NUMBERS, numbers, strict=True))
            self._segment((src_hi, src_lo, sport), (dst_hi, dst_lo, dport), net, named)

    def records(self) -> list[dict[str, Any]]:
        """A row of conn.log for each connection, in the order in which they began."""
        found = sorted([*self.ended, *self.open.values()], key=lambda conn: conn.begin)
        return [self._record(conn, place) for place, conn in enumerate(found)]

    def _record(self, conn: Conversation, place: int) -> dict[str, Any]:
        used = conn.orig.packets + conn.resp.packets
        sides = {"orig": conn.orig, "resp": conn.resp}
        named = hashlib.blake2b(f"{conn.pair} {conn.net} {conn.begin} {place}".encode(), digest_size=12).digest()
        return {
            "capture": self.capture,
            "ts": conn.begin,
            "uid": "C" + _base62(int.from_bytes(named)),
            "ends": conn.pair,
            "duration": conn.end - conn.begin if used > 1 else None,
            "conn_state": conn.conn_state(),
            "history": conn.history,
            **{f"{name}_bytes": end.size() if used > 1 else None for name, end in sides.items()},
            **{f"{name}_pkts": end.packets for name, end in sides.items()},
        }

    # -- one segment ---------------------------------------------------------------------------------------------

    def _segment(self, source: Any, target: Any, net: int, numbers: dict[str, int]) -> None:
        flags, time = numbers["flags"], numbers["time_ns"]
        key = (*sorted((source, target)), net)
        conn = self.open.get(key)
        if conn is not None and (conn.expired(time) or self._reused(conn, source, numbers)):
            self.ended.append(self.open.pop(key))
            conn = None
        if conn is None:
            conn = self.open[key] = Conversation((source, target), net, time)
        is_orig = source == conn.pair[0]
        if numbers["marks"] & _batch.CHECKSUM_BAD:
            self._count(conn, conn.orig if is_orig else conn.resp, "C", is_orig=is_orig)
            return
        end, peer = (conn.orig, conn.resp) if is_orig else (conn.resp, conn.orig)
        if is_orig and not end.packets and not peer.packets and _came_from_the_server(flags, source, target):
            conn.flip()
            is_orig = False
        conn.end = time
        end.packets += 1
        self._letters(conn, end, flags, numbers, is_orig=is_orig)
        if end.state is not State.RESET:
            _number(end, flags, numbers)
            if flags & ACK and _skips(peer, numbers["ack"]):
                self._count(conn, peer, "G", is_orig=not is_orig)
        _advance(end, peer, flags, numbers["payload"])

    def _reused(self, conn: Conversation, source: Any, numbers: dict[str, int]) -> bool:
        """Does a SYN begin another connection on these addresses and ports?"""
        if numbers["flags"] & (SYN | ACK | RST | FIN) != SYN:
            return False
        end = conn.orig if source == conn.pair[0] else conn.resp
        over = {State.CLOSED, State.RESET}
        if conn.orig.state in over and conn.resp.state in over | {State.INACTIVE}:
            return True
        return end.start is not None and end.start != (numbers["seq"] + 1) % CIRCLE and end.state is not State.SYN_SENT

    def _count(self, conn: Conversation, end: End, letter: str, *, is_orig: bool) -> None:
        end.counts[letter] += 1
        if end.counts[letter] in ONCE_IN:
            conn.letter(letter, is_orig=is_orig)

    def _letters(self, conn: Conversation, end: End, flags: int, numbers: dict[str, int], *, is_orig: bool) -> None:
        kinds = flags & (SYN | FIN | RST)
        numbered = {
            "S": flags & (SYN | ACK) == SYN,
            "H": flags & (SYN | ACK) == SYN | ACK,
            "F": flags & FIN,
            "R": flags & RST,
        }
        for letter, here in numbered.items():
            if here and end.numbers.get(letter) != numbers["seq"]:
                end.numbers[letter] = numbers["seq"]
                conn.letter(letter, is_orig=is_orig)
        once = "I" if kinds == FIN | RST else "Q" if kinds.bit_count() > 1 else ""
        if not kinds:
            once = "D" if numbers["payload"] else "A" if flags & ACK else ""
        if once and once not in end.numbers:
            end.numbers[once] = 0
            conn.letter(once, is_orig=is_orig)
        known = end.start is not None and numbers["payload"] and end.state is not State.RESET
        if known and ahead(numbers["seq"] + numbers["payload"], end.last) <= 0:
            self._count(conn, end, "T", is_orig=is_orig)
        peer = conn.resp if is_orig else conn.orig
        if numbers["window"] == 0 and not flags & RST and peer.state is not State.CLOSED:
            self._count(conn, end, "W", is_orig=is_orig)


def _came_from_the_server(flags: int, source: Any, target: Any) -> bool:
    """Is the first packet an answer: a SYN-ACK, or one without SYN from a port that is likely a server's?"""
    if flags & SYN:
        return flags & ACK != 0
    return source[2] in SERVERS and target[2] not in SERVERS


def _number(end: End, flags: int, numbers: dict[str, int]) -> None:
    """Move the end's highest number, and what came without a gap."""
    seq, syn = numbers["seq"], flags & SYN != 0
    first = (seq + syn) % CIRCLE
    reach = (first + numbers["payload"] + (flags & FIN != 0)) % CIRCLE
    if end.start is None:
        end.start = end.last = end.front = first
    end.fin_seen = end.fin_seen or flags & FIN != 0
    if flags & RST:
        return
    if ahead(reach, end.last) > 0:
        end.last = reach
    if not numbers["marks"] & _batch.CUT:  # what was not captured is a gap
        end.later.append((first, reach))
        _close_up(end)


def _close_up(end: End) -> None:
    for first, reach in sorted(end.later, key=lambda span: ahead(span[0], end.front)):
        if ahead(first, end.front) <= 0 < ahead(reach, end.front):
            end.front = reach
    end.later = [span for span in end.later if ahead(span[1], end.front) > 0]


def _skips(end: End, ack: int) -> bool:
    """Does the ACK cover octets of the end that were not seen?"""
    if end.start is None or ahead(ack, end.front) <= 0:
        return False
    end.front = ack
    _close_up(end)
    return True


def _advance(end: End, peer: End, flags: int, payload: int) -> None:
    """Move the end's state."""
    state = end.state
    if state is State.RESET:
        return
    if flags & RST:
        if not (state is State.CLOSED and peer.state is State.CLOSED):
            end.state = State.RESET
    elif flags & FIN:
        end.state = State.CLOSED
    elif flags & SYN and state in (State.INACTIVE, State.SYN_SENT):
        if not flags & ACK:
            end.state = State.SYN_SENT
        elif peer.state is State.INACTIVE:
            end.state = State.SYN_ACK_SENT
        else:
            end.state = State.ESTABLISHED
            if peer.state in (State.SYN_SENT, State.PARTIAL):
                peer.state = State.ESTABLISHED
    elif state is State.INACTIVE and payload:
        end.state = State.PARTIAL


def _base62(number: int) -> str:
    letters = ""
    while number:
        number, digit = divmod(number, 62)
        letters += ALPHABET[digit]
    return letters
