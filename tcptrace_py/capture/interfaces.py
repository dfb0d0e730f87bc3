"""The interfaces of a pcapng section: link type, clock, offset and frame check sequence of their packets.

Knows how a clock unit becomes nanoseconds, exactly.  Does not know blocks or bytes of frames.
"""

from __future__ import annotations

import struct
from dataclasses import dataclass
from typing import TYPE_CHECKING

from tcptrace_py.capture.frames import LATEST_NS, Mark, held
from tcptrace_py.columns import zeros
from tcptrace_py.options import FIXED

if TYPE_CHECKING:
    from collections.abc import Iterable

    from tcptrace_py.capture._scan import Section

MAX_NAME = FIXED["max_interface_name"].default
NAME, TSRESOL, FCSLEN, TSOFFSET = 2, 9, 13, 14  # options of an interface description
NS = 10**9
MAX_CLOCK_EXPONENT = {2: 63, 10: FIXED["max_clock_exponent"].default}


class Beyond(ValueError):  # noqa: N818  it never leaves this room
    """A description beyond a bound."""

    def __init__(self, message: str, bound: str) -> None:
        super().__init__(message)
        self.bound = bound


@dataclass(slots=True)
class Interface:
    """What an interface description says."""

    link: int
    snaplen: int
    name: str = ""
    units: int = 10**6  # in a second
    shift_ns: int = 0
    fcs: int = 0  # octets at a frame's end
    name_cut: bool = False

    @classmethod
    def described(cls, link: int, snaplen: int, order: str, options: Iterable[tuple[int, bytes]]) -> Interface:
        """The interface with these options; `Beyond` where its clock is impossible."""
        found = cls(link, snaplen)
        for code, value in options:
            if code == NAME:
                found.name_cut = len(value) > MAX_NAME
                found.name = value[:MAX_NAME].rstrip(b"\0").decode("utf-8", "backslashreplace")
            elif code == TSRESOL and len(value) == 1:
                found.units = _units(value[0])
            elif code == TSOFFSET and len(value) == 8:  # noqa: PLR2004
                found.shift_ns = struct.unpack(order + "q", value)[0] * NS
            elif code == FCSLEN and len(value) == 1:  # in bits by the draft, in octets by what programs write
                found.fcs = value[0] // 8 if value[0] in (16, 32) else value[0] & 15
        return found

    @property
    def tick_ns(self) -> int:
        """Nanoseconds in a unit; 0 where that is no whole number or the offset is absurd: the slow way, then."""
        return NS // self.units if NS % self.units == 0 and abs(self.shift_ns) <= LATEST_NS else 0

    def time_ns(self, units: int) -> tuple[int, Mark]:
        """The time of a packet and its marks: what is finer than 1 ns is floored, what is too far away clamped."""
        ns, rest = divmod(units * NS, self.units)
        time_ns, mark = held(ns + self.shift_ns)
        return time_ns, Mark.TIME_ODD if rest else mark


class InterfaceColumns:
    """The interfaces of the section at hand, as rows and as the columns that the compiled walk reads."""

    def __init__(self, most: int) -> None:
        self.rows: list[Interface] = []
        self._most_rows = most
        self._allot(8)

    def begin(self, section: Section) -> None:
        """A new section has no interfaces yet."""
        self.rows = []
        self._show(section)

    def add(self, section: Section, interface: Interface) -> None:
        """One more interface of `section`; `Beyond` where they are too many."""
        n = len(self.rows)
        if section.first + n >= self._most_rows:
            raise Beyond(f"more than {self._most_rows} interfaces", "max_interfaces")
        if n == len(self._link):
            old = (self._tick, self._shift, self._most, self._link, self._fcs)
            self._allot(2 * n)
            for new, before in zip((self._tick, self._shift, self._most, self._link, self._fcs), old, strict=True):
                new[:n] = before
            self._show(section)
        tick = interface.tick_ns
        shift = interface.shift_ns if tick else 0
        self._tick[n], self._shift[n] = tick, shift
        self._most[n] = (LATEST_NS - abs(shift)) // (tick or 1)
        self._link[n], self._fcs[n] = interface.link, interface.fcs
        self.rows.append(interface)
        section.count = n + 1

    def _allot(self, capacity: int) -> None:
        self._tick, self._shift, self._link, self._fcs = (zeros("q", capacity) for _ in range(4))
        self._most = zeros("Q", capacity)

    def _show(self, section: Section) -> None:
        section.tick_ns, section.shift_ns = memoryview(self._tick), memoryview(self._shift)
        section.max_units = memoryview(self._most)
        section.link, section.fcs = memoryview(self._link), memoryview(self._fcs)


def _units(resolution: int) -> int:
    """Units in a second by the option if_tsresol: a power of ten, or with the top bit of two."""
    base, exponent = (2, resolution & 0x7F) if resolution & 0x80 else (10, resolution)
    if exponent > MAX_CLOCK_EXPONENT[base]:
        raise Beyond(f"clock unit {base}^-{exponent}", "max_clock_exponent")
    return int(base**exponent)
