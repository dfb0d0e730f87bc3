"""Containers spoilt: bits, octets, lengths, cuts, zeros, records and blocks in the wrong place; pcap, pcapng, snoop,
compressed ones, and tcpdump's printed text."""

from __future__ import annotations

import bz2
import gzip
import lzma
import struct
from functools import lru_cache

import zstandard

from tests.containers import (
    block,
    enhanced,
    interface,
    obsolete,
    option,
    pcap,
    pcap_record,
    section,
    simple,
    snoop,
    tsoffset,
    tsresol,
)
from tests.corpus import CORPUS
from tests.spoiling.frames import FIXTURES, LARGEST, PROBES, sources

EDGES = (0, 1, 4, 8, 12, 16, 0x7F, 0x80, 0xFF, 0xFFFF, 0x40000, 0x40001, 0x1000000, 0x7FFFFFFF, 0x80000000, 0xFFFFFFFF)
CLOCKS = ((6, 1000), (9, 1), (3, 10**6), (7, 100))  # if_tsresol, ns in a unit
PACK = {
    "gzip": lambda data: gzip.compress(data, 1, mtime=0),
    "bzip2": lambda data: bz2.compress(data, 1),
    "xz": lambda data: lzma.compress(data, preset=0),
    "zstd": lambda data: zstandard.compress(data, 1),
}
SIDES = "10.0.0.1.40000 > 10.0.0.2.80: Flags", "10.0.0.2.80 > 10.0.0.1.40000: Flags"
SYN_OPTIONS = "options [mss 1460,sackOK,TS val 1 ecr 0,nop,wscale 7]"
TEXT = (
    f"12:00:00.000001 IP {SIDES[0]} [S], seq 100, win 64240, {SYN_OPTIONS}, length 0",
    f"12:00:00.010001 IP {SIDES[1]} [S.], seq 900, ack 101, win 65160, options [mss 1460,nop,nop,sackOK], length 0",
    f"12:00:00.020001 IP {SIDES[0]} [.], ack 1, win 502, length 0",
    f"12:00:00.030001 IP {SIDES[0]} [P.], seq 1:101, ack 1, win 502, length 100: HTTP",
    "12:00:00.040001 IP (tos 0x0, ttl 64, id 1, offset 0, flags [DF], proto TCP (6), length 40)",
    f"    {SIDES[1]} [.], cksum 0x1234 (correct), ack 101, win 509, options [nop,nop,sack 1 {{201:301}}], length 0",
    "12:00:00.050001 IP6 2001:db8::1.40000 > 2001:db8::2.443: Flags [S], seq 7, win 64800, length 0",
    "12:00:00.060001 ARP, Request who-has 10.0.0.2 tell 10.0.0.1, length 28",
    f"12:00:00.070001 IP {SIDES[1]} [F.], seq 1, ack 101, win 509, length 0",
    f"12:00:00.080001 IP {SIDES[0]} [R], seq 101, win 0, length 0",
)


# -- what they are made from ---------------------------------------------------------------------------------------


def many_blocks(chance, records, link):
    """A pcapng file with every kind of block: sections of both byte orders, interfaces of several clocks."""
    out = b""
    for _ in range(chance.randrange(1, 4)):
        order = chance.choice("<>")
        out += section(order)
        clocks = [chance.choice(CLOCKS) for _ in range(chance.randrange(1, 4))]
        for resolution, _ in clocks:
            said = option(2, b"eth0", order) + tsresol(resolution, order)
            if chance.random() < 0.2:
                said += tsoffset(chance.choice((-5, 5, 10**6)), order)
            snaplen = chance.choice((0, 65535, 262144))
            out += interface(link, said + option(0, b"", order), order, snaplen=snaplen)
        for time, data in records[: chance.randrange(1, 8)]:
            number = chance.randrange(len(clocks))
            out += _packet_block(chance, time // clocks[number][1], data, order, number)
    return out


def _packet_block(chance, units, data, order, number):
    what = chance.randrange(12)
    if what == 0:
        return obsolete(units, data, order, number=number)
    if what == 1:
        return simple(data, order)
    if what == 2:  # name resolution, statistics, custom, unknown
        extra = block(chance.choice((4, 5, 0xBAD, 0x40000BAD, 0x7000)), bytes(chance.randrange(4) * 4 + 8), order)
        return extra + enhanced(units, data, order, number=number)
    if what == 3:
        said = option(1, b"a comment", order) + option(2, struct.pack(order + "I", 1), order) + option(0, b"", order)
        return enhanced(units, data, order, number=number, options=said)
    return enhanced(units, data, order, number=number)


def as_pcap(chance, records, link):
    """A pcap file of one of the old or rare kinds, or the common one."""
    order, what = chance.choice("<>"), chance.randrange(8)
    if what == 0:
        return pcap(records, order, unit=1, link=link)
    if what == 1:  # version 2.2 and 2.3: the lengths are swapped
        body = b"".join(_swapped(pcap_record(*record, order), order) for record in records)
        return pcap((), order, version=(2, chance.choice((2, 3))), link=link) + body
    if what == 2:  # Kuznetzov's: eight octets more in a record's header
        body = b"".join((made := pcap_record(*record, order))[:16] + bytes(8) + made[16:] for record in records)
        return pcap((), order, magic=0xA1B2CD34, link=link) + body
    if what == 3:
        return pcap(records, order, snaplen=chance.choice((0, 40, 0xFFFFFFFF)), link=link)
    if what == 4:  # the link type has flags: a frame check sequence of four octets
        return pcap([(time, data + bytes(4)) for time, data in records], order, link=link | 0x24000000)
    return pcap(records, order, link=link)


def _swapped(record, order):
    captured, original = struct.unpack_from(order + "II", record, 8)
    return record[:8] + struct.pack(order + "II", original, captured) + record[16:]


@lru_cache
def small_files():
    """The small captures as they stand."""
    folders = (CORPUS / "captures", CORPUS / "tcptrace-suite")
    kinds = {".pcap", ".pcapng", ".dmp", ".cap", ".trace", ".gz"}
    found = [path for folder in folders if folder.is_dir() for path in sorted(folder.iterdir()) if path.suffix in kinds]
    paths = (*FIXTURES, *PROBES, *found)
    return [path.read_bytes() for path in paths if path.is_file() and path.stat().st_size < LARGEST]


def sound(chance):
    """Kind and bytes of a container to be spoilt."""
    link, records = chance.choice(sources())
    records = records[: chance.randrange(1, 12)]
    what = chance.random()
    if what < 0.3:
        return "pcap", as_pcap(chance, records, link)
    if what < 0.65:
        return "pcapng", many_blocks(chance, records, link)
    if what < 0.9:
        return "a small file", chance.choice(small_files())
    if what < 0.95:
        return "printed text", "\n".join(TEXT[: chance.randrange(1, len(TEXT) + 1)]).encode() + b"\n"
    return "snoop", snoop(records)


# -- ways to spoil: octets in, octets out --------------------------------------------------------------------------


def flip(chance, data):
    at = chance.randrange(len(data))
    return data[:at] + bytes([data[at] ^ 1 << chance.randrange(8)]) + data[at + 1 :]


def octet(chance, data):
    at = chance.randrange(len(data))
    return data[:at] + bytes([chance.choice((0, 1, 0x7F, 0x80, 0xFF, chance.randrange(256)))]) + data[at + 1 :]


def number(chance, data):
    """Some aligned word of two or four octets: an edge, or a little more or less than it was."""
    size = chance.choice((2, 4, 4))
    if len(data) < size:
        return data
    at = chance.randrange(0, len(data) - size + 1, size)
    order = chance.choice(("little", "big"))
    was = int.from_bytes(data[at : at + size], order)
    near = was + chance.choice((-4, -1, 1, 4, 256))
    value = chance.choice((*EDGES, near, near, near)) % (1 << 8 * size)
    return data[:at] + value.to_bytes(size, order) + data[at + size :]


def cut(chance, data):
    return data[: chance.randrange(len(data) + 1)]


def zeros(chance, data):
    at = chance.randrange(len(data) + 1)
    return data[:at] + bytes(chance.choice((1, 3, 4, 16, 64, 4096))) + data[at:]


def noise(chance, data):
    at = chance.randrange(len(data) + 1)
    return data[:at] + chance.randbytes(chance.randrange(1, 40)) + data[at:]


def taken_out(chance, data):
    at = chance.randrange(len(data))
    return data[:at] + data[at + chance.choice((1, 2, 4, 16, 40)) :]


def pieces(data):
    """The header and the records or blocks of a container; the rest of what makes no sense is one piece."""
    order = ">" if data[:4] == b"\xa1\xb2\xc3\xd4" or data[8:12] == b"\x1a\x2b\x3c\x4d" else "<"
    ng = data[:4] == b"\x0a\x0d\x0d\x0a"
    found, at = ([] if ng else [data[:24]]), (0 if ng else 24)
    while len(data) - at >= 16:
        if ng:
            order = {b"\x1a\x2b\x3c\x4d": ">", b"\x4d\x3c\x2b\x1a": "<"}.get(data[at + 8 : at + 12], order)
        length = struct.unpack_from(order + "I", data, at + (4 if ng else 8))[0] + (0 if ng else 16)
        if not 12 <= length <= len(data) - at:
            break
        found.append(data[at : at + length])
        at += length
    return [*found, data[at:]] if at < len(data) else found


def shuffled(chance, data):
    """A record or block twice, left out, or changed for another; now and then the header, too."""
    found = pieces(data)
    first = 0 if chance.random() < 0.1 else 1
    if len(found) <= first:
        return data
    a, b = (chance.randrange(first, len(found)) for _ in range(2))
    what = chance.randrange(3)
    if what == 0:
        found[a], found[b] = found[b], found[a]
    elif what == 1:
        found.insert(a, found[b])
    else:
        del found[a]
    return b"".join(found)


def joined(chance, data):
    """Pieces of another container after, or among these."""
    other = pieces(sound(chance)[1])
    mine = pieces(data)
    at = chance.randrange(len(mine) + 1)
    return b"".join([*mine[:at], *other[: chance.randrange(len(other) + 1)], *mine[at:]])


WAYS = [flip, octet, number, number, number, cut, zeros, noise, taken_out, shuffled, shuffled, joined]


def spoilt(chance):
    """Kind and bytes of a spoilt container: one in ten compressed, before or after it was spoilt."""
    kind, data = sound(chance)
    packed = chance.choice(sorted(PACK)) if chance.random() < 0.1 else ""
    early = chance.random() < 0.5
    if packed and early:
        data = PACK[packed](data)
    for _ in range(chance.choice((1, 1, 1, 2, 3))):
        if data:
            data = chance.choice(WAYS)(chance, data)
    if packed and not early:
        data = PACK[packed](data)
    return packed or kind, data
