"""Walks over one chunk of a capture: pcap records and pcapng blocks become rows of frames.

Knows how a record is laid out.  Does not know files, chunks before or after this one, or what a frame holds.
"""

from __future__ import annotations

try:
    import cython
except ModuleNotFoundError:  # not compiled, and no Cython here: a shim has the few names we use
    from tcptrace_py import _cython_shim as cython

from tcptrace_py.capture.damage import Stop
from tcptrace_py.capture.frames import Mark

FULL = cython.declare(cython.int, int(Stop.FULL))
MORE = cython.declare(cython.int, int(Stop.MORE))
OTHER = cython.declare(cython.int, int(Stop.OTHER))
BAD_LENGTH = cython.declare(cython.int, int(Stop.BAD_LENGTH))
BAD_TRAILER = cython.declare(cython.int, int(Stop.BAD_TRAILER))
BAD_INTERFACE = cython.declare(cython.int, int(Stop.BAD_INTERFACE))
BAD_CAPTURED = cython.declare(cython.int, int(Stop.BAD_CAPTURED))
BAD_OPTION = cython.declare(cython.int, int(Stop.BAD_OPTION))

NO_TIME = cython.declare(cython.int, int(Mark.NO_TIME))
ORIGINAL_TOO_SMALL = cython.declare(cython.int, int(Mark.ORIGINAL_TOO_SMALL))
TIME_ODD = cython.declare(cython.int, int(Mark.TIME_ODD))

NS = cython.declare(cython.longlong, 1_000_000_000)
DAY = cython.declare(cython.uint, 86_400)
LATEST = cython.declare(cython.longlong, (1 << 63) - 1)
SECTION = cython.declare(cython.uint, 0x0A0D0D0A)  # the same in both byte orders
INTERFACE = cython.declare(cython.uint, 1)
SIMPLE_PACKET = cython.declare(cython.uint, 3)
PACKET = cython.declare(cython.uint, 6)


@cython.final
@cython.cclass
class Rows:
    """The columns of one `Frames`, `n` of them in use, and where the last walk ended."""

    offset = cython.declare(cython.longlong[::1], visibility="public")
    captured = cython.declare(cython.longlong[::1], visibility="public")
    original = cython.declare(cython.longlong[::1], visibility="public")
    time_ns = cython.declare(cython.longlong[::1], visibility="public")
    link = cython.declare(cython.int[::1], visibility="public")
    interface = cython.declare(cython.int[::1], visibility="public")
    marks = cython.declare(cython.int[::1], visibility="public")
    capacity = cython.declare(cython.Py_ssize_t, visibility="public")
    n = cython.declare(cython.Py_ssize_t, visibility="public")
    at = cython.declare(cython.Py_ssize_t, visibility="public")
    wanted = cython.declare(cython.longlong, visibility="public")

    def __init__(self, frames: object) -> None:
        self.offset = memoryview(frames.offset)
        self.captured = memoryview(frames.captured)
        self.original = memoryview(frames.original)
        self.time_ns = memoryview(frames.time_ns)
        self.link = memoryview(frames.link)
        self.interface = memoryview(frames.interface)
        self.marks = memoryview(frames.marks)
        self.capacity = min(len(c) for c in (frames.offset, frames.captured, frames.original, frames.time_ns))
        self.capacity = min(self.capacity, *(len(c) for c in (frames.link, frames.interface, frames.marks)))
        self.n = 0
        self.at = 0
        self.wanted = 0


@cython.final
@cython.cclass
class PcapLayout:
    """What a pcap file header says about all records."""

    big = cython.declare(cython.bint, visibility="public")
    header = cython.declare(cython.Py_ssize_t, visibility="public")  # 16, or 24 in the modified form
    ticks = cython.declare(cython.longlong, visibility="public")  # in a second
    lengths_swapped = cython.declare(cython.int, visibility="public")  # 0 no, 1 yes, 2 where they make sense so
    max_record = cython.declare(cython.uint, visibility="public")
    link = cython.declare(cython.int, visibility="public")
    fcs = cython.declare(cython.uint, visibility="public")
    last_seconds = cython.declare(cython.uint, visibility="public")  # of the last record that has a time; 0: none yet

    def __init__(self, big: cython.bint, header: cython.Py_ssize_t, ticks: cython.longlong) -> None:
        self.big = big
        self.header = header
        self.ticks = ticks
        self.lengths_swapped = 0
        self.max_record = 262_144
        self.link = 1
        self.fcs = 0
        self.last_seconds = 0


@cython.final
@cython.cclass
class Section:
    """What a pcapng section says about its packets; a row an interface in the columns."""

    big = cython.declare(cython.bint, visibility="public")
    first = cython.declare(cython.int, visibility="public")  # number of interface 0, counted over all sections
    count = cython.declare(cython.uint, visibility="public")
    tick_ns = cython.declare(cython.longlong[::1], visibility="public")  # 0: the caller works out the time
    shift_ns = cython.declare(cython.longlong[::1], visibility="public")
    max_units = cython.declare(cython.ulonglong[::1], visibility="public")  # more do not fit int64 nanoseconds
    link = cython.declare(cython.longlong[::1], visibility="public")
    fcs = cython.declare(cython.longlong[::1], visibility="public")

    def __init__(self, big: cython.bint, first: cython.int) -> None:
        self.big = big
        self.first = first
        self.count = 0


# The walks below prove once, at their head, that columns and chunk are as long as they say; after that each octet and
# each row is within them by the walk's own conditions, and is not checked again.


@cython.cfunc
@cython.inline
@cython.nogil
@cython.boundscheck(False)
@cython.exceptval(check=False)
def word(buf: cython.const[cython.uchar][::1], at: cython.Py_ssize_t, big: cython.bint) -> cython.uint:
    if cython.compiled:
        return big_32(cython.address(buf[at])) if big else little_32(cython.address(buf[at]))  # noqa: F821 - of _octets.pxd
    if big:
        return (cython.cast(cython.uint, buf[at]) << 24) | (buf[at + 1] << 16) | (buf[at + 2] << 8) | buf[at + 3]
    return (cython.cast(cython.uint, buf[at + 3]) << 24) | (buf[at + 2] << 16) | (buf[at + 1] << 8) | buf[at]


@cython.cfunc
@cython.inline
@cython.nogil
@cython.boundscheck(False)
@cython.exceptval(check=False)
def half(buf: cython.const[cython.uchar][::1], at: cython.Py_ssize_t, big: cython.bint) -> cython.uint:
    if cython.compiled:
        return big_16(cython.address(buf[at])) if big else little_16(cython.address(buf[at]))  # noqa: F821 - of _octets.pxd
    if big:
        return (cython.cast(cython.uint, buf[at]) << 8) | buf[at + 1]
    return (cython.cast(cython.uint, buf[at + 1]) << 8) | buf[at]


@cython.ccall
@cython.boundscheck(False)
def scan_pcap(
    buf: cython.const[cython.uchar][::1],
    at: cython.Py_ssize_t,
    end: cython.Py_ssize_t,
    rows: Rows,
    layout: PcapLayout,
) -> cython.int:
    """Rows for the records in ``buf[at:end]``; why it ended, with `rows.at` at the record that is not used yet."""
    if at < 0 or end > len(buf) or not 0 <= rows.n <= rows.capacity:
        raise ValueError("the chunk lies outside the buffer, or the rows outside their columns")
    offset: cython.longlong[::1] = rows.offset
    captured: cython.longlong[::1] = rows.captured
    original: cython.longlong[::1] = rows.original
    time_ns: cython.longlong[::1] = rows.time_ns
    marks: cython.int[::1] = rows.marks
    link: cython.int[::1] = rows.link
    interface: cython.int[::1] = rows.interface
    big: cython.bint = layout.big
    swapped: cython.int = layout.lengths_swapped
    max_record: cython.uint = layout.max_record
    capacity: cython.Py_ssize_t = rows.capacity
    header: cython.Py_ssize_t = layout.header
    ticks: cython.longlong = layout.ticks
    tick_ns: cython.longlong = NS // ticks
    fcs: cython.uint = layout.fcs
    last: cython.uint = layout.last_seconds
    n: cython.Py_ssize_t = rows.n
    first: cython.Py_ssize_t = n
    stop: cython.int = FULL
    seconds: cython.uint
    fraction: cython.uint
    size: cython.uint
    wire: cython.uint
    mark: cython.int
    i: cython.Py_ssize_t
    with cython.nogil:
        while n < capacity:
            if end - at < header:
                rows.wanted = header
                stop = MORE
                break
            seconds = word(buf, at, big)
            fraction = word(buf, at + 4, big)
            size = word(buf, at + 8, big)
            wire = word(buf, at + 12, big)
            if swapped and (swapped == 1 or size > wire):
                size, wire = wire, size
            if size > max_record:
                rows.wanted = size
                stop = BAD_LENGTH
                break
            if end - at - header < size:
                rows.wanted = header + cython.cast(cython.longlong, size)
                stop = MORE
                break
            mark = 0
            if fraction >= ticks:  # carried into the seconds
                mark = TIME_ODD
            if seconds == 0 and fraction == 0 and (last > DAY or (size == 0 and wire == 0)):  # a hole in the file
                mark = NO_TIME | TIME_ODD
            else:
                last = seconds
            offset[n] = at + header
            at += header + cython.cast(cython.Py_ssize_t, size)
            if size > wire:
                mark |= ORIGINAL_TOO_SMALL
            elif fcs > 0:
                wire = wire - fcs if wire > fcs else 0
                size = size if size < wire else wire
            captured[n] = size
            original[n] = wire
            time_ns[n] = seconds * NS + fraction * tick_ns
            marks[n] = mark
            n += 1
        for i in range(first, n):
            link[i] = layout.link
            interface[i] = 0
    layout.last_seconds = last
    rows.n = n
    rows.at = at
    return stop


@cython.cfunc
@cython.nogil
@cython.exceptval(check=False)
def epb_options(
    buf: cython.const[cython.uchar][::1], at: cython.Py_ssize_t, end: cython.Py_ssize_t, big: cython.bint
) -> cython.int:
    """Octets of frame check sequence by the flags option, -1 where none speaks of it, -2 for an option that overruns.

    Bits 5 to 8 of epb_flags (option 2); 0 there means that it is not known.
    """
    fcs: cython.int = -1
    code: cython.uint
    size: cython.uint
    flags: cython.uint
    while at < end:
        if end - at < 4:
            return -2
        code = half(buf, at, big)
        size = half(buf, at + 2, big)
        if code == 0:
            return fcs
        if end - at - 4 < size:
            return -2
        if code == 2 and size == 4:
            flags = word(buf, at + 4, big)
            if flags >> 5 & 15:
                fcs = flags >> 5 & 15
        at += 4 + ((size + 3) & 0x1FFFC)
    return fcs


@cython.ccall
def scan_pcapng(
    buf: cython.const[cython.uchar][::1],
    at: cython.Py_ssize_t,
    end: cython.Py_ssize_t,
    rows: Rows,
    section: Section,
    max_block: cython.longlong,
) -> cython.int:
    """Rows for the packet blocks in ``buf[at:end]``; why it ended, with `rows.at` at the block not used yet.

    Blocks that carry no packet are passed over; those that change what follows (sections, interfaces), and the
    rare kinds of packet, are left to the caller.
    """
    if at < 0 or end > len(buf):
        raise ValueError("the chunk lies outside the buffer")
    offset: cython.longlong[::1] = rows.offset
    captured: cython.longlong[::1] = rows.captured
    original: cython.longlong[::1] = rows.original
    time_ns: cython.longlong[::1] = rows.time_ns
    link: cython.int[::1] = rows.link
    interface: cython.int[::1] = rows.interface
    marks: cython.int[::1] = rows.marks
    big: cython.bint = section.big
    n: cython.Py_ssize_t = rows.n
    stop: cython.int = FULL
    kind: cython.uint
    length: cython.longlong
    number: cython.uint
    units: cython.ulonglong
    size: cython.longlong
    wire: cython.longlong
    fcs: cython.longlong
    mark: cython.int
    with cython.nogil:
        while n < rows.capacity:
            if end - at < 12:
                rows.wanted = 12
                stop = MORE
                break
            kind = word(buf, at, big)
            if kind == SECTION:  # its length may be in the other byte order
                stop = OTHER
                break
            length = word(buf, at + 4, big)
            if length < 12 or length & 3 or length > max_block:
                rows.wanted = length
                stop = BAD_LENGTH
                break
            if end - at < length:
                rows.wanted = length
                stop = MORE
                break
            if word(buf, at + length - 4, big) != length:
                stop = BAD_TRAILER
                break
            if kind != PACKET:
                if INTERFACE <= kind <= SIMPLE_PACKET:
                    stop = OTHER
                    break
                at += length
                continue
            if length < 32:
                rows.wanted = length
                stop = BAD_LENGTH
                break
            number = word(buf, at + 8, big)
            if number >= section.count:
                rows.wanted = number
                stop = BAD_INTERFACE
                break
            size = word(buf, at + 20, big)
            wire = word(buf, at + 24, big)
            if size > length - 32:
                rows.wanted = size
                stop = BAD_CAPTURED
                break
            units = (cython.cast(cython.ulonglong, word(buf, at + 12, big)) << 32) | word(buf, at + 16, big)
            if section.tick_ns[number] == 0 or units > section.max_units[number]:
                stop = OTHER
                break
            fcs = epb_options(buf, at + 28 + ((size + 3) & -4), at + length - 4, big)
            if fcs == -2:
                stop = BAD_OPTION
                break
            if fcs < 0:
                fcs = section.fcs[number]
            offset[n] = at + 28
            at += length
            mark = 0
            if size > wire:
                mark = ORIGINAL_TOO_SMALL
            elif fcs > 0:
                wire = wire - fcs if wire > fcs else 0
                size = size if size < wire else wire
            captured[n] = size
            original[n] = wire
            time_ns[n] = cython.cast(cython.longlong, units) * section.tick_ns[number] + section.shift_ns[number]
            link[n] = section.link[number]
            interface[n] = section.first + number
            marks[n] = mark
            n += 1
    rows.n = n
    rows.at = at
    return stop


@cython.ccall
@cython.boundscheck(False)
def survey(rows: Rows, n: cython.Py_ssize_t):
    """Earliest and latest time of `n` rows (None where none has one), whether all share a link type, marks, length.

    The marks are those of any row; the length is the largest captured one.
    """
    if n < 1 or n > rows.capacity:
        raise ValueError("so many rows there are not")
    link: cython.int[::1] = rows.link
    marks: cython.int[::1] = rows.marks
    time_ns: cython.longlong[::1] = rows.time_ns
    captured: cython.longlong[::1] = rows.captured
    i: cython.Py_ssize_t
    timed: cython.Py_ssize_t = 0
    one_link: cython.bint = True
    any_mark: cython.int = 0
    longest: cython.longlong = 0
    first: cython.longlong = LATEST
    last: cython.longlong = -LATEST
    with cython.nogil:
        for i in range(n):
            if link[i] != link[0]:
                one_link = False
            any_mark |= marks[i]
            longest = max(longest, captured[i])
            if not marks[i] & NO_TIME:
                first = min(first, time_ns[i])
                last = max(last, time_ns[i])
                timed += 1
    return (first if timed else None, last if timed else None, one_link, any_mark, longest)
