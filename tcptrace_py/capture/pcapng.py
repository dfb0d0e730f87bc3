"""pcapng files: sections, interfaces and the rare kinds of packet block; the common kind is walked by `_scan`.

https://www.ietf.org/archive/id/draft-ietf-opsawg-pcapng-03.html
"""

from __future__ import annotations

import re
import struct
from typing import TYPE_CHECKING, NamedTuple

from tcptrace_py.capture._scan import Rows, Section, scan_pcapng
from tcptrace_py.capture.damage import Damage, Stop, cut_short, damaged
from tcptrace_py.capture.frames import Mark
from tcptrace_py.capture.interfaces import Beyond, Interface, InterfaceColumns
from tcptrace_py.capture.resync import find_next
from tcptrace_py.errors import UnreadableError

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tcptrace_py.capture.frames import CaptureInfo, Frames
    from tcptrace_py.capture.source import Window
    from tcptrace_py.options import Limits

MAGIC = b"\x0a\x0d\x0d\x0a"
ORDER = {b"\x1a\x2b\x3c\x4d": ">", b"\x4d\x3c\x2b\x1a": "<"}
LARGEST_COMMON = 1 << 19  # of a block that is to be believed without its predecessor
SMALLEST_BLOCK = 12
SMALLEST_SECTION = 28
COMMON_BLOCKS = (1, 2, 3, 4, 5, 6, 0x0A0D0D0A)
INTERFACE, OLD_PACKET, SIMPLE_PACKET = 1, 2, 3
EPB_FLAGS = 2


class _Block(NamedTuple):
    """A whole block in the window: ``buffer[at:end]``, with its byte order and its place in the stream."""

    buffer: bytearray
    at: int
    end: int
    order: str
    offset: int

    def numbers(self, layout: str, skip: int) -> tuple[int, ...]:
        """Numbers `skip` bytes from the block's beginning."""
        if skip + struct.calcsize("<" + layout) > self.end - self.at - 4:
            raise self.damage(f"block length {self.end - self.at}")
        return struct.unpack_from(self.order + layout, self.buffer, self.at + skip)

    def options(self, skip: int) -> Iterator[tuple[int, bytes]]:
        """Code and value of the options that begin `skip` bytes from the block's beginning."""
        at, end = self.at + skip, self.end - 4
        while at < end:
            code, size = struct.unpack_from(self.order + "HH", self.buffer, at) if end - at >= 4 else (1, 0xFFFF)  # noqa: PLR2004
            if code == 0:
                return
            if size > end - at - 4:
                raise self.damage("an option is longer than the block", "bad_option")
            yield code, bytes(self.buffer[at + 4 : at + 4 + size])
            at += 4 + size + -size % 4

    def damage(self, why: str, reason: str = "bad_length") -> Damage:
        return damaged("a block", self.offset, why, reason)


class _Packet(NamedTuple):
    """What the rare kinds of packet block have in common."""

    interface: int
    units: int | None
    captured: int
    original: int
    skip: int  # from the block's beginning to the frame's


class Pcapng:
    """A pcapng file, section by section."""

    def __init__(self, window: Window, info: CaptureInfo, frames: Frames, limits: Limits) -> None:
        head = window.peek(SMALLEST_SECTION)
        if len(head) < SMALLEST_SECTION:
            message = f"the pcapng header is cut short (wanted {SMALLEST_SECTION} bytes, got {len(head)})"
            raise UnreadableError(message, "cut_header")
        order = ORDER.get(head[8:12])
        if order is None:
            raise UnreadableError("the pcapng header lacks its byte-order mark", "unknown_version")
        major, minor = struct.unpack(order + "HH", head[12:16])
        if major != 1:
            raise UnreadableError(f"pcapng version {major}.{minor} is not known (1.0 is)", "unknown_version")
        info.format = "pcapng" + (" big-endian" if order == ">" else "")
        self.rows = Rows(frames)
        self._info = info
        self._max_block = limits.max_block
        self._columns = InterfaceColumns(limits.max_interfaces)
        self._section = Section(order == ">", 0)
        self._columns.begin(self._section)  # for what is found after a first section header that is damaged

    def step(self, window: Window, frame: int) -> Stop:
        """Fill rows from the window; `frame` is the number of the first of them."""
        while True:
            stop = Stop(scan_pcapng(window.buffer, window.start, window.end, self.rows, self._section, self._max_block))
            window.use(self.rows.at)
            if stop is Stop.OTHER:
                if not self._other(window):
                    return Stop.MORE
            elif stop in (Stop.FULL, Stop.MORE):
                return stop
            else:
                raise self._damage(stop, window.offset, frame + self.rows.n)

    def cut(self, window: Window, frame: int) -> Damage:
        """The damage that the end of the input is here."""
        return cut_short(f"a block before frame {frame}", window.offset, self.rows.wanted, window.available)

    def recover(self, window: Window) -> bool:
        """Move the window to the next plausible block: its two lengths agree."""
        order = ">" if self._section.big else "<"
        kinds = b"|".join(re.escape(struct.pack(order + "I", kind)) for kind in COMMON_BLOCKS)
        return find_next(window, SMALLEST_BLOCK, re.compile(kinds), self._is_block)

    def _is_block(self, window: Window) -> bool:
        order = ">" if self._section.big else "<"
        kind, length = struct.unpack_from(order + "II", window.buffer, window.start)
        if kind not in COMMON_BLOCKS or length % 4 or not SMALLEST_BLOCK <= length <= LARGEST_COMMON:
            return False
        if not window.fill(length):
            return False
        (trailer,) = struct.unpack_from(order + "I", window.buffer, window.start + length - 4)
        return bool(trailer == length)

    def _damage(self, stop: Stop, offset: int, frame: int) -> Damage:
        value = self.rows.wanted
        why, reason = {
            Stop.BAD_LENGTH: (f"block length {value}", "bad_length"),
            Stop.BAD_TRAILER: ("its two lengths differ", "bad_trailer"),
            Stop.BAD_INTERFACE: (f"interface {value} is not described", "bad_interface"),
            Stop.BAD_CAPTURED: (f"captured length {value} is more than the block", "bad_length"),
            Stop.BAD_OPTION: ("an option is longer than the block", "bad_option"),
        }[stop]
        bound = "max_block" if stop is Stop.BAD_LENGTH and value > self._max_block else ""
        return damaged(f"the block of frame {frame}", offset, why, reason, bound)

    def _other(self, window: Window) -> bool:
        """Take the block that the walk left to us; False where more of it has to be read."""
        at = window.start
        order = ">" if self._section.big else "<"
        is_section = window.buffer[at : at + 4] == MAGIC
        if is_section:
            length, order = _section_length(window, self._max_block)
            if window.available < length:
                self.rows.wanted = length
                return False
        else:
            (length,) = struct.unpack_from(order + "I", window.buffer, at + 4)
        block = _Block(window.buffer, at, at + length, order, window.offset)
        if is_section:
            self._begin_section(block)
        elif block.numbers("I", 0) == (INTERFACE,):
            self._add_interface(block)
        else:
            self._add_packet(block)
        window.use(at + length)
        return True

    def _begin_section(self, block: _Block) -> None:
        major, minor = block.numbers("HH", 12)
        if major != 1:
            raise block.damage(f"a section of version {major}.{minor}", "bad_version")
        before = self._section.first + self._section.count
        self._section = Section(block.order == ">", before)
        self._columns.begin(self._section)

    def _add_interface(self, block: _Block) -> None:
        link, _reserved, snaplen = block.numbers("HHI", 8)
        try:
            interface = Interface.described(link, snaplen, block.order, block.options(16))
            self._columns.add(self._section, interface)
        except Beyond as error:
            raise damaged("a block", block.offset, str(error), "bad_interface", error.bound) from None
        self._info.interfaces.append(interface.name)
        if interface.name_cut:
            self._info.limits["max_interface_name"] += 1

    def _add_packet(self, block: _Block) -> None:
        """A row for a packet block that is old, simple, or has an unusual clock."""
        packet = self._parse(block)
        interface = self._columns.rows[packet.interface]
        captured, original = packet.captured, packet.original
        room = block.end - block.at - packet.skip - 4
        if captured > room:
            raise block.damage(f"captured length {captured} is more than the block")
        fcs, marks = interface.fcs, Mark(0)
        if packet.units is not None:
            fcs = _fcs_by_flags(block, packet.skip + captured + -captured % 4) or fcs
        if captured > original:
            marks |= Mark.ORIGINAL_TOO_SMALL
        elif fcs:
            original = max(original - fcs, 0)
            captured = min(captured, original)
        time_ns, odd = interface.time_ns(packet.units) if packet.units is not None else (0, Mark.NO_TIME)
        rows, n = self.rows, self.rows.n
        rows.offset[n], rows.captured[n], rows.original[n] = block.at + packet.skip, captured, original
        rows.time_ns[n], rows.marks[n] = time_ns, marks | odd
        rows.link[n], rows.interface[n] = interface.link, self._section.first + packet.interface
        rows.n += 1

    def _parse(self, block: _Block) -> _Packet:
        (kind,) = block.numbers("I", 0)
        if kind == SIMPLE_PACKET:
            (original,) = block.numbers("I", 8)
            packet = _Packet(0, None, original, original, 12)
        elif kind == OLD_PACKET:
            number, _drops, high, low, captured, original = block.numbers("HHIIII", 8)
            packet = _Packet(number, high << 32 | low, captured, original, 28)
        else:
            number, high, low, captured, original = block.numbers("IIIII", 8)
            packet = _Packet(number, high << 32 | low, captured, original, 28)
        if packet.interface >= self._section.count:
            raise block.damage(f"interface {packet.interface} is not described", "bad_interface")
        if kind == SIMPLE_PACKET:  # its captured length is not written
            snaplen = self._columns.rows[0].snaplen or block.end - block.at - 16
            packet = packet._replace(captured=min(packet.original, snaplen))
        return packet


def _section_length(window: Window, max_block: int) -> tuple[int, str]:
    """Length of the section header at the window's start, and its byte order."""
    head = window.buffer[window.start : window.start + 12]
    order = ORDER.get(bytes(head[8:12]))
    if order is None:
        raise damaged("a section header", window.offset, "no byte-order mark", "bad_version")
    (length,) = struct.unpack_from(order + "I", head, 4)
    if length < SMALLEST_SECTION or length % 4 or length > max_block:
        bound = "max_block" if length > max_block else ""
        raise damaged("a section header", window.offset, f"block length {length}", bound=bound)
    end = window.start + length
    if window.available >= length and window.buffer[end - 4 : end] != head[4:8]:
        raise damaged("a section header", window.offset, "its two lengths differ", "bad_trailer")
    return length, order


def _fcs_by_flags(block: _Block, skip: int) -> int:
    """Octets of frame check sequence by epb_flags (bits 5 to 8), 0 where it is not known."""
    fcs = 0
    for code, value in block.options(skip):
        if code == EPB_FLAGS and len(value) == 4:  # noqa: PLR2004
            fcs = struct.unpack(block.order + "I", value)[0] >> 5 & 15 or fcs
    return fcs
