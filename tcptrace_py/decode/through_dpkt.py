"""The everyday layers once more, by dpkt's classes: slow, plain, nothing compiled; the oracle for `_decode`.

Each class of dpkt is given its own header only.  Left to itself dpkt goes on into the payload, and there turns what it
cannot read into plain bytes without a word, or raises what is no error of its own.  Where dpkt has no class, or (TCP
options) hides what is wrong, the header is read here.
"""

from __future__ import annotations

import struct
from typing import TYPE_CHECKING, Any, ClassVar

import dpkt

from tcptrace_py.capture.frames import Mark
from tcptrace_py.decode import _batch, rows
from tcptrace_py.decode._decode import OUTCOME_ELSEWHERE, OUTCOME_SEGMENT
from tcptrace_py.decode.decoder import Decoder
from tcptrace_py.decode.kinds import (
    ETHERNET,
    FRAGMENT_4,
    FRAGMENT_6,
    IP_PROTOCOL,
    IPV4,
    IPV6,
    LINK,
    LLC,
    OURS,
    TCP,
    UDP,
    UDP_PORT,
    VLANS,
)
from tcptrace_py.decode.nets import ROOM, VLAN_BITS
from tcptrace_py.vocabulary import Unused

if TYPE_CHECKING:
    from collections.abc import Callable

    from tcptrace_py.capture.frames import Frames
    from tcptrace_py.decode._batch import Batch

NEXT = -1
RAW_LINKS, LOOPBACKS = (12, 14, 101), (0, 108)
FAMILIES_6 = (10, 23, 24, 28, 30)
EXTENSIONS = (0, 43, 60, 135, 139, 140)
AH, ESP, ICMP, ICMP_6, FRAGMENT_HEADER, ROUTING = 51, 50, 1, 58, 44, 43
ERRORS = {ICMP: (3, 4, 5, 11, 12), ICMP_6: (1, 2, 3, 4)}
SIMPLE_OPTIONS = {  # kind: octets that it must have, bit
    4: (2, 2, _batch.SACK_PERMITTED),
    8: (10, 10, _batch.TIMESTAMP),
    19: (18, 18, _batch.MD5),
    28: (4, 4, _batch.USER_TIMEOUT),
    29: (4, 40, _batch.AUTHENTICATION),
    30: (3, 40, _batch.MPTCP),
}
EXPERIMENT, FAST_OPEN_MAGIC = 254, b"\xf9\x89"


def alone(layer: type[dpkt.Packet]) -> type[dpkt.Packet]:
    """The class `layer` without its descent into the payload."""
    return type(layer.__name__, (layer,), {"unpack": dpkt.Packet.unpack})


Ethernet, VlanTag = alone(dpkt.ethernet.Ethernet), alone(dpkt.ethernet.VLANtag8021Q)
Cooked, Cooked2, Loopback = alone(dpkt.sll.SLL), alone(dpkt.sll2.SLL2), alone(dpkt.loopback.Loopback)
Ip, Ip6, Tcp, Udp = alone(dpkt.ip.IP), alone(dpkt.ip6.IP6), alone(dpkt.tcp.TCP), alone(dpkt.udp.UDP)
Extension, FragmentHeader = alone(dpkt.ip6.IP6OptsHeader), alone(dpkt.ip6.IP6FragmentHeader)


class CutShort(Exception):  # noqa: N818 - no error: the capture ends within a header
    """Fewer octets were captured than the header has."""


class DpktWalk:
    """Does what `_decode.Walk` does, with the same attributes."""

    def __init__(self, peelable: bytes, verify: bool, max_vlans: int, max_extensions: int) -> None:
        self._peelable, self._verify = peelable, verify
        self.max_vlans, self._max_extensions = max_vlans, max_extensions
        self.unused = [0] * len(Unused)
        self.too_deep = [0, 0]
        self.payload_at: list[int] = []
        self.index = self.kind = self.at = self.end = self.wire_end = self.ip_at = self.ip_end = 0
        self.net = self.marks = self.part = self.vlans = self._extensions = 0
        self.src_hi = self.src_lo = self.dst_hi = self.dst_lo = 0
        self._ttl = self._tos = self._ip_id = 0
        self._buffer = memoryview(b"")
        self._frames: Frames

    def use(self, buffer: bytes | bytearray | memoryview) -> None:
        """Read from `buffer` from now on."""
        self._buffer = memoryview(buffer)

    def release(self) -> None:
        """Let go of the buffer."""
        self.use(b"")

    def load(self, frames: Frames) -> None:
        """Take the columns of a `Frames`."""
        self._frames = frames
        self.use(frames.buffer)

    def keep_payloads(self, capacity: int) -> None:
        """From now on note where payloads start."""
        self.payload_at = [-1] * capacity

    def run(self, index: int, batch: Batch) -> int:
        """Decode from frame `index` on; stops when the batch is full, the frames are done, or at ELSEWHERE."""
        outcome = NEXT
        while index < self._frames.n and batch.n < batch.capacity:
            self.enter(index)
            outcome = self.follow(batch) if self.at < self.end else Unused.empty_frame
            if outcome == OUTCOME_ELSEWHERE:
                break
            if outcome != OUTCOME_SEGMENT:
                self.unused[outcome] += 1
            index += 1
        self.index = index
        return outcome

    def enter(self, index: int) -> None:
        """Stand before the first header of frame `index`."""
        frames = self._frames
        captured = int(frames.captured[index])
        self.index, self.kind, self.at = index, LINK + int(frames.link[index]), int(frames.offset[index])
        self.end = self.at + captured
        self.wire_end = self.at + max(captured, int(frames.original[index]))
        self.net = self.vlans = self._extensions = self.part = 0
        self.marks = rows.frame_marks(int(frames.marks[index]))

    def follow(self, batch: Batch) -> int:
        """Walk on from `kind` at `at` to a segment, a reason, or ELSEWHERE."""
        try:
            while True:
                outcome = self._segment(batch) if self.kind == TCP else self._reader()()
                if outcome != NEXT:
                    return outcome
        except CutShort:
            return Unused.truncated_header

    def _reader(self) -> Callable[[], int]:
        kind = self.kind
        readers = {ETHERNET: self._ethernet, IPV4: self._ipv4, IPV6: self._ipv6, UDP: self._udp, LLC: self._llc}
        if kind in readers:
            return readers[kind]
        if kind in VLANS:
            return self._vlan
        if kind < IP_PROTOCOL:
            return self._ethertype
        if kind < UDP_PORT:
            return self._protocol
        return self._link if LINK <= kind < OURS else self._elsewhere

    def _elsewhere(self) -> int:
        if self.kind < OURS and not self._peelable[self.kind]:
            return Unused.not_tcp
        return OUTCOME_ELSEWHERE

    def _take(self, size: int) -> bytes:
        """`size` octets from `at` on, and step over them."""
        at = self.at
        if at + size > self.end:
            raise CutShort
        self.at += size
        return bytes(self._buffer[at : at + size])

    def _header(self, layer: type[dpkt.Packet]) -> Any:
        return layer(self._take(layer.__hdr_len__))

    # Link layers

    def _typed(self, ethertype: int) -> int:
        self.kind = ethertype if ethertype > 1500 else LLC
        return NEXT

    def _ethernet(self) -> int:
        return self._typed(self._header(Ethernet).type)

    def _vlan(self) -> int:
        if self.at + VlanTag.__hdr_len__ > self.end:
            raise CutShort
        tag = VlanTag(bytes(self._buffer[self.at : self.at + VlanTag.__hdr_len__]))
        if tag.id and self.net >> ROOM and self.vlans < self.max_vlans:
            return OUTCOME_ELSEWHERE
        if self.vlans == self.max_vlans:
            self.too_deep[0] += 1
            return Unused.depth_limit
        self.at += VlanTag.__hdr_len__
        self.vlans += 1
        self.net = self.net << VLAN_BITS | tag.id if tag.id else self.net
        return self._typed(tag.type)

    def _link(self) -> int:
        link = self.kind - LINK
        if self.at >= self.end:
            raise CutShort
        if link in RAW_LINKS:
            return self._by_version(self._buffer[self.at] >> 4)
        if link in (228, 229):
            return self._by_version(4 if link == 228 else 6)
        if link == 113:
            return self._typed(self._header(Cooked).ethtype)
        if link == 276:
            return self._typed(self._header(Cooked2).ethtype)
        if link in LOOPBACKS:
            return self._loopback()
        return OUTCOME_ELSEWHERE if self._peelable[self.kind] else Unused.unsupported_link

    def _by_version(self, version: int) -> int:
        if version not in (4, 6):
            return Unused.bad_ip_header
        self.kind = IPV4 if version == 4 else IPV6
        return NEXT

    def _loopback(self) -> int:
        family = self._header(Loopback).family
        family = next((f for f in (family, int.from_bytes(family.to_bytes(4, "little"))) if f < 256), 0)
        if family == 2:
            return self._by_version(4)
        return self._by_version(6) if family in FAMILIES_6 else Unused.not_ip

    def _llc(self) -> int:
        saps = self._take(3)
        if saps == b"\x06\x06\x03":
            return self._by_version(4)
        if saps != b"\xaa\xaa\x03":
            return Unused.not_ip
        snap = self._take(5)
        if snap[:3] not in (b"\0\0\0", b"\0\0\xf8"):
            return Unused.not_ip
        self.kind = int.from_bytes(snap[3:])
        return NEXT

    def _ethertype(self) -> int:
        return OUTCOME_ELSEWHERE if self._peelable[self.kind] else Unused.not_ip

    # IP

    def _ipv4(self) -> int:
        start = self.at
        first = self._take(1)[0]
        self.at = start
        if first >> 4 != 4 or first & 15 < 5:
            return Unused.bad_ip_header
        ip = self._header(Ip)
        self.at = start
        if 0 < ip.len < ip.hl * 4:
            return Unused.bad_ip_header
        self._take(ip.hl * 4)
        self._packet(start, start + ip.len if ip.len else 0, 0)
        self._tos, self._ttl, self._ip_id = ip.tos, ip.ttl, ip.id
        self._addresses(int.from_bytes(ip.src) | rows.MAPPED, int.from_bytes(ip.dst) | rows.MAPPED)
        self.kind = IP_PROTOCOL + ip.p
        if ip.mf or ip.offset:
            wanted = self.kind in (TCP, UDP) or self._peelable[self.kind]
            self.at, self.kind = start, FRAGMENT_4
            return OUTCOME_ELSEWHERE if wanted else Unused.not_tcp
        return NEXT

    def _packet(self, start: int, ip_end: int, version: int) -> None:
        self.ip_at, self.ip_end = start, ip_end or self.wire_end
        self.marks &= ~(_batch.LENGTH_FROM_FRAME | _batch.IPV6)
        self.marks |= version | (0 if ip_end else _batch.LENGTH_FROM_FRAME)

    def _addresses(self, src: int, dst: int) -> None:
        self.src_hi, self.src_lo = divmod(src, 1 << 64)
        self.dst_hi, self.dst_lo = divmod(dst, 1 << 64)

    def _ipv6(self) -> int:
        start = self.at
        if self._take(1)[0] >> 4 != 6:
            return Unused.bad_ip_header
        self.at = start
        ip = self._header(Ip6)
        self._packet(start, self.at + ip.plen if ip.plen else 0, _batch.IPV6)
        self._tos, self._ttl, self._ip_id, self._extensions = ip.fc, ip.hlim, 0, 0
        self._addresses(int.from_bytes(ip.src), int.from_bytes(ip.dst))
        self.kind = IP_PROTOCOL + ip.nxt
        return NEXT

    def _protocol(self) -> int:
        protocol, ipv6 = self.kind - IP_PROTOCOL, bool(self.marks & _batch.IPV6)
        if protocol == AH or (ipv6 and protocol in EXTENSIONS):
            return self._extension(protocol)
        if ipv6 and protocol == FRAGMENT_HEADER:
            return self._fragment_header()
        if protocol == ESP:
            return Unused.not_decoded
        if protocol in ERRORS:
            whole = self.at + 8 <= self.end
            return OUTCOME_ELSEWHERE if whole and self._buffer[self.at] in ERRORS[protocol] else Unused.not_tcp
        return self._elsewhere()

    def _one_extension_more(self) -> bool:
        self._extensions += 1
        self.too_deep[1] += self._extensions > self._max_extensions
        return self._extensions <= self._max_extensions

    def _extension(self, protocol: int) -> int:
        if not self._one_extension_more():
            return Unused.depth_limit
        start = self.at
        header = self._header(Extension)
        size = (header.len + 2) * 4 if protocol == AH else (header.len + 1) * 8
        if start + size > self.ip_end:
            return Unused.bad_ip_header
        self.at = start
        octets = self._take(size)
        if protocol == ROUTING and octets[3] and size >= 24:
            self._final_destination(octets)
        self.kind = IP_PROTOCOL + header.nxt
        return NEXT

    def _final_destination(self, header: bytes) -> None:
        """RFC 8200 section 4.4, RFC 8754: the last stop of a route is the peer."""
        stops = [header[at : at + 16] for at in range(8, len(header) - 15, 16)]
        if header[2] in (0, 2, 4):
            final = stops[0] if header[2] == 4 else stops[-1]
            self.dst_hi, self.dst_lo = struct.unpack(">QQ", final)

    def _fragment_header(self) -> int:
        if not self._one_extension_more():
            return Unused.depth_limit
        start = self.at
        header = self._header(FragmentHeader)
        if header.frag_off or header.m_flag:
            self.at, self.kind = start, FRAGMENT_6
            return OUTCOME_ELSEWHERE
        self.kind = IP_PROTOCOL + header.nxt
        return NEXT

    def _udp(self) -> int:
        if self.at + 8 > self.end:
            return Unused.not_tcp
        udp = self._header(Udp)
        for port in (udp.dport, udp.sport):
            if self._peelable[UDP_PORT + port]:
                self.kind = UDP_PORT + port
                return OUTCOME_ELSEWHERE
        return Unused.not_tcp

    # TCP

    def _segment(self, batch: Batch) -> int:
        start = self.at
        size = self.ip_end - start
        if size < 20:
            return Unused.bad_tcp_header
        tcp = self._header(Tcp)
        header = tcp.off * 4
        if not 20 <= header <= size:
            return Unused.bad_tcp_header
        columns = {"sport": tcp.sport, "dport": tcp.dport, "seq": tcp.seq, "ack": tcp.ack, "window": tcp.win}
        columns |= {"flags": tcp._off_flags & 0xFFF, "urgent": tcp.urp}  # noqa: SLF001 - dpkt keeps 9 of the 12 bits
        columns |= {"payload": size - header, "header": header}
        columns["uncaptured"] = max(0, min(self.ip_end - self.end, size - header))
        columns |= {"src_hi": self.src_hi, "src_lo": self.src_lo, "dst_hi": self.dst_hi, "dst_lo": self.dst_lo}
        columns |= {"net": self.net, "ttl": self._ttl, "tos": self._tos, "ip_id": self._ip_id, "part": self.part}
        options = bytes(self._buffer[start + 20 : min(start + header, self.end)])
        found, sack = read_options(options, cut=start + header > self.end)
        columns |= found
        columns["marks"] = self.marks | self._length_marks() | self._checksum(start, tcp.sum)
        if batch.n < len(self.payload_at):
            self.payload_at[batch.n] = start + header if self.ip_end <= self.end else -1
        rows.append(batch, self._frames, self.index, columns, sack)
        self.part += 1
        return OUTCOME_SEGMENT

    def _length_marks(self) -> int:
        cut = _batch.CUT if self.ip_end > self.end else 0
        told = not int(self._frames.marks[self.index]) & Mark.ORIGINAL_UNKNOWN
        return cut | (_batch.ORIGINAL_LENGTH_WRONG if told and self.ip_end > self.wire_end else 0)

    def _checksum(self, start: int, field: int) -> int:
        if not self._verify or self.ip_end > self.end or self.marks & _batch.LENGTH_FROM_FRAME:
            return 0
        addresses = struct.pack(">QQQQ", self.src_hi, self.src_lo, self.dst_hi, self.dst_lo)
        segment = bytes(self._buffer[start : self.ip_end])
        if dpkt.dpkt.in_cksum(addresses + struct.pack(">II", len(segment), 6) + segment) == 0:
            return _batch.CHECKSUM_GOOD
        partial = (
            dpkt.dpkt.in_cksum(addresses + struct.pack(">II", length, 6)) ^ 0xFFFF for length in (len(segment), 0)
        )
        return _batch.CHECKSUM_OFFLOAD if field in (0, *partial) else _batch.CHECKSUM_BAD


def read_options(octets: bytes, *, cut: bool) -> tuple[dict[str, int], list[tuple[int, int]]]:
    """Columns and SACK blocks of TCP options, as Linux reads them; dpkt's own parser does not tell bad from good."""
    columns = {"options": _batch.TRUNCATED_OPTIONS if cut else 0}
    sack: list[tuple[int, int]] = []
    at = 0
    while at < len(octets) and octets[at] != dpkt.tcp.TCP_OPT_EOL:
        if octets[at] == dpkt.tcp.TCP_OPT_NOP:
            at += 1
            continue
        size = octets[at + 1] if at + 1 < len(octets) else None
        if size is None or size < 2 or at + size > len(octets):
            if not cut or (size is not None and size < 2):
                columns["options"] |= _batch.BAD_OPTION
            break
        body = octets[at + 2 : at + size]
        if octets[at] == dpkt.tcp.TCP_OPT_SACK and len(body) in (8, 16, 24, 32):
            sack = list(struct.iter_unpack(">II", body))
        columns["options"] |= _read_option(octets[at], body, columns)
        at += size
    return columns, sack


def _read_option(kind: int, body: bytes, columns: dict[str, int]) -> int:
    """The option's bit, and what it says into `columns`."""
    if kind == dpkt.tcp.TCP_OPT_MSS and len(body) == 2:
        columns["mss"] = int.from_bytes(body)
        return 0
    if kind == dpkt.tcp.TCP_OPT_WSCALE and len(body) == 1:
        columns["wscale"] = body[0]
        return 0
    if kind == dpkt.tcp.TCP_OPT_SACK and len(body) in (8, 16, 24, 32):
        return _batch.SACK
    if kind == 34 or (kind == EXPERIMENT and body[:2] == FAST_OPEN_MAGIC):
        return _read_fast_open(body if kind == 34 else body[2:], columns)
    if kind in SIMPLE_OPTIONS:
        least, most, bit = SIMPLE_OPTIONS[kind]
        if not least <= len(body) + 2 <= most:
            return _batch.BAD_OPTION
        if bit == _batch.TIMESTAMP:
            columns["tsval"], columns["tsecr"] = struct.unpack(">II", body)
        return bit
    known = (dpkt.tcp.TCP_OPT_MSS, dpkt.tcp.TCP_OPT_WSCALE, dpkt.tcp.TCP_OPT_SACK)
    return _batch.BAD_OPTION if kind in known else _batch.OTHER_OPTION


def _read_fast_open(cookie: bytes, columns: dict[str, int]) -> int:
    """RFC 7413 section 4.1.1: no cookie asks for one; else 4 to 16 octets, an even number."""
    if cookie and not (4 <= len(cookie) <= 16 and len(cookie) % 2 == 0):
        return _batch.BAD_OPTION
    columns["tfo_cookie"] = len(cookie)
    return _batch.FAST_OPEN


class DpktDecoder(Decoder):
    """`Decoder` by dpkt: slow, plain, nothing compiled; what the fast path is checked against.

    Link layers, IP and TCP are read by dpkt's classes; rare layers, for most of which dpkt has none, as `Decoder` does.
    """

    _new_walk: ClassVar[Any] = DpktWalk
