"""pcap files: the header, and all its variants; the records themselves are walked by `_scan`.

https://www.ietf.org/archive/id/draft-ietf-opsawg-pcap-05.html, and for what older programs wrote, libpcap's practice.
"""

from __future__ import annotations

import re
import struct
from typing import TYPE_CHECKING, NamedTuple

from tcptrace_py.capture._scan import PcapLayout, Rows, scan_pcap
from tcptrace_py.capture.damage import Damage, Stop, cut_short, damaged
from tcptrace_py.capture.resync import find_next
from tcptrace_py.errors import UnreadableError

if TYPE_CHECKING:
    from tcptrace_py.capture.frames import CaptureInfo, Frames
    from tcptrace_py.capture.source import Window
    from tcptrace_py.options import Limits

HEADER = 24
LARGEST_ORIGINAL = 1 << 18  # of a record that is to be believed without its predecessor
DAY, M32 = 86_400, 0xFFFFFFFF
MAX_SNAPLEN = 16 << 20  # whatever the header claims
FCS_PRESENT = 0x0400_0000  # then the top four bits count its 16-bit words


class _Variant(NamedTuple):
    name: str
    order: str
    ticks: int
    record_header: int


MAGIC = {
    struct.pack(order + "I", magic): _Variant(name, order, ticks, record_header)
    for order in "<>"
    for magic, name, ticks, record_header in (
        (0xA1B2C3D4, "pcap", 10**6, 16),
        (0xA1B23C4D, "pcap (ns)", 10**9, 16),
        (0xA1B2CD34, "pcap (modified)", 10**6, 24),  # Kuznetzov's patch: interface, protocol, packet type
    )
}


class Pcap:
    """A pcap file, after its header."""

    def __init__(self, window: Window, info: CaptureInfo, frames: Frames, limits: Limits) -> None:
        head = window.peek(HEADER)
        variant = MAGIC[head[:4]]
        if len(head) < HEADER:
            message = f"the pcap file header is cut short (wanted {HEADER} bytes, got {len(head)})"
            raise UnreadableError(message, "cut_header")
        major, minor, _zone, _accuracy, snaplen, link = struct.unpack(variant.order + "HHiIII", head[4:])
        # 543.0 was written by a version of AIX's; libpcap reads it as 2.2
        if (major, minor) != (543, 0) and (major != 2 or minor > 4):  # noqa: PLR2004  the versions there are
            raise UnreadableError(f"pcap version {major}.{minor} is not known (2.4 is the last)", "unknown_version")
        window.use(window.start + HEADER)
        self.rows = Rows(frames)
        self._order = variant.order
        self._layout = _layout(variant, snaplen, link, limits.max_record)
        if major != 2 or minor < 3:  # noqa: PLR2004
            self._layout.lengths_swapped = 1
        elif minor == 3:  # noqa: PLR2004  programs disagreed
            self._layout.lengths_swapped = 2
        info.format = variant.name + (" big-endian" if variant.order == ">" else "")
        info.snaplen = snaplen
        if snaplen == 0 or snaplen > MAX_SNAPLEN:
            info.notes.append(f"snaplen {snaplen} in the header")

    def step(self, window: Window, frame: int) -> Stop:
        """Fill rows from the window; `frame` is the number of the first of them."""
        rows = self.rows
        stop = Stop(scan_pcap(window.buffer, window.start, window.end, rows, self._layout))
        window.use(rows.at)
        if stop is Stop.BAD_LENGTH:
            raise damaged(
                f"record {frame + rows.n}",
                window.offset,
                f"captured length {rows.wanted}, at most {self._layout.max_record} can be",
                bound="max_record",
            )
        return stop

    def cut(self, window: Window, frame: int) -> Damage:
        """The damage that the end of the input is here."""
        got, header = window.available, self._layout.header
        if got < header:
            return cut_short(f"the header of record {frame}", window.offset, header, got)
        return cut_short(f"record {frame}", window.offset, self.rows.wanted - header, got - header)

    def recover(self, window: Window) -> bool:
        """Move the window to the next plausible record: one that leads to another, or to the end of the input."""
        return find_next(window, self._layout.header, self._times(), self._leads_on)

    def _times(self) -> re.Pattern[bytes]:
        """What the seconds of a record may look like: a day to either side is a few values of their upper half."""
        before = self._layout.last_seconds
        if not before:
            return re.compile(b"")
        halves = range(max(before - DAY, 0) >> 16, (min(before + DAY, M32) >> 16) + 1)
        upper = b"|".join(re.escape(struct.pack(self._order + "H", half)) for half in halves)
        return re.compile((b"(?:%s)" if self._order == ">" else b"..(?:%s)") % upper, re.DOTALL)

    def _leads_on(self, window: Window) -> bool:
        header = self._layout.header
        size = self._plausible_size(window, 0)
        if size is None:
            return False
        if window.fill(2 * header + size):
            return self._plausible_size(window, header + size) is not None
        return bool(window.available == header + size)

    def _plausible_size(self, window: Window, skip: int) -> int | None:
        """The captured length of the record `skip` bytes on, if its header could be one."""
        at = window.start + skip
        seconds, fraction, size, original = struct.unpack_from(self._order + "IIII", window.buffer, at)
        if self._layout.lengths_swapped:
            size, original = sorted((size, original))
        before = self._layout.last_seconds
        if before and abs(seconds - before) > DAY:
            return None
        if fraction >= self._layout.ticks or not 0 < size <= min(original, self._layout.max_record):
            return None
        return size if original <= LARGEST_ORIGINAL else None


def _layout(variant: _Variant, snaplen: int, link: int, max_record: int) -> PcapLayout:
    layout = PcapLayout(variant.order == ">", variant.record_header, variant.ticks)
    layout.max_record = max(max_record, min(snaplen, MAX_SNAPLEN))
    layout.link = link & 0xFFFF
    if link & FCS_PRESENT:
        layout.fcs = (link >> 28) * 2
    return layout
