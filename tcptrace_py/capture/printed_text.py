"""tcpdump's printed text as a capture: which lines are a packet, and when it was.

Knows time stamps and how packets follow each other on paper.  Does not know what a line says about the packet: a
frame is its line, or lines, without number and time stamp, and `decode.printed` reads them.

Time stamps by option of tcpdump: none (-t); ``12:00:00.123456`` (the default: time of day, put on 1970-01-01, and on
the next day when it falls by more than 12 hours); ``1700000000.123456`` (-tt); ``2026-11-22 12:00:00.123456`` (-tttt,
taken as UTC).  -ttt (since the packet before) and -ttttt (since the first) look alike, with a space or a minus in
front: what falls back again and again within the first lines is -ttt.
"""

from __future__ import annotations

import re
from datetime import date
from itertools import pairwise
from typing import TYPE_CHECKING, NamedTuple

from tcptrace_py.capture.frames import LINK_PRINTED, CaptureInfo, Frames, Mark, held
from tcptrace_py.columns import filled
from tcptrace_py.options import FIXED

if TYPE_CHECKING:
    from collections import Counter
    from collections.abc import Iterable, Iterator

    from tcptrace_py.capture.source import Window

NS = 10**9
DAY = 86_400 * NS
MAX_LINES = FIXED["max_lines"].default  # more are a dump or another protocol's story
MAX_TEXT = FIXED["max_text"].default
MAX_LINE = FIXED["max_line"].default  # what it says of TCP stands in its first few hundred characters

_CLOCK = rb"(?P<lead>[ -]?)(?P<clock>\d\d:\d\d:\d\d(?:[.,]\d{1,9})?)"
_KINDS = {
    "date": rb"(?P<date>\d{4}-\d\d-\d\d) " + _CLOCK,
    "clock": _CLOCK,
    "epoch": rb"(?P<seconds>\d{1,11})\.(?P<fraction>\d{6}(?:\d{3})?)",
}
_NUMBERED = rb"(?: *\d+  )?"  # option -#
# Every pattern is bounded, or begins where a word begins: a hostile line costs no more than its length
_ENDPOINT = (
    rb"(?<![\w:.-])(?:\d{1,3}(?:\.\d{1,3}){3}|(?=[0-9a-fA-F]{0,4}:)[0-9a-fA-F:]{2,39}(?:\.\d{1,3}){0,3})\.[\w-]{1,32}"
)
# Without time stamps a packet begins in the first column, with a word that tcpdump begins packets with
_BARE = re.compile(
    rb"(?:IP6?|ARP|arp|RARP|ICMP6?|STP|LLDP|CDPv\d|MPLS|PPPoE|EAPOL|802\.\w+|IS-IS|Loopback|LLC|AF)[ ,]|"
    rb"(?:\S{1,16} +)?(?:In|Out| In|  In|B|M|P) +(?:IP|[0-9a-f]{2}:|ifindex |ethertype )|"
    rb"(?:[0-9a-f]{2}:){5}[0-9a-f]{2} |" + _ENDPOINT + rb" > "
)
_PACKET = re.compile(
    rb"\bIP6? (?:(?=\S*[.:])\S+ > \S+: |\((?:tos|hlim|class|flowlabel) |bad-|truncated-ip )|"
    + _ENDPOINT
    + rb" > \S+: |"
    rb"^ *" + _NUMBERED + rb"(?:" + re.sub(rb"\?P<\w+>", b"?:", b"|".join(_KINDS.values())) + rb") "
    rb"(?:" + _BARE.pattern + rb")",
    re.MULTILINE,
)
_OUTER = re.compile(rb"[:\]] VXLAN, .*vni \d+$")
_ANNOUNCES = re.compile(_OUTER.pattern + rb"|^[^>]*\)$")  # more must follow: -v puts IP on a line of its own
_DUMP = re.compile(rb"\s+0x[0-9a-f]{4,}:")  # -x, -X


class _Style(NamedTuple):
    """How this text sets its packets."""

    kind: str  # of the time stamps: a key of _KINDS, "since first", "deltas", or "" for none
    begin: re.Pattern[bytes]
    indent: bytes


def shows_packets(text: bytes) -> bool:
    """Whether one of the lines is an IP packet as tcpdump prints it."""
    return _PACKET.search(text) is not None


def read_printed(window: Window, info: CaptureInfo, frames: Frames) -> Iterator[Frames]:
    """Batches of the packets in a text; `LINK_PRINTED` frames."""
    style = _style_of(bytes(window.buffer[window.start : window.end]))
    info.notes.extend(_NOTES.get(style.kind, ()))
    capacity = len(frames.offset)
    batch: list[_Printed] = []
    clock = _Clock(style.kind)
    for found in _packets(_blocks(window, info.limits), style, info.limits, live=window.live):
        if found is not None:
            batch.append(found)
        if len(batch) == capacity or (batch and found is None):
            yield _frames(batch, clock, frames)
            batch = []
    if batch:
        yield _frames(batch, clock, frames)
    if window.fault:
        fault = window.fault
        fault.offset = window.offset
        raise fault


class _Printed(NamedTuple):
    stamp: re.Match[bytes]
    lines: list[bytes]


def _frames(batch: list[_Printed], clock: _Clock, frames: Frames) -> Frames:
    at = 0
    pieces = [b"\n".join(packet.lines) for packet in batch]
    for i, (packet, piece) in enumerate(zip(batch, pieces, strict=True)):
        frames.offset[i], frames.captured[i], frames.original[i] = at, len(piece), len(piece)
        time_ns = clock.read(packet.stamp)
        frames.time_ns[i], frames.marks[i] = held(time_ns) if time_ns is not None else (0, Mark.NO_TIME)
        at += len(piece)
    frames.buffer, frames.n = b"".join(pieces), len(batch)
    frames.link[: frames.n] = filled("i", frames.n, LINK_PRINTED)
    return frames


def _blocks(window: Window, limits: Counter[str]) -> Iterator[bytes]:
    """The text in blocks of whole lines; the last line may lack its end."""
    more = True
    while more:
        text = bytes(window.buffer[window.start : window.end])
        end = text.rfind(b"\n") + 1
        if end:
            window.use(window.start + end)
            yield text[:end]
        elif len(text) >= MAX_TEXT:  # no line end in sight: nothing that tcpdump would print
            limits["max_text"] += 1
            window.use(window.end)
        more = window.fill(window.available + 1)
    rest = bytes(window.buffer[window.start : window.end])
    window.use(window.end)
    if rest:
        yield rest


def _packets(blocks: Iterable[bytes], style: _Style, limits: Counter[str], *, live: bool) -> Iterator[_Printed | None]:
    """The packets, and None where the bytes at hand are used up.

    A packet ends where the next begins.  Who reads live will not wait for that where one line says it all.
    """
    current: _Printed | None = None
    for block in blocks:
        for raw in block.splitlines():
            line = raw.removeprefix(style.indent)
            limits["max_line"] += len(line) > MAX_LINE
            begin = None if current and _encloses(current, line) else style.begin.match(line)
            if begin:
                if current:
                    yield current
                current = _Printed(begin, [line[begin.end() :][:MAX_LINE].rstrip()])
            elif current and _goes_on(current, line):
                current.lines.append(line[:MAX_LINE].rstrip())
                limits["max_lines"] += len(current.lines) == MAX_LINES
        if live:
            if current and not _ANNOUNCES.search(current.lines[-1]):
                yield current
                current = None
            yield None
    if current:
        yield current


def _encloses(packet: _Printed, line: bytes) -> bool:
    """Whether `line` is the packet inside a VXLAN one, which begins like a packet of its own."""
    return _OUTER.search(packet.lines[-1]) is not None and _BARE.match(line) is not None


def _goes_on(packet: _Printed, line: bytes) -> bool:
    """Whether `line` still belongs to `packet`."""
    if len(packet.lines) == MAX_LINES:
        return False
    set_in = line[:1] in (b" ", b"\t") and not line.isspace() and not _DUMP.match(line)
    return set_in or _encloses(packet, line)


def _style_of(text: bytes) -> _Style:
    """The style of the first line that shows a packet."""
    line = next((line for line in text.splitlines() if _PACKET.search(line)), b"")
    for kind, stamp in _KINDS.items():
        for indent in dict.fromkeys((b"", line[: len(line) - len(line.lstrip())])):
            begin = re.compile(_NUMBERED + stamp + rb" +(?=\S)")
            found = begin.match(line.removeprefix(indent))
            if found:
                since = kind == "clock" and found["lead"]
                return _Style(_since(text, begin, indent) if since else kind, begin, indent)
    indent = line[: len(line) - len(line.lstrip())]
    if re.match(_NUMBERED + _BARE.pattern, line):
        indent = b""
    return _Style("", re.compile(_NUMBERED + rb"(?=" + _BARE.pattern + rb")"), indent)


def _since(text: bytes, begin: re.Pattern[bytes], indent: bytes) -> str:
    """Whether stamps count from the first packet or from the one before."""
    found = (begin.match(line.removeprefix(indent)) for line in text.splitlines())
    times = [_signed_clock(match) for match in found if match]
    falls = sum(later < earlier for earlier, later in pairwise(times))
    return "deltas" if falls * 8 > len(times) else "since first"


def _clock_ns(text: bytes) -> int:
    """``HH:MM:SS.fraction`` in nanoseconds."""
    seconds = (int(text[0:2]) * 60 + int(text[3:5])) * 60 + int(text[6:8])
    return seconds * NS + int(text[9:].ljust(9, b"0"))


def _signed_clock(stamp: re.Match[bytes]) -> int:
    ns = _clock_ns(stamp["clock"])
    return -ns if stamp["lead"] == b"-" else ns


class _Clock:
    """Turns time stamps into nanoseconds, remembering what they leave out."""

    def __init__(self, kind: str) -> None:
        self._last = 0
        self._days = 0
        self.read = {
            "date": self._date,
            "clock": self._time_of_day,
            "epoch": self._epoch,
            "since first": self._time_of_day,
            "deltas": self._delta,
            "": self._none,
        }[kind]

    def _none(self, _stamp: re.Match[bytes]) -> int | None:
        return None

    def _date(self, stamp: re.Match[bytes]) -> int | None:
        year, month, day = (int(part) for part in stamp["date"].split(b"-"))
        try:
            days = date(year, month, day).toordinal() - date(1970, 1, 1).toordinal()
        except ValueError:
            return None
        return days * DAY + _clock_ns(stamp["clock"])

    def _epoch(self, stamp: re.Match[bytes]) -> int | None:
        return int(stamp["seconds"]) * NS + int(stamp["fraction"].ljust(9, b"0"))

    def _delta(self, stamp: re.Match[bytes]) -> int | None:
        self._last += _signed_clock(stamp)
        return self._last

    def _time_of_day(self, stamp: re.Match[bytes]) -> int | None:
        """On the day that brings it nearest to the packet before."""
        time = self._days * DAY + _signed_clock(stamp)
        if time < self._last - DAY // 2:
            self._days += 1
            time += DAY
        elif self._days and time > self._last + DAY // 2:  # printed out of order, just after midnight
            return time - DAY
        self._last = time
        return time


_NOTES = {
    "clock": ("times of day without a date: put on 1970-01-01",),
    "date": ("times without a zone: taken as UTC",),
    "since first": ("times since the first packet: counted from 1970-01-01",),
    "deltas": ("times since the packet before: counted from 1970-01-01",),
}
