"""The batch that leaves this room: frames as columns over one buffer of bytes."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field
from enum import IntFlag
from typing import TYPE_CHECKING, NamedTuple

from tcptrace_py.columns import zeros

if TYPE_CHECKING:
    from array import array

LINK_PRINTED = 0x10000
"""Our own link type: the frame's bytes are one packet as tcpdump prints it (its lines, UTF-8)."""


LATEST_NS = 2**62 - 1
"""The year 2116; what is later, or earlier than as long before 1970, is not told apart.

So the difference of any two times is an int64, too.
"""


class Mark(IntFlag):
    """What a container says about one frame beyond its bytes."""

    NO_TIME = 1  # simple packet block, text without a time stamp
    AFTER_GAP = 2  # the first frame found after damage was left out
    ORIGINAL_TOO_SMALL = 4  # original length below the captured length
    ORIGINAL_UNKNOWN = 16  # the source does not tell how long the frame was on the wire
    TIME_ODD = 8  # fraction of a second >= 1 s (carried), finer than 1 ns (floored), or beyond LATEST_NS


def held(time_ns: int) -> tuple[int, Mark]:
    """A time as a column can hold it, and its mark: what is too far away becomes the nearest that is not."""
    within = max(-LATEST_NS, min(time_ns, LATEST_NS))
    return within, Mark(0) if within == time_ns else Mark.TIME_ODD


MARK_MEANING = {
    Mark.NO_TIME: "without a time",
    Mark.ORIGINAL_TOO_SMALL: "longer than their original length",
    Mark.TIME_ODD: "with an odd time (a fraction of a second above 1 s, finer than 1 ns, out of range, or 0)",
}
"""Marks that an input is told of, in words that follow "N packets"."""


class Gap(NamedTuple):
    """A stretch of the input that was left out: where it begins, its octets, and the frame found behind it."""

    offset: int
    octets: int
    frame: int
    time_ns: int | None


@dataclass(slots=True)
class Frames:
    """A run of consecutive frames.  Columns have at least `n` rows; the buffer is valid until the next batch.

    Attributes
    ----------
    buffer : bytes-like
        Holds the frames' bytes.
    n : int
        Rows in use.
    first_frame : int
        Number of row 0, counted from 1 over the whole input, as Wireshark counts.
    offset, captured, original : array of int64
        Where a frame's bytes start in `buffer`, how many there are, and how many were on the wire.
        A frame check sequence that the container announces is already taken off both lengths.
    time_ns : array of int64
        Nanoseconds since 1970 UTC; 0 where `marks` has NO_TIME.
    link : array of int32
        LINKTYPE number (the low 16 bits), or LINK_PRINTED.
    interface : array of int32
        Number of the pcapng interface, counted over all sections; 0 elsewhere.
    marks : array of int32
        `Mark` bits.
    """

    buffer: bytes | bytearray | memoryview
    n: int
    first_frame: int
    offset: array[int]
    captured: array[int]
    original: array[int]
    time_ns: array[int]
    link: array[int]
    interface: array[int]
    marks: array[int]

    @classmethod
    def empty(cls, capacity: int) -> Frames:
        """Columns of zeros for `capacity` rows, none in use."""
        offset, captured, original, time_ns = (zeros("q", capacity) for _ in range(4))
        link, interface, marks = (zeros("i", capacity) for _ in range(3))
        return cls(b"", 0, 1, offset, captured, original, time_ns, link, interface, marks)


@dataclass(slots=True)
class CaptureInfo:
    """What is known of an input apart from its frames; complete once the reader is exhausted.

    `status` is ``ok``, ``partial`` (damaged; everything before the damage was kept), ``unreadable`` or
    ``unsupported``; `reason` is a snake_case code, `message` the same in words (without the file's name),
    `offset` the byte of the uncompressed input at which the damage begins.  `first_time_ns` and `last_time_ns` are
    the earliest and the latest time, whatever the order of the frames.  `gaps` holds the first thousand of
    the stretches that were left out.  `limits` says how often each bound was reached, by its name.
    """

    path: str
    format: str = ""
    compression: str = ""
    status: str = "ok"
    reason: str = ""
    message: str = ""
    offset: int | None = None
    packets_read: int = 0
    first_time_ns: int | None = None
    last_time_ns: int | None = None
    link_types: dict[int, int] = field(default_factory=dict)  # LINKTYPE number -> packets
    interfaces: list[str] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)  # oddities that cost nothing: "snaplen 0 in the header"
    gaps: list[Gap] = field(default_factory=list)
    gap_count: int = 0
    left_out: int = 0  # octets, in all gaps
    limits: Counter[str] = field(default_factory=Counter)
    marked: Counter[Mark] = field(default_factory=Counter)  # frames by mark
    snaplen: int = 0  # as a file header has it; 0: it says nothing
    longest: int = 0  # captured length
