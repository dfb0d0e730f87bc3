"""tshark's conversations: how Wireshark numbers and splits streams, its completeness bits and its initial round trip.

A stream is a pair of addresses and ports, whatever network it travels on.  A SYN with another number than its side's
first one begins a new stream; silence, FIN and RST do not.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

from tcptrace_py.peers.circle import CIRCLE

FIN, SYN, RST, ACK = 1, 2, 4, 16
READ = ("time_ns", "flags", "seq", "payload", "wire_bytes", "frame")
ENDS = ("src_hi", "src_lo", "sport", "dst_hi", "dst_lo", "dport")
SAW_SYN, SAW_SYN_ACK, SAW_ACK, SAW_DATA, SAW_FIN, SAW_RST = (1 << bit for bit in range(6))

End = tuple[int, int, int]


@dataclass(slots=True)
class Stream:
    """One conversation."""

    number: int
    first: End  # the sender of the first packet
    other: End
    start: int
    end: int
    completeness: int = 0
    first_bits: int | None = None
    base: dict[End, int] = field(default_factory=dict)  # first number of each side
    frames: dict[End, int] = field(default_factory=dict)
    octets: dict[End, int] = field(default_factory=dict)
    syn_time: int | None = None  # of the last SYN without ACK
    initial_rtt: int | None = None

    def take(self, source: End, segment: dict[str, int]) -> None:
        """The next segment."""
        flags = segment["flags"]
        self.start, self.end = min(self.start, segment["time_ns"]), max(self.end, segment["time_ns"])
        self.frames[source] = self.frames.get(source, 0) + 1
        self.octets[source] = self.octets.get(source, 0) + segment["wire_bytes"]
        self.base.setdefault(source, segment["seq"] if flags & SYN else (segment["seq"] - 1) % CIRCLE)
        bits = _saw(flags, segment["payload"])
        if self.first_bits is None:
            self.first_bits = bits
            self.completeness = bits | SAW_SYN if flags & (SYN | ACK) == SYN else 0
        else:  # what the first one gave shows from the second one on
            self.completeness |= bits | self.first_bits
        if flags & (SYN | ACK) == SYN:
            self.syn_time = segment["time_ns"]
        elif flags & (SYN | ACK) == ACK and self.initial_rtt is None and self.syn_time is not None:
            self.initial_rtt = (segment["time_ns"] - self.syn_time) or None  # 0 is none, and the next one is taken


def _saw(flags: int, payload: int) -> int:
    """The bits of completeness that a segment has to give; a SYN gives its own only as the first of its stream."""
    if not flags & ACK:
        return SAW_RST if flags & RST else SAW_DATA if flags & SYN and payload else 0
    bits = SAW_RST if flags & RST else 0
    bits |= SAW_FIN if flags & FIN else 0
    bits |= SAW_SYN_ACK if flags & SYN else 0
    return bits | (SAW_DATA if payload else 0 if flags & SYN else SAW_ACK)


class Tshark:
    """Makes the rows of the view from batches of segments, as a sink of the pipeline."""

    def __init__(self, capture: str) -> None:
        self.capture = capture
        self.streams: list[Stream] = []
        self.open: dict[tuple[End, End], Stream] = {}

    def rows(self, batch: Any, _tracker: Any) -> None:
        """Take the segments of a batch, in order."""
        columns = [batch.column(name)[: batch.n].tolist() for name in (*ENDS, *READ)]
        for *ends, time, flags, seq, payload, wire_bytes, frame in zip(*columns, strict=True):
            source, target = tuple(ends[:3]), tuple(ends[3:])
            segment = dict(zip(READ, (time, flags, seq, payload, wire_bytes, frame), strict=True))
            self._stream(source, target, segment).take(source, segment)

    def _stream(self, source: End, target: End, segment: dict[str, int]) -> Stream:
        """The stream that a segment belongs to, or begins."""
        key = (min(source, target), max(source, target))
        stream = self.open.get(key)
        again = segment["flags"] & (SYN | ACK) == SYN and stream is not None
        if stream is None or (again and stream.base.get(source, segment["seq"]) != segment["seq"]):
            time = segment["time_ns"]
            stream = self.open[key] = Stream(len(self.streams), source, target, time, time)
            self.streams.append(stream)
        return stream

    def records(self) -> list[dict[str, Any]]:
        """What is known of each stream, in the order of their numbers."""
        return [self._record(stream) for stream in self.streams]

    def _record(self, stream: Stream) -> dict[str, Any]:
        ways = {"a": stream.first, "b": stream.other}
        return {
            "capture": self.capture,
            "stream": stream.number,
            "ends": ways,
            "start": stream.start,
            "duration": stream.end - stream.start,
            "completeness": stream.completeness,
            "initial_rtt": stream.initial_rtt,
            "frames": {way: stream.frames.get(end, 0) for way, end in ways.items()},
            "octets": {way: stream.octets.get(end, 0) for way, end in ways.items()},
        }
