"""The stupid twin of the decoder: one frame at a time, slices and `struct`, from the RFCs and from nothing else.

`decode()` gives a dict of the batch's columns, the name of the reason why there is none, or `RARE` for what the twin
leaves out (tunnels, fragments, rare links, ICMP errors).  It imports nothing of the package.
"""

from __future__ import annotations

import struct

RARE = "rare"
NO_TIME, AFTER_GAP, BAD, OFFLOAD, GOOD, FROM_FRAME, CUT, IPV6, ORIGINAL, TIME_ODD = (
    1, 2, 64, 128, 256, 512, 1024, 4096, 8192, 32768,
)  # fmt: skip
RARE_LINKS = {
    6,
    7,
    9,
    10,
    50,
    51,
    100,
    104,
    105,
    107,
    109,
    117,
    119,
    122,
    127,
    129,
    138,
    163,
    192,
    197,
    204,
    239,
    242,
    258,
}
RARE_TYPES = {
    0x8847, 0x8848, 0x8864, 0x880B, 0x6558, 0x8903, 0x8909, 0x8926, 0x893F, 0x88E7, 0x88E5, 0x22F3, 0x894F,
}  # fmt: skip
RARE_PROTOCOLS = {4, 41, 94, 47, 97, 137}
RARE_PORTS = {1701, 2152, 3544, 4341, 4754, 4789, 4790, 5072, 6081, 6635, 8472}


class Unused(Exception):  # noqa: N818 - what a frame is, not what went wrong
    pass


def be(data: bytes) -> int:
    return int.from_bytes(data, "big")


def need(data: bytes, size: int) -> bytes:
    if len(data) < size:
        raise Unused("truncated_header")
    return data[:size]


def decode(frame: bytes, link: int = 1, original: int | None = None, mark: int = 0) -> dict[str, object] | str:
    """Columns, a reason, or RARE."""
    if not frame:
        return "empty_frame"
    wire = max(len(frame), len(frame) if original is None else original)
    try:
        vlans: list[int] = []
        version, packet = network(frame, link, vlans)
        if version == RARE:
            return RARE
        # what stood before the IP header was as long on the wire
        room = wire - (len(frame) - len(packet))
        columns = ip(version, packet, room)
    except Unused as reason:
        return str(reason)
    if columns == RARE:
        return RARE
    columns["net"] = sum(number << 12 * place for place, number in enumerate(reversed([v for v in vlans if v])))
    columns["marks"] |= mark & 3 | (TIME_ODD if mark & 8 else 0)
    return columns


# Links


def network(frame: bytes, link: int, vlans: list[int]) -> tuple[object, bytes]:
    """4, 6 or RARE, and the packet."""
    if link == 1:
        need(frame, 14)
        return typed(be(frame[12:14]), frame[14:], vlans)
    if link in (101, 12, 14):
        if frame[0] >> 4 not in (4, 6):
            raise Unused("bad_ip_header")
        return frame[0] >> 4, frame
    if link == 228:
        return 4, frame
    if link == 229:
        return 6, frame
    if link == 113:
        need(frame, 16)
        return typed(be(frame[14:16]), frame[16:], vlans)
    if link == 276:
        need(frame, 20)
        return typed(be(frame[0:2]), frame[20:], vlans)
    if link in (0, 108):
        return loopback(frame)
    if link in RARE_LINKS:
        return RARE, b""
    raise Unused("unsupported_link")


def loopback(frame: bytes) -> tuple[object, bytes]:
    need(frame, 4)
    families = {struct.unpack("<I", frame[:4])[0], struct.unpack(">I", frame[:4])[0]}
    if 2 in families:
        return 4, frame[4:]
    if families & {10, 23, 24, 28, 30}:
        return 6, frame[4:]
    raise Unused("not_ip")


def typed(ethertype: int, rest: bytes, vlans: list[int], *, snap: bool = False) -> tuple[object, bytes]:
    if ethertype <= 1500 and not snap:
        return llc(rest, vlans)
    if ethertype == 0x0800:
        return 4, rest
    if ethertype == 0x86DD:
        return 6, rest
    if ethertype in (0x8100, 0x88A8, 0x9100, 0x9200, 0x9300):
        need(rest, 4)
        if len(vlans) == 8:
            raise Unused("depth_limit")
        vlans.append(be(rest[:2]) & 0xFFF)
        if sum(map(bool, vlans)) > 5:
            return RARE, b""
        return typed(be(rest[2:4]), rest[4:], vlans)
    if ethertype in RARE_TYPES:
        return RARE, b""
    raise Unused("not_ip")


def llc(rest: bytes, vlans: list[int]) -> tuple[object, bytes]:
    need(rest, 3)
    if rest[:3] == b"\x06\x06\x03":
        return 4, rest[3:]
    if rest[:3] != b"\xaa\xaa\x03":
        raise Unused("not_ip")
    need(rest, 8)
    if rest[3:6] not in (b"\0\0\0", b"\0\0\xf8"):
        raise Unused("not_ip")
    return typed(be(rest[6:8]), rest[8:], vlans, snap=True)


# IP


def ip(version: object, packet: bytes, room: int) -> object:
    return ipv4(packet, room) if version == 4 else ipv6(packet, room)


def ipv4(packet: bytes, room: int) -> object:
    need(packet, 1)
    header = (packet[0] & 15) * 4
    if packet[0] >> 4 != 4 or header < 20:
        raise Unused("bad_ip_header")
    need(packet, 20)
    total = be(packet[2:4])
    if 0 < total < header:
        raise Unused("bad_ip_header")
    need(packet, header)
    protocol = packet[9]
    if be(packet[6:8]) & 0x3FFF:
        if protocol in (6, 17) or protocol in RARE_PROTOCOLS:
            return RARE
        raise Unused("not_tcp")
    columns = {"marks": 0 if total else FROM_FRAME, "tos": packet[1], "ttl": packet[8], "ip_id": be(packet[4:6])}
    columns |= {"src_hi": 0, "dst_hi": 0, "src_lo": 0xFFFF << 32 | be(packet[12:16])}
    columns["dst_lo"] = 0xFFFF << 32 | be(packet[16:20])
    addresses = packet[12:16], packet[16:20]
    end = total or room
    return upper(protocol, packet[header:], (end - header, room - header), columns, addresses)


def ipv6(packet: bytes, room: int) -> object:
    need(packet, 1)
    if packet[0] >> 4 != 6:
        raise Unused("bad_ip_header")
    need(packet, 40)
    length = be(packet[4:6])
    columns = {"marks": IPV6 | (0 if length else FROM_FRAME), "tos": be(packet[:2]) >> 4 & 0xFF, "ttl": packet[7]}
    columns["ip_id"] = 0
    size, space = length or room - 40, room - 40
    return upper(packet[6], packet[40:], (size, space), columns, (packet[8:24], packet[24:40]))


def upper(protocol: int, rest: bytes, lengths: tuple[int, int], columns: dict, addresses: tuple) -> object:
    """`lengths`: octets by the IP header, and on the wire, from here on."""
    size, room = lengths
    src, dst = addresses
    v6, extensions = bool(columns["marks"] & IPV6), 0
    while protocol == 51 or (v6 and protocol in (0, 43, 44, 60, 135, 139, 140)):
        extensions += 1
        if extensions > 16:
            raise Unused("depth_limit")
        if protocol == 44:
            need(rest, 8)
            if be(rest[2:4]) & 0xFFF9:
                return RARE
            length = 8
        else:
            need(rest, 2)
            length = (rest[1] + 2) * 4 if protocol == 51 else (rest[1] + 1) * 8
            if length > size:
                raise Unused("bad_ip_header")
            need(rest, length)
            if protocol == 43 and rest[3] and length >= 24 and rest[2] in (0, 2, 4):
                stops = [rest[at : at + 16] for at in range(8, length - 15, 16)]
                dst = stops[0] if rest[2] == 4 else stops[-1]
        protocol, rest, size, room = rest[0], rest[length:], size - length, room - length
    if v6:
        columns |= {"src_hi": be(src[:8]), "src_lo": be(src[8:]), "dst_hi": be(dst[:8]), "dst_lo": be(dst[8:])}
    if protocol == 6:
        return tcp(rest, (size, room), columns, src + dst)
    return other(protocol, rest)


def other(protocol: int, rest: bytes) -> object:
    if protocol == 50:
        raise Unused("not_decoded")
    long = len(rest) >= 8
    tunnel = protocol == 17 and long and (be(rest[:2]) in RARE_PORTS or be(rest[2:4]) in RARE_PORTS)
    errors = {1: (3, 4, 5, 11, 12), 58: (1, 2, 3, 4)}
    if tunnel or protocol in RARE_PROTOCOLS or (long and rest[0] in errors.get(protocol, ())):
        return RARE
    raise Unused("not_tcp")


# TCP


def tcp(rest: bytes, lengths: tuple[int, int], columns: dict, addresses: bytes) -> dict:
    size, room = lengths
    if size < 20:
        raise Unused("bad_tcp_header")
    need(rest, 20)
    fields = struct.unpack(">HHIIHHHH", rest[:20])
    header = (fields[4] >> 12) * 4
    if header < 20 or header > size:
        raise Unused("bad_tcp_header")
    names = ("sport", "dport", "seq", "ack", "flags", "window", "checksum", "urgent")
    columns |= dict(zip(names, fields, strict=True))
    field = columns.pop("checksum")
    columns["flags"] &= 0xFFF
    columns["payload"], columns["header"] = size - header, header
    columns["uncaptured"] = min(max(size - len(rest), 0), size - header)
    columns |= options(rest[20:header], cut=len(rest) < header)
    if size > len(rest):
        columns["marks"] |= CUT
    elif not columns["marks"] & FROM_FRAME:
        columns["marks"] |= verdict(addresses, rest[:size], field)
    if size > room:
        columns["marks"] |= ORIGINAL
    return columns


def ones_sum(data: bytes) -> int:
    """RFC 1071: sum of 16-bit words with the carry brought round."""
    total = 0
    for at in range(0, len(data), 2):
        total += be(data[at : at + 2].ljust(2, b"\0"))
        total = (total & 0xFFFF) + (total >> 16)
    return total


def verdict(addresses: bytes, segment: bytes, field: int) -> int:
    with_length = addresses + struct.pack(">II", len(segment), 6)
    if ones_sum(with_length + segment) == 0xFFFF:
        return GOOD
    if field in (0, ones_sum(with_length), ones_sum(addresses + struct.pack(">II", 0, 6))):
        return OFFLOAD
    return BAD


def options(data: bytes, *, cut: bool) -> dict[str, object]:
    found: dict[str, object] = {"mss": -1, "wscale": -1, "tsval": 0, "tsecr": 0, "sack": [], "tfo_cookie": 0}
    bits = 1024 if cut else 0
    while data and data[0] != 0:
        if data[0] == 1:
            data = data[1:]
            continue
        if len(data) == 1:
            bits |= 0 if cut else 512
            break
        size = data[1]
        if size < 2:
            bits |= 512
            break
        if size > len(data):
            bits |= 0 if cut else 512
            break
        bits |= option(data[0], data[2:size], found)
        data = data[size:]
    return found | {"options": bits}


def option(kind: int, body: bytes, found: dict[str, object]) -> int:
    """Bit of one option; 512 is a wrong size, 256 any other kind."""
    if kind == 254 and body[:2] == b"\xf9\x89":
        kind, body = 34, body[2:]
    sizes = {2: {2}, 3: {1}, 4: {0}, 5: {8, 16, 24, 32}, 8: {8}, 19: {16}, 28: {2}, 29: set(range(2, 39))}
    sizes |= {30: set(range(1, 39)), 34: {0, 4, 6, 8, 10, 12, 14, 16}}
    if kind not in sizes:
        return 256
    if len(body) not in sizes[kind]:
        return 512
    if kind == 2:
        found["mss"] = be(body)
    if kind == 3:
        found["wscale"] = body[0]
    if kind == 5:
        found["sack"] = [be(body[at : at + 4]) for at in range(0, len(body), 4)]
    if kind == 8:
        found["tsval"], found["tsecr"] = be(body[:4]), be(body[4:])
    if kind == 34:
        found["tfo_cookie"] = len(body)
    return {2: 0, 3: 0, 4: 1, 5: 4, 8: 2, 19: 32, 28: 128, 29: 64, 30: 16, 34: 8}[kind]
