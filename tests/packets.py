"""Packets by hand: the bytes of each layer, with right lengths and checksums, for all tests.

Written with `struct` from the RFCs; knows nothing of the package but the `Frames` columns that `frames()` fills.
Each layer is a function from its payload to bytes, so a packet reads outside in::

    ethernet(vlan(5, ipv4(tcp(SYN, options=mss(1460)))))
"""

from __future__ import annotations

import ipaddress
import struct
from array import array
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from tcptrace_py.capture.frames import Frames

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence
    from pathlib import Path

FIN, SYN, RST, PSH, ACK, URG, ECE, CWR, AE = (1 << bit for bit in range(9))
CLIENT, SERVER = "10.0.0.1", "10.0.0.2"
CLIENT_6, SERVER_6 = "2001:db8::1", "2001:db8::2"
BASE_NS = 1_700_000_000_000_000_000

ETHERTYPE_OF = {4: 0x0800, 6: 0x86DD}


def checksum(data: bytes) -> int:
    """RFC 1071, the stupid way."""
    if len(data) % 2:
        data += b"\0"
    total = sum(struct.unpack(f">{len(data) // 2}H", data))
    while total >> 16:
        total = (total & 0xFFFF) + (total >> 16)
    return ~total & 0xFFFF


# TCP


@dataclass
class Tcp:
    """A TCP segment that learns its addresses, and so its checksum, from the IP layer around it."""

    flags: int = ACK
    seq: int = 1000
    ack: int = 2000
    payload: bytes = b""
    sport: int = 40000
    dport: int = 80
    window: int = 8192
    urgent: int = 0
    options: bytes = b""
    checksum: int | None = None  # None: the right one
    offset: int | None = None  # in words; None: the right one
    protocol: int = field(default=6, init=False)

    def packed(self, src: bytes, dst: bytes) -> bytes:
        options = self.options + b"\0" * (-len(self.options) % 4)
        offset = 5 + len(options) // 4 if self.offset is None else self.offset
        header = struct.pack(
            ">HHIIHHHH",
            self.sport,
            self.dport,
            self.seq % 2**32,
            self.ack % 2**32,
            offset << 12 | self.flags & 0xFFF,
            self.window,
            0,
            self.urgent,
        )
        segment = header + options + self.payload
        if self.checksum is None:
            found = checksum(src + dst + struct.pack(">II", len(segment), 6) + segment)
        else:
            found = self.checksum
        return segment[:16] + struct.pack(">H", found) + segment[18:]


def tcp(flags: int = ACK, **fields: object) -> Tcp:
    return Tcp(flags, **fields)  # type: ignore[arg-type]


def pseudo_sum(segment_length: int, src: str = CLIENT, dst: str = SERVER) -> int:
    """What Linux leaves in the checksum field for the card to finish: the pseudo-header's sum, not complemented."""
    addresses = ipaddress.ip_address(src).packed + ipaddress.ip_address(dst).packed
    return ~checksum(addresses + struct.pack(">II", segment_length, 6)) & 0xFFFF


# TCP options


def option(kind: int, body: bytes = b"", length: int | None = None) -> bytes:
    return bytes([kind, len(body) + 2 if length is None else length]) + body


def mss(size: int) -> bytes:
    return option(2, struct.pack(">H", size))


def wscale(shift: int) -> bytes:
    return option(3, bytes([shift]))


SACK_PERMITTED = option(4)
NOP, EOL = b"\1", b"\0"


def timestamps(value: int, echo: int = 0) -> bytes:
    return option(8, struct.pack(">II", value, echo))


def sack(*blocks: tuple[int, int]) -> bytes:
    return option(5, b"".join(struct.pack(">II", left, right) for left, right in blocks))


# IP


def _transport(payload: Tcp | bytes, src: bytes, dst: bytes) -> bytes:
    return payload.packed(src, dst) if isinstance(payload, Tcp) else payload


def ipv4(  # noqa: PLR0913 - each is a field of the header
    payload: Tcp | bytes = b"",
    src: str = CLIENT,
    dst: str = SERVER,
    *,
    protocol: int = 6,
    ip_id: int = 1,
    ttl: int = 64,
    tos: int = 0,
    options: bytes = b"",
    total: int | None = None,
    fragment: int = 0,
    version: int = 4,
    header: int | None = None,
) -> bytes:
    """`fragment` is the flags and offset field: 0x2000 is "more fragments", the rest the offset in units of 8."""
    source, target = (ipaddress.IPv4Address(address).packed for address in (src, dst))
    body = _transport(payload, source, target)
    options += b"\0" * (-len(options) % 4)
    words = 5 + len(options) // 4 if header is None else header
    length = 20 + len(options) + len(body) if total is None else total
    fixed = struct.pack(">BBHHHBBH", version << 4 | words, tos, length, ip_id, fragment, ttl, protocol, 0)
    whole = fixed + source + target + options
    return whole[:10] + struct.pack(">H", checksum(whole)) + whole[12:] + body


def ipv6(  # noqa: PLR0913
    payload: Tcp | bytes = b"",
    src: str = CLIENT_6,
    dst: str = SERVER_6,
    *,
    protocol: int = 6,
    hops: int = 64,
    traffic_class: int = 0,
    extensions: Sequence[tuple[int, bytes]] = (),
    length: int | None = None,
    final: str | None = None,
) -> bytes:
    """`extensions` are (protocol, bytes after the next-header octet) in order; `final` as of a routing header."""
    source, target = (ipaddress.IPv6Address(address).packed for address in (src, dst))
    body = _transport(payload, source, ipaddress.IPv6Address(final or dst).packed)
    numbers = [number for number, _ in extensions] + [protocol]
    chain = b"".join(bytes([after]) + rest for (_, rest), after in zip(extensions, numbers[1:], strict=True))
    size = len(chain) + len(body) if length is None else length
    return struct.pack(">IHBB", 6 << 28 | traffic_class << 20, size, numbers[0], hops) + source + target + chain + body


def padded_extension(octets: int = 8) -> bytes:
    """A hop-by-hop or destination options header of `octets`, all padding (without its next-header octet)."""
    return bytes([octets // 8 - 1, 1, octets - 4]) + b"\0" * (octets - 4)


def udp(payload: bytes, sport: int, dport: int) -> bytes:
    return struct.pack(">HHHH", sport, dport, 8 + len(payload), 0) + payload


# Link layers: from an IP packet, or whatever `ethertype` says, to a frame


def ethertype_of(packet: bytes) -> int:
    return ETHERTYPE_OF.get(packet[0] >> 4, 0x0800) if packet else 0x0800


def ethernet(payload: bytes, ethertype: int | None = None) -> bytes:
    kind = _kind_of(payload) if ethertype is None else ethertype
    return b"\x02\0\0\0\0\2\x02\0\0\0\0\1" + struct.pack(">H", kind) + bytes(payload)


class Typed(bytes):
    """Bytes that know the ethertype under which they travel."""

    ethertype: int

    @classmethod
    def of(cls, ethertype: int, data: bytes) -> Typed:
        self = cls(data)
        self.ethertype = ethertype
        return self


def _kind_of(payload: bytes) -> int:
    return payload.ethertype if isinstance(payload, Typed) else ethertype_of(payload)


def vlan(number: int, payload: bytes, tpid: int = 0x8100, ethertype: int | None = None) -> Typed:
    kind = _kind_of(payload) if ethertype is None else ethertype
    return Typed.of(tpid, struct.pack(">HH", number, kind) + payload)


def llc_snap(payload: bytes) -> bytes:
    return b"\xaa\xaa\x03\0\0\0" + struct.pack(">H", _kind_of(payload)) + payload


def ieee_802_3(payload: bytes) -> bytes:
    inner = llc_snap(payload)
    return ethernet(inner, len(inner))


def sll(payload: bytes) -> bytes:
    return struct.pack(">HHH8sH", 0, 1, 6, b"\x02\0\0\0\0\1", _kind_of(payload)) + payload


def sll2(payload: bytes) -> bytes:
    return struct.pack(">HHIHBB8s", _kind_of(payload), 0, 1, 1, 0, 6, b"\x02\0\0\0\0\1") + payload


def null(payload: bytes, *, byte_order: str = "<", family_6: int = 30) -> bytes:
    return struct.pack(byte_order + "I", 2 if payload[0] >> 4 == 4 else family_6) + payload


def ppp(payload: bytes) -> bytes:
    return b"\xff\x03" + struct.pack(">H", 0x21 if payload[0] >> 4 == 4 else 0x57) + payload


def pppoe(payload: bytes, session: int = 17) -> Typed:
    inner = ppp(payload)[2:]
    return Typed.of(0x8864, struct.pack(">BBHH", 0x11, 0, session, len(inner)) + inner)


def mpls(payload: bytes, *labels: int) -> Typed:
    last = len(labels) - 1
    stack = b"".join(
        struct.pack(">I", label << 12 | (position == last) << 8 | 64) for position, label in enumerate(labels)
    )
    return Typed.of(0x8847, stack + payload)


def chdlc(payload: bytes) -> bytes:
    return b"\x0f\0" + struct.pack(">H", _kind_of(payload)) + payload


def fddi(payload: bytes) -> bytes:
    return b"\x50" + b"\x02\0\0\0\0\2\x02\0\0\0\0\1" + llc_snap(payload)


def token_ring(payload: bytes, *, route: bytes = b"") -> bytes:
    source = b"\x82\0\0\0\0\1" if route else b"\x02\0\0\0\0\1"
    return b"\x10\x40" + b"\x02\0\0\0\0\2" + source + route + llc_snap(payload)


def arcnet(payload: bytes) -> bytes:
    return b"\1\2" + b"\xd4\0" + b"\0\1" + payload


def ipoib(payload: bytes) -> bytes:
    return struct.pack(">HH", _kind_of(payload), 0) + payload


def wlan(payload: bytes, *, qos: bool = False, to_ds: bool = True, protected: bool = False) -> bytes:
    """An 802.11 data frame."""
    control = struct.pack("<H", 0x0088 if qos else 0x0008)
    control = bytes([control[0], (1 if to_ds else 2) | (0x40 if protected else 0)])
    header = control + b"\0\0" + b"\2\0\0\0\0\1" * 3 + b"\x10\0" + (b"\0\0" if qos else b"")
    return header + llc_snap(payload)


def a_msdu(*payloads: bytes) -> bytes:
    """Several MSDUs in one 802.11 QoS data frame (IEEE 802.11 section 9.3.2.2)."""
    header = b"\x88\x01\0\0" + b"\2\0\0\0\0\1" * 3 + b"\x10\0" + b"\x80\0"
    parts = []
    for payload in payloads:
        inner = llc_snap(payload)
        part = b"\2\0\0\0\0\2\2\0\0\0\0\1" + struct.pack(">H", len(inner)) + inner
        parts.append(part + b"\0" * (-len(part) % 4))
    return header + b"".join(parts)


def radiotap(payload: bytes) -> bytes:
    return struct.pack("<BBHI", 0, 0, 8, 0) + payload


# Tunnels: from an inner packet or frame to an IP packet


def ipip(inner: bytes, src: str = "192.0.2.1", dst: str = "192.0.2.2") -> bytes:
    return ipv4(inner, src, dst, protocol=4 if inner[0] >> 4 == 4 else 41)


def ip_in_ipv6(inner: bytes) -> bytes:
    return ipv6(inner, "2001:db8:f::1", "2001:db8:f::2", protocol=4 if inner[0] >> 4 == 4 else 41)


def gre(inner: bytes, *, protocol: int | None = None, key: int | None = None, sequence: int | None = None) -> bytes:
    flags = (0x2000 if key is not None else 0) | (0x1000 if sequence is not None else 0)
    header = struct.pack(">HH", flags, _kind_of(inner) if protocol is None else protocol)
    for value in (key, sequence):
        header += b"" if value is None else struct.pack(">I", value)
    return ipv4(header + inner, "192.0.2.1", "192.0.2.2", protocol=47)


def gre_pptp(inner: bytes, call: int = 9, *, sequence: int = 1, ack: int | None = None) -> bytes:
    body = ppp(inner)
    header = struct.pack(">HHHHI", 0x3001 | (0x80 if ack is not None else 0), 0x880B, len(body), call, sequence)
    header += b"" if ack is None else struct.pack(">I", ack)
    return ipv4(header + body, "192.0.2.1", "192.0.2.2", protocol=47)


def over_udp(data: bytes, port: int, sport: int = 50000) -> bytes:
    return ipv4(udp(data, sport, port), "192.0.2.1", "192.0.2.2", protocol=17)


def vxlan(frame: bytes, vni: int = 42) -> bytes:
    return over_udp(struct.pack(">II", 0x08000000, vni << 8) + frame, 4789)


def geneve(inner: bytes, vni: int = 42, *, protocol: int = 0x6558, options: bytes = b"") -> bytes:
    return over_udp(struct.pack(">BBHI", len(options) // 4, 0, protocol, vni << 8) + options + inner, 6081)


def gtp_u(packet: bytes, teid: int = 0x1234, *, extension: bytes = b"") -> bytes:
    rest = struct.pack(">HBB", 1, 0, extension[0]) + extension[1:] if extension else b""
    flags = 0x34 if extension else 0x30
    return over_udp(struct.pack(">BBHI", flags, 255, len(rest) + len(packet), teid) + rest + packet, 2152)


def l2tp(packet: bytes, tunnel: int = 7, session: int = 8) -> bytes:
    return over_udp(struct.pack(">HHH", 0x0002, tunnel, session) + ppp(packet), 1701, 1701)


def icmp_error(quoted: bytes, kind: int = 3, code: int = 4, reporter: str = "192.0.2.9", to: str = CLIENT) -> bytes:
    body = struct.pack(">BBHI", kind, code, 0, 0) + quoted
    body = body[:2] + struct.pack(">H", checksum(body)) + body[4:]
    return ipv4(body, reporter, to, protocol=1)


def icmp_error_6(quoted: bytes, kind: int = 2, code: int = 0, reporter: str = "2001:db8::9") -> bytes:
    return ipv6(struct.pack(">BBHI", kind, code, 0, 0) + quoted, reporter, CLIENT_6, protocol=58)


def fragments_4(packet: bytes, size: int) -> list[bytes]:
    """An IPv4 packet without options, in pieces of at most `size` (a multiple of 8) octets of payload."""
    header, body = packet[:20], packet[20:]
    pieces = []
    for at in range(0, len(body), size):
        piece = body[at : at + size]
        more = 0x2000 if at + size < len(body) else 0
        fields = struct.pack(">H", 20 + len(piece)) + header[4:6] + struct.pack(">H", more | at // 8)
        whole = header[:2] + fields + header[8:10] + b"\0\0" + header[12:]
        pieces.append(whole[:10] + struct.pack(">H", checksum(whole)) + whole[12:] + piece)
    return pieces


def fragments_6(packet: bytes, size: int, identification: int = 77) -> list[bytes]:
    """An IPv6 packet without extension headers, in pieces."""
    header, body = packet[:40], packet[40:]
    pieces = []
    for at in range(0, len(body), size):
        piece = body[at : at + size]
        more = at + size < len(body)
        chunk = struct.pack(">BBHI", header[6], 0, at | more, identification) + piece
        pieces.append(header[:4] + struct.pack(">HB", len(chunk), 44) + header[7:] + chunk)
    return pieces


# Frames and files


def frames(  # noqa: PLR0913
    data: Iterable[bytes],
    link: int | Sequence[int] = 1,
    *,
    original: Sequence[int] | None = None,
    first_frame: int = 1,
    step_ns: int = 1_000_000,
    snaplen: int | None = None,
) -> Frames:
    """The columns that a reader would give for these frames."""
    whole = list(data)
    kept = [frame[:snaplen] for frame in whole]
    result = Frames.empty(len(kept))
    sizes = [len(frame) for frame in kept]
    result.buffer, result.n, result.first_frame = b"".join(kept), len(kept), first_frame
    result.captured[:] = array("q", sizes)
    result.offset[:] = array("q", [sum(sizes[:i]) for i in range(len(sizes))])
    result.original[:] = array("q", [len(frame) for frame in whole] if original is None else original)
    result.time_ns[:] = array("q", [BASE_NS + i * step_ns for i in range(len(kept))])
    result.link[:] = array("i", [link] * len(kept) if isinstance(link, int) else link)
    return result


def write_pcap(
    path: Path, data: Iterable[bytes], link: int = 1, *, step_ns: int = 1_000_000, times: Sequence[int] | None = None
) -> Path:
    """A little-endian pcap with nanoseconds."""
    records = [struct.pack("<IHHiIII", 0xA1B23C4D, 2, 4, 0, 0, 262_144, link)]
    for number, frame in enumerate(data):
        time_ns = BASE_NS + number * step_ns if times is None else times[number]
        records.append(struct.pack("<IIII", *divmod(time_ns, 10**9), len(frame), len(frame)) + frame)
    path.write_bytes(b"".join(records))
    return path
