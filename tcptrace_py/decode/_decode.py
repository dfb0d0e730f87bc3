"""The everyday decoder: frames in columns become TCP segments in columns, without the interpreter.

Knows Ethernet, VLAN tags, cooked, loopback and raw links, IPv4, IPv6 and TCP with its options.  What it does not know
it leaves in the middle: `Walk` then says which header stands where, somebody else takes that header off, and the walk
goes on.  Does not know connections, tunnels or fragments.  A frame is never an error: it is a row or a counter.
"""

from __future__ import annotations

try:
    import cython
except ModuleNotFoundError:
    from tcptrace_py import _cython_shim as cython

if not cython.compiled:
    from tcptrace_py.decode._checksum import checksum
    from tcptrace_py.decode._numbers import be16, be32, be64, sure16, sure32, sure64
    from tcptrace_py.decode._options import take_options

from tcptrace_py.columns import filled, zeros
from tcptrace_py.decode import _batch, kinds
from tcptrace_py.decode._batch import Batch
from tcptrace_py.vocabulary import Unused

# What a stage answers: an `Unused` reason, or one of these.
NEXT = cython.declare(cython.int, 100)  # the header was taken off, `kind` and `at` say what follows
SEGMENT = cython.declare(cython.int, 101)  # a row was written
ELSEWHERE = cython.declare(cython.int, 102)  # `kind` at `at` is not for this module
OUTCOME_SEGMENT, OUTCOME_ELSEWHERE = 101, 102  # the same two, for Python

NOT_IP = cython.declare(cython.int, int(Unused.not_ip))
NOT_TCP = cython.declare(cython.int, int(Unused.not_tcp))
TRUNCATED_HEADER = cython.declare(cython.int, int(Unused.truncated_header))
BAD_IP_HEADER = cython.declare(cython.int, int(Unused.bad_ip_header))
BAD_TCP_HEADER = cython.declare(cython.int, int(Unused.bad_tcp_header))
DEPTH_LIMIT = cython.declare(cython.int, int(Unused.depth_limit))
UNSUPPORTED_LINK = cython.declare(cython.int, int(Unused.unsupported_link))
EMPTY_FRAME = cython.declare(cython.int, int(Unused.empty_frame))
NOT_DECODED = cython.declare(cython.int, int(Unused.not_decoded))

IP_PROTOCOL = cython.declare(cython.int, kinds.IP_PROTOCOL)
UDP_PORT = cython.declare(cython.int, kinds.UDP_PORT)
LINK = cython.declare(cython.int, kinds.LINK)
OURS = cython.declare(cython.int, kinds.OURS)
LLC = cython.declare(cython.int, kinds.LLC)
FRAGMENT_4 = cython.declare(cython.int, kinds.FRAGMENT_4)
FRAGMENT_6 = cython.declare(cython.int, kinds.FRAGMENT_6)
IPV4 = cython.declare(cython.int, kinds.IPV4)
IPV6 = cython.declare(cython.int, kinds.IPV6)
TCP = cython.declare(cython.int, kinds.TCP)
UDP = cython.declare(cython.int, kinds.UDP)
ETHERNET = cython.declare(cython.int, kinds.ETHERNET)

NO_TIME = cython.declare(cython.uint, _batch.NO_TIME)
AFTER_GAP = cython.declare(cython.uint, _batch.AFTER_GAP)
TIME_ODD = cython.declare(cython.uint, _batch.TIME_ODD)
LENGTH_FROM_FRAME = cython.declare(cython.uint, _batch.LENGTH_FROM_FRAME)
CUT = cython.declare(cython.uint, _batch.CUT)
MARK_IPV6 = cython.declare(cython.uint, _batch.IPV6)
ORIGINAL_UNKNOWN = cython.declare(cython.int, 16)  # capture's Mark
ORIGINAL_LENGTH_WRONG = cython.declare(cython.uint, _batch.ORIGINAL_LENGTH_WRONG)

M16 = cython.declare(cython.uint, 0xFFFF)
M32 = cython.declare(cython.ulonglong, 0xFFFFFFFF)
MAPPED = cython.declare(cython.ulonglong, 0xFFFF00000000)  # ::ffff:0:0/96 (RFC 4291 section 2.5.5.2)
ROOM = cython.declare(cython.int, 48)  # bits of `net` that may be in use when another VLAN id is to fit (nets.py)


@cython.final
@cython.cclass
class Walk:
    """Where the walk through one frame's headers stands; `run` does it for many frames.

    Attributes
    ----------
    index : int
        Row of the frame in `Frames`.
    kind, at : int
        Which header (`kinds`) stands where in the buffer.
    end, wire_end : int
        Where the captured bytes end, and where the frame ended on the wire.
    ip_at, ip_end : int
        Innermost IP header, and the end of its packet by its own length.
    net : int
        The network so far (`nets`).
    marks : int
        Batch mark bits of this frame so far.
    part : int
        Segments this frame has given so far.
    vlans, max_vlans : int
        VLAN tags so far, and how many may be.
    unused : int64 memoryview
        Frames without a row, by `Unused`.
    too_deep : int64 memoryview
        Frames beyond `max_vlans`, and beyond `max_extensions`.
    payload_at : int64 memoryview
        Where each row's payload starts in the buffer, -1 unless all of it is there; kept for as many rows as it has.
    """

    def __init__(self, peelable: bytes, verify: cython.bint, max_vlans: cython.int, max_extensions: cython.int):
        self.peelable = memoryview(peelable)
        self.verify, self.max_vlans, self.max_extensions = verify, max_vlans, max_extensions
        self.unused = memoryview(zeros("q", len(Unused)))
        self.too_deep = memoryview(zeros("q", 2))
        self.payload_at = memoryview(zeros("q", 0))
        self.index = self.kind = self.at = self.end = self.wire_end = self.ip_at = self.ip_end = 0
        self.net = self.marks = self.part = self.vlans = self.extensions = 0
        self.src_hi = self.src_lo = self.dst_hi = self.dst_lo = 0
        self.ttl = self.tos = self.ip_id = 0
        self.n, self.first_frame = 0, 1
        self.use(b"")

    def keep_payloads(self, capacity: cython.Py_ssize_t) -> None:
        """Note where payloads start, for a batch of that many rows."""
        self.payload_at = memoryview(filled("q", capacity, -1))

    def release(self) -> None:
        """Let go of the buffer, which its owner may want to resize."""
        self.use(b"")

    def use(self, buffer) -> None:
        """Read from `buffer` from now on (until the next `use`, it cannot be resized)."""
        view = memoryview(buffer).cast("B")
        self.buffer = view
        self.words = view[: len(view) // 8 * 8].cast("Q")

    def load(self, frames) -> None:
        """Take the columns of a `Frames`."""
        columns = (frames.offset, frames.captured, frames.original, frames.time_ns, frames.link, frames.interface)
        if frames.n > min(len(column) for column in (*columns, frames.marks)):
            raise ValueError("a column of the frames is shorter than their number")
        self.use(frames.buffer)
        self.offset, self.captured = memoryview(frames.offset), memoryview(frames.captured)
        self.original, self.time_ns = memoryview(frames.original), memoryview(frames.time_ns)
        self.link, self.interface = memoryview(frames.link), memoryview(frames.interface)
        self.frame_marks = memoryview(frames.marks)
        self.n, self.first_frame = frames.n, frames.first_frame

    def run(self, index: cython.Py_ssize_t, batch: Batch) -> cython.int:
        """Decode from frame `index` on; stops when the batch is full, the frames are done, or at ELSEWHERE.

        `self.index` is the first frame that is not done.
        """
        outcome: cython.int = NEXT
        with cython.nogil:
            while index < self.n and batch.n < batch.capacity:
                self.enter(index)
                outcome = self.follow(batch) if self.at < self.end else EMPTY_FRAME
                if outcome == ELSEWHERE:
                    break
                if outcome != SEGMENT:
                    self.unused[outcome] += 1
                index += 1
        self.index = index
        return outcome

    @cython.boundscheck(False)
    def enter(self, index: cython.Py_ssize_t) -> cython.void:
        """Stand before the first header of frame `index`; `load` has made sure that all columns are as long as `n`."""
        if not 0 <= index < self.n:
            return
        marks: cython.int = self.frame_marks[index]
        self.index = index
        self.kind = LINK + self.link[index]
        self.at = self.offset[index]
        self.end = min(self.at + self.captured[index], len(self.buffer))
        self.wire_end = self.at + max(self.captured[index], self.original[index])
        self.net = 0
        self.vlans = self.extensions = self.part = 0
        self.marks = (marks & 3) | (TIME_ODD if marks & 8 else 0)  # Mark.NO_TIME, AFTER_GAP: the same bits

    def follow(self, batch: Batch) -> cython.int:
        """Walk on from `kind` at `at` to a segment, to a reason why there is none, or to what is not for us."""
        outcome: cython.int = NEXT
        kind: cython.int
        while outcome == NEXT:
            kind = self.kind
            if kind == ETHERNET:
                outcome = self._ethernet()
            elif kind == IPV4:
                outcome = self._ipv4()
            elif kind == TCP:
                outcome = self._tcp(batch)
            elif kind == IPV6:
                outcome = self._ipv6()
            elif kind < IP_PROTOCOL:
                outcome = self._ethertype()
            elif kind < UDP_PORT:
                outcome = self._ip_protocol()
            elif kind < OURS:
                outcome = self._link()
            else:
                outcome = self._llc() if kind == LLC else ELSEWHERE
        return outcome

    # Link layers

    def _ethernet(self) -> cython.int:
        if self.at + 14 > self.end:
            return TRUNCATED_HEADER
        return self._typed(self.at + 14, be16(self.buffer, self.at + 12))

    def _typed(self, at: cython.Py_ssize_t, ethertype: cython.int) -> cython.int:
        """After a type field; IEEE 802.3 section 3.2.6: up to 1500 it is a length, and LLC follows."""
        self.at = at
        self.kind = ethertype if ethertype > 1500 else LLC
        return NEXT

    def _link(self) -> cython.int:
        at: cython.Py_ssize_t = self.at
        link: cython.int = self.kind - LINK
        if at >= self.end:
            return TRUNCATED_HEADER
        if link in (101, 12, 14):
            return self._raw()
        if link in (228, 229):
            self.kind = IPV4 if link == 228 else IPV6
            return NEXT
        if link == 113:
            return self._typed(at + 16, be16(self.buffer, at + 14)) if at + 16 <= self.end else TRUNCATED_HEADER
        if link == 276:
            return self._typed(at + 20, be16(self.buffer, at)) if at + 20 <= self.end else TRUNCATED_HEADER
        if link in (0, 108):
            return self._null()
        return ELSEWHERE if self.peelable[self.kind] else UNSUPPORTED_LINK

    def _raw(self) -> cython.int:
        version: cython.int = self.buffer[self.at] >> 4
        if version not in (4, 6):
            return BAD_IP_HEADER
        self.kind = IPV4 if version == 4 else IPV6
        return NEXT

    def _null(self) -> cython.int:
        """An address family in the byte order of the capturing host (0) or of the network (108)."""
        family: cython.uint
        if self.at + 4 > self.end:
            return TRUNCATED_HEADER
        family = be32(self.buffer, self.at)
        if family > M16:  # the other order
            family = (family >> 24) | (family >> 8 & 0xFF00) | ((family & M16) << 16)
        self.at += 4
        if family == 2:
            self.kind = IPV4
        elif family in (10, 23, 24, 28, 30):
            self.kind = IPV6  # Linux, Windows, NetBSD and OpenBSD, FreeBSD, Darwin
        else:
            return NOT_IP
        return NEXT

    def _llc(self) -> cython.int:
        at: cython.Py_ssize_t = self.at
        saps: cython.int
        if at + 3 > self.end:
            return TRUNCATED_HEADER
        saps = be16(self.buffer, at)
        if self.buffer[at + 2] != 3:
            return NOT_IP
        if saps == 0x0606:  # IP's own SAP
            self.kind, self.at = IPV4, at + 3
            return NEXT
        if saps != 0xAAAA:
            return NOT_IP
        if at + 8 > self.end:
            return TRUNCATED_HEADER
        if be16(self.buffer, at + 3) != 0 or (self.buffer[at + 5] != 0 and self.buffer[at + 5] != 0xF8):
            return NOT_IP  # SNAP, but not of RFC 1042 nor of IEEE 802.1H
        self.kind, self.at = be16(self.buffer, at + 6), at + 8
        return NEXT

    def _ethertype(self) -> cython.int:
        kind: cython.int = self.kind
        if kind in (0x8100, 0x88A8, 0x9100, 0x9200, 0x9300):
            return self._vlan()
        return ELSEWHERE if self.peelable[kind] else NOT_IP

    def _vlan(self) -> cython.int:
        at: cython.Py_ssize_t = self.at
        vlan_id: cython.int
        if at + 4 > self.end:
            return TRUNCATED_HEADER
        vlan_id = be16(self.buffer, at) & 0xFFF
        if vlan_id:  # IEEE 802.1Q table 9-2: id 0 is a priority, not a network
            if self.net >> ROOM and self.vlans < self.max_vlans:
                return ELSEWHERE
            self.net = (self.net << 12) | vlan_id
        self.vlans += 1
        if self.vlans > self.max_vlans:
            self.too_deep[0] += 1
            return DEPTH_LIMIT
        return self._typed(at + 4, be16(self.buffer, at + 2))

    # IP

    @cython.boundscheck(False)
    def _ipv4(self) -> cython.int:
        at: cython.Py_ssize_t = self.at
        header: cython.int
        total: cython.int
        protocol: cython.int
        if not 0 <= at < self.end <= len(self.buffer):
            return TRUNCATED_HEADER
        header = (self.buffer[at] & 15) * 4
        if self.buffer[at] >> 4 != 4 or header < 20:
            return BAD_IP_HEADER
        if at + 20 > self.end:
            return TRUNCATED_HEADER
        total = sure16(self.buffer, at + 2)
        if 0 < total < header:
            return BAD_IP_HEADER
        if at + header > self.end:
            return TRUNCATED_HEADER
        self._packet(at, at + total if total else 0, 0)
        self.tos, self.ttl, self.ip_id = self.buffer[at + 1], self.buffer[at + 8], sure16(self.buffer, at + 4)
        self.src_hi = self.dst_hi = 0
        self.src_lo, self.dst_lo = MAPPED | sure32(self.buffer, at + 12), MAPPED | sure32(self.buffer, at + 16)
        protocol = IP_PROTOCOL + self.buffer[at + 9]
        if sure16(self.buffer, at + 6) & 0x3FFF:
            self.kind = FRAGMENT_4
            return ELSEWHERE if protocol in (TCP, UDP) or self.peelable[protocol] else NOT_TCP
        self.kind, self.at = protocol, at + header
        return NEXT

    def _packet(self, at: cython.Py_ssize_t, ip_end: cython.Py_ssize_t, version: cython.uint) -> cython.void:
        """Take down where an IP packet starts and ends; a length of 0 is left to the frame."""
        self.ip_at = at
        self.ip_end = ip_end or self.wire_end
        self.marks = (self.marks & ~(LENGTH_FROM_FRAME | MARK_IPV6)) | version | (0 if ip_end else LENGTH_FROM_FRAME)

    @cython.boundscheck(False)
    def _ipv6(self) -> cython.int:
        at: cython.Py_ssize_t = self.at
        length: cython.int
        if not 0 <= at < self.end <= len(self.buffer):
            return TRUNCATED_HEADER
        if self.buffer[at] >> 4 != 6:
            return BAD_IP_HEADER
        if at + 40 > self.end:
            return TRUNCATED_HEADER
        length = sure16(self.buffer, at + 4)
        self._packet(at, at + 40 + length if length else 0, MARK_IPV6)
        self.tos, self.ttl, self.ip_id = (sure16(self.buffer, at) >> 4) & 0xFF, self.buffer[at + 7], 0
        self.src_hi, self.src_lo = sure64(self.buffer, at + 8), sure64(self.buffer, at + 16)
        self.dst_hi, self.dst_lo = sure64(self.buffer, at + 24), sure64(self.buffer, at + 32)
        self.extensions = 0
        self.kind, self.at = IP_PROTOCOL + self.buffer[at + 6], at + 40
        return NEXT

    def _ip_protocol(self) -> cython.int:
        protocol: cython.int = self.kind - IP_PROTOCOL
        if protocol == 17:
            return self._udp()
        if protocol == 51:
            return self._extension(protocol)
        if protocol == 50:
            return NOT_DECODED
        if self.marks & MARK_IPV6:
            if protocol == 44:
                return self._fragment_header()
            if protocol in (0, 43, 60, 135, 139, 140):
                return self._extension(protocol)
        if protocol in (1, 58):
            return self._icmp(protocol)
        return ELSEWHERE if self.peelable[self.kind] else NOT_TCP

    def _extension(self, protocol: cython.int) -> cython.int:
        """RFC 8200 section 4: next header, length; AH (RFC 4302) alone counts its length in words of four."""
        at: cython.Py_ssize_t = self.at
        size: cython.int
        self.extensions += 1
        if self.extensions > self.max_extensions:
            self.too_deep[1] += 1
            return DEPTH_LIMIT
        if at + 2 > self.end:
            return TRUNCATED_HEADER
        size = self.buffer[at + 1]
        size = (size + 2) * 4 if protocol == 51 else (size + 1) * 8
        if at + size > self.ip_end:
            return BAD_IP_HEADER
        if at + size > self.end:
            return TRUNCATED_HEADER
        if protocol == 43:
            self._final_destination(at, size)
        self.kind, self.at = IP_PROTOCOL + self.buffer[at], at + size
        return NEXT

    def _final_destination(self, at: cython.Py_ssize_t, size: cython.int) -> cython.void:
        """Within a source route the destination is the next stop; the peer is the last (RFC 8200 section 8.1)."""
        route: cython.int = self.buffer[at + 2]
        last: cython.Py_ssize_t
        if self.buffer[at + 3] == 0 or size < 24:
            return
        if route in (0, 2):
            last = at + 8 + (size - 8) // 16 * 16 - 16
        elif route == 4:  # RFC 8754: the list is in reverse
            last = at + 8
        else:
            return
        self.dst_hi, self.dst_lo = be64(self.buffer, last), be64(self.buffer, last + 8)

    def _fragment_header(self) -> cython.int:
        at: cython.Py_ssize_t = self.at
        protocol: cython.int
        self.extensions += 1
        if self.extensions > self.max_extensions:
            self.too_deep[1] += 1
            return DEPTH_LIMIT
        if at + 8 > self.end:
            return TRUNCATED_HEADER
        protocol = IP_PROTOCOL + self.buffer[at]
        if be16(self.buffer, at + 2) & 0xFFF9:
            self.kind = FRAGMENT_6
            return ELSEWHERE
        self.kind, self.at = protocol, at + 8  # RFC 6946: an atomic fragment is whole
        return NEXT

    def _icmp(self, protocol: cython.int) -> cython.int:
        """Errors quote the packet that they are about; all else is of no use."""
        kind: cython.int
        if self.at + 8 > self.end:
            return NOT_TCP
        kind = self.buffer[self.at]
        if protocol == 58:
            return ELSEWHERE if 1 <= kind <= 4 else NOT_TCP
        return ELSEWHERE if kind in (3, 4, 5, 11, 12) else NOT_TCP

    def _udp(self) -> cython.int:
        at: cython.Py_ssize_t = self.at
        kind: cython.int
        if at + 8 > self.end:
            return NOT_TCP
        kind = UDP_PORT + be16(self.buffer, at + 2)
        if not self.peelable[kind]:
            kind = UDP_PORT + be16(self.buffer, at)
            if not self.peelable[kind]:
                return NOT_TCP
        self.kind, self.at = kind, at + 8
        return ELSEWHERE

    # TCP

    @cython.boundscheck(False)
    def _tcp(self, batch: Batch) -> cython.int:
        at: cython.Py_ssize_t = self.at
        size: cython.Py_ssize_t = self.ip_end - at
        header: cython.int
        row: cython.Py_ssize_t = batch.n
        # All that is needed for the row, the frame and the octets below to be within their columns and the buffer
        if not (0 <= row < batch.capacity and 0 <= self.index < self.n and at >= 0 and self.end <= len(self.buffer)):
            return NOT_DECODED
        if size < 20:
            return BAD_TCP_HEADER
        if at + 20 > self.end:
            return TRUNCATED_HEADER
        header = (self.buffer[at + 12] >> 4) * 4
        if header < 20 or header > size:
            return BAD_TCP_HEADER
        batch.sport[row], batch.dport[row] = sure16(self.buffer, at), sure16(self.buffer, at + 2)
        batch.seq[row], batch.ack[row] = sure32(self.buffer, at + 4), sure32(self.buffer, at + 8)
        batch.flags[row] = sure16(self.buffer, at + 12) & 0xFFF
        batch.window[row], batch.urgent[row] = sure16(self.buffer, at + 14), sure16(self.buffer, at + 18)
        batch.payload[row], batch.header[row] = size - header, header
        batch.uncaptured[row] = max(0, min(self.ip_end - self.end, size - header))
        self._identity(batch, row)
        take_options(self, batch, row, at + header)
        batch.marks[row] = self.marks | self._lengths() | checksum(self)
        if row < len(self.payload_at):
            self.payload_at[row] = at + header if self.ip_end <= self.end else -1
        batch.n = row + 1
        self.part += 1
        return SEGMENT

    @cython.boundscheck(False)
    def _identity(self, batch: Batch, row: cython.Py_ssize_t) -> cython.void:
        """What the frame and the IP header say."""
        index: cython.Py_ssize_t = self.index
        batch.frame[row] = self.first_frame + index
        batch.time_ns[row] = self.time_ns[index]
        batch.wire_bytes[row] = self.original[index] & M32
        batch.interface[row] = self.interface[index]
        batch.part[row] = self.part
        batch.src_hi[row], batch.src_lo[row] = self.src_hi, self.src_lo
        batch.dst_hi[row], batch.dst_lo[row] = self.dst_hi, self.dst_lo
        batch.net[row] = self.net
        batch.ttl[row], batch.tos[row], batch.ip_id[row] = self.ttl, self.tos, self.ip_id

    @cython.boundscheck(False)
    def _lengths(self) -> cython.uint:
        marks: cython.uint = 0
        if self.ip_end > self.end:
            marks = CUT
        if self.ip_end > self.wire_end and not self.frame_marks[self.index] & ORIGINAL_UNKNOWN:
            marks |= ORIGINAL_LENGTH_WRONG
        return marks
