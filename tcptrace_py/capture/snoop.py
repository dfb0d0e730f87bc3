"""snoop files (RFC 1761), read with dpkt's record layout: exact times and original lengths, which its reader drops."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from tcptrace_py.capture._scan import Rows
from tcptrace_py.capture.damage import Damage, Stop, cut_short, damaged
from tcptrace_py.capture.frames import Mark
from tcptrace_py.errors import UnreadableError, UnsupportedError

if TYPE_CHECKING:
    from tcptrace_py.capture.frames import CaptureInfo, Frames
    from tcptrace_py.capture.source import Window
    from tcptrace_py.options import Limits

MAGIC = b"snoop\0\0\0"
HEADER = 16
RECORD = 24
MICRO = 10**6
# Datalink of RFC 1761 (and of Solaris since) -> LINKTYPE
LINKTYPE = {0: 1, 2: 6, 4: 1, 8: 10, 16: 226, 18: 123, 26: 242}


class Snoop:
    """A snoop file, after its header."""

    def __init__(self, window: Window, info: CaptureInfo, frames: Frames, limits: Limits) -> None:
        from dpkt.snoop import FileHdr, PktHdr  # late: 0.1 s

        head = window.peek(HEADER)
        if len(head) < HEADER:
            message = f"the snoop file header is cut short (wanted {HEADER} bytes, got {len(head)})"
            raise UnreadableError(message, "cut_header")
        header = FileHdr(head)
        if header.v != 2:  # noqa: PLR2004  version 1 was never documented
            raise UnsupportedError(
                f"snoop version {header.v} is not read; convert: editcap -F pcap", "unsupported_format"
            )
        if header.linktype not in LINKTYPE:
            raise UnsupportedError(
                f"snoop datalink {header.linktype} is not known; convert: editcap -F pcap", "unsupported_link"
            )
        window.use(window.start + HEADER)
        info.format = "snoop"
        self.rows = Rows(frames)
        self._header = PktHdr
        self._most = limits.max_record
        self._link = LINKTYPE[header.linktype]

    def step(self, window: Window, frame: int) -> Stop:
        """Fill rows from the window; `frame` is the number of the first of them."""
        rows = self.rows
        while rows.n < rows.capacity:
            rows.wanted = RECORD
            if window.available < RECORD:
                return Stop.MORE
            at = window.start
            header = self._header(bytes(window.buffer[at : at + RECORD]))
            size, length = header.incl_len, header.rec_len
            if size > self._most or not RECORD + size <= length <= RECORD + size + self._most:
                why = f"captured length {size}, record length {length}"
                bound = "max_record" if size > self._most else ""
                raise damaged(f"record {frame + rows.n}", window.offset, why, bound=bound)
            rows.wanted = length
            if window.available < length:
                return Stop.MORE
            self._add(at + RECORD, header)
            window.use(at + length)
        return Stop.FULL

    def cut(self, window: Window, frame: int) -> Damage:
        """The damage that the end of the input is here."""
        got = window.available
        if got < RECORD:
            return cut_short(f"the header of record {frame}", window.offset, RECORD, got)
        return cut_short(f"record {frame}", window.offset, self.rows.wanted - RECORD, got - RECORD)

    def recover(self, _window: Window) -> bool:
        """Nobody needs it: snoop files are old and rare."""
        return False

    def _add(self, at: int, header: Any) -> None:
        rows, n = self.rows, self.rows.n
        marks = Mark.TIME_ODD if header.ts_usec >= MICRO else Mark(0)
        if header.incl_len > header.orig_len:
            marks |= Mark.ORIGINAL_TOO_SMALL
        rows.offset[n], rows.captured[n], rows.original[n] = at, header.incl_len, header.orig_len
        rows.time_ns[n] = (header.ts_sec * MICRO + header.ts_usec) * 1000
        rows.marks[n], rows.link[n], rows.interface[n] = marks, self._link, 0
        rows.n += 1
