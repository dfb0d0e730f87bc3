"""What is reckoned of a connection, segment by segment, in a room that does not grow: sums, spans, runs.

Knows the definitions that CICFlowMeter's columns rest on.  Does not know the columns.  Side 0 is the client.
"""

from __future__ import annotations

import math
from typing import Any

SECOND = 10**9
SUBFLOW_NS = SECOND  # a longer pause begins a new subflow
BULK_NS = SECOND  # a longer pause ends a bulk
BULK_SEGMENTS = 4
IDLE_NS = 5 * SECOND  # a longer pause is idle time: CICFlowMeter's activity timeout
FLAGS = {"FIN": 1, "SYN": 2, "RST": 4, "PSH": 8, "ACK": 16, "URG": 32, "ECE": 64, "CWR": 128}


class Numbers:
    """What can be said of whole numbers without keeping them: exact sums."""

    __slots__ = ("least", "most", "n", "squares", "total")

    def __init__(self) -> None:
        self.n = self.total = self.squares = 0
        self.least = self.most = 0

    def add(self, value: int) -> None:
        """One more."""
        if not self.n:
            self.least = self.most = value
        self.n += 1
        self.total += value
        self.squares += value * value
        self.least = min(self.least, value)
        self.most = max(self.most, value)

    def mean(self) -> float | None:
        """None of nothing."""
        return self.total / self.n if self.n else None

    def variance(self) -> float | None:
        """Of a sample (over n - 1); 0 of a single number."""
        if self.n < 2:  # noqa: PLR2004 - one number
            return 0.0 if self.n else None
        return (self.n * self.squares - self.total * self.total) / (self.n * (self.n - 1))

    def std(self) -> float | None:
        """The square root of the variance."""
        variance = self.variance()
        return None if variance is None else math.sqrt(variance)

    def max(self) -> int | None:
        """None of nothing."""
        return self.most if self.n else None

    def min(self) -> int | None:
        """None of nothing."""
        return self.least if self.n else None


class Bulks:
    """Runs of data of one side: at least four segments, no pause over a second, no data of the other side between."""

    __slots__ = ("begin", "bulks", "duration", "last", "octets", "run", "run_octets", "segments")

    def __init__(self) -> None:
        self.bulks = self.segments = self.octets = self.duration = 0
        self.run = self.run_octets = self.begin = self.last = 0

    def data(self, time: int, size: int) -> None:
        """A segment with payload."""
        if self.run and time - self.last > BULK_NS:
            self.end()
        if not self.run:
            self.begin = time
        self.run += 1
        self.run_octets += size
        self.last = time

    def end(self) -> None:
        """The run is over; it was a bulk if it was long enough."""
        if self.run >= BULK_SEGMENTS:
            self.bulks += 1
            self.segments += self.run
            self.octets += self.run_octets
            self.duration += self.last - self.begin
        self.run = self.run_octets = 0


class Way:
    """One direction of a connection."""

    __slots__ = (
        "bulks",
        "data",
        "header",
        "header_least",
        "iat",
        "last",
        "lengths",
        "psh",
        "segments",
        "urg",
        "window",
    )

    def __init__(self) -> None:
        self.lengths, self.iat, self.bulks = Numbers(), Numbers(), Bulks()
        self.segments = self.psh = self.urg = self.header = self.data = 0
        self.header_least: int | None = None
        self.window: int | None = None
        self.last: int | None = None


class Flow:
    """A connection, segment by segment."""

    __slots__ = (
        *("active", "bare", "begun", "end", "ends", "flags", "iat", "idle", "last", "lengths", "pauses", "start"),
        *("unsized", "ways"),
    )

    def __init__(self, ends: tuple[Any, Any]) -> None:
        self.ends = ends  # (client, server), each (high, low word of the address, port)
        self.ways = (Way(), Way())
        self.lengths, self.iat, self.active, self.idle = Numbers(), Numbers(), Numbers(), Numbers()
        self.flags = dict.fromkeys(FLAGS, 0)
        self.start: int | None = None
        self.end: int | None = None
        self.last: int | None = None
        self.begun = 0  # when the present time of activity began
        self.pauses = 0
        self.unsized = self.bare = False  # a segment of unknown length, or whose header's is not known

    def take(  # noqa: PLR0913, PLR0917 - a segment
        self, side: int, time: int | None, flags: int, size: int | None, header: int, window: int | None
    ) -> None:
        """The next segment; `side` 0 is the client's."""
        way = self.ways[side]
        way.segments += 1
        for name, bit in FLAGS.items():
            if flags & bit:
                self.flags[name] += 1
        way.psh += bool(flags & FLAGS["PSH"])
        way.urg += bool(flags & FLAGS["URG"])
        if way.segments == 1:
            way.window = window
        self._header(way, header)
        if time is not None:
            self._time(way, time)
        if size is None:
            self.unsized = True
            return
        way.lengths.add(size)
        self.lengths.add(size)
        if size:
            way.data += 1
            if time is not None:
                self.ways[1 - side].bulks.end()
                way.bulks.data(time, size)

    def _header(self, way: Way, header: int) -> None:
        if not header:
            self.bare = True
            return
        way.header += header
        way.header_least = header if way.header_least is None else min(way.header_least, header)

    def _time(self, way: Way, time: int) -> None:
        if way.last is not None:
            way.iat.add(time - way.last)
        way.last = time
        if self.last is None or self.start is None or self.end is None:
            self.start = self.end = self.begun = time
        else:
            pause = time - self.last
            self.iat.add(pause)
            self.start, self.end = min(self.start, time), max(self.end, time)
            self.pauses += pause > SUBFLOW_NS
            if pause > IDLE_NS:
                self._was_active()
                self.idle.add(pause)
                self.begun = time
        self.last = time

    def _was_active(self) -> None:
        if self.last is not None and self.last > self.begun:
            self.active.add(self.last - self.begun)

    def finish(self) -> None:
        """Nothing more will come."""
        self._was_active()
        for way in self.ways:
            way.bulks.end()

    @property
    def duration(self) -> int | None:
        """First to last segment in nanoseconds."""
        return None if self.start is None or self.end is None else self.end - self.start

    @property
    def segments(self) -> int:
        """In both directions."""
        return self.ways[0].segments + self.ways[1].segments
