"""Packets spoilt in a sound container: headers, options, sequence numbers, order and times."""

from __future__ import annotations

import struct
from functools import lru_cache
from pathlib import Path

from tests.containers import frames_of, pcap_header, pcap_record, pcapng
from tests.corpus import CORPUS

FIXTURES = sorted((Path(__file__).resolve().parents[1] / "fixtures").glob("*.pcap"))
PROBES = sorted((CORPUS / "probes").glob("*.pcap"))
LARGEST = 12_000
AT = {1: 14, 101: 0, 12: 0}  # link type -> where an IP header begins
EDGES = (0, 1, 0x7FFFFFFF, 0x80000000, 0xFFFFFFFF)
SECOND = 10**9


@lru_cache
def sources():
    """The records of every small capture: (link type, [(time, bytes), ...])."""
    return ours() + _of(PROBES)


@lru_cache
def ours():
    """Those that are made of nothing but this repository."""
    return _of(FIXTURES) + _rare()


def _of(paths):
    read = [frames_of(path)[0] for path in paths if path.stat().st_size < LARGEST]
    return [(got[0].link, [(frame.time_ns, frame.data) for frame in got]) for got in read if got]


def _rare():
    """Tunnels, rare link types, fragments and the like: a capture a link type."""
    from tests.robustness.test_decode_mutants import SAMPLES

    by_link = {}
    for number, (frame, link) in enumerate(SAMPLES):
        if link <= 0xFFFF:
            by_link.setdefault(link, []).append((1_700_000_000 * SECOND + number * 1_000_000, frame))
    return list(by_link.items())


# -- ways to spoil: records in, records out ------------------------------------------------------------------------


def drop(chance, records, _link):
    del records[chance.randrange(len(records))]


def twice(chance, records, _link):
    at = chance.randrange(len(records))
    time, data = records[at]
    records.insert(min(at + chance.randrange(4), len(records)), (time + chance.choice((0, 1000, 5 * SECOND)), data))


def swap(chance, records, _link):
    a, b = (chance.randrange(len(records)) for _ in range(2))
    records[a], records[b] = records[b], records[a]


def flip(chance, records, _link):
    at = chance.randrange(len(records))
    octets = bytearray(records[at][1])
    if octets:
        octets[chance.randrange(min(len(octets), 90))] ^= 1 << chance.randrange(8)
    records[at] = records[at][0], bytes(octets)


def cut(chance, records, _link):
    at = chance.randrange(len(records))
    time, data = records[at]
    records[at] = time, data[: chance.randrange(len(data) + 1)]


def jump(chance, records, _link):
    at = chance.randrange(len(records))
    by = chance.choice((-3600, -1, 1, 61, 100_000)) * SECOND
    records[at:] = [(max(time + by, 0), data) for time, data in records[at:]]


def mix(chance, records, link):
    """Packets of another capture among these: often the same addresses and ports."""
    others = [other for kind, found in sources() if kind == link for other in found]
    for _ in range(chance.randrange(1, 8)):
        records.insert(chance.randrange(len(records) + 1), chance.choice(others))


def rewrite(chance, records, link):
    """Another number, flag, window or option in a TCP header."""
    at = chance.randrange(len(records))
    octets = bytearray(records[at][1])
    tcp = AT.get(link, 0) + 20
    if len(octets) < tcp + 20 or octets[tcp - 20] != 0x45:
        return
    what = chance.randrange(6)
    if what < 2:  # seq, ack
        place = tcp + 4 + 4 * what
        number = struct.unpack_from(">I", octets, place)[0]
        near = chance.choice((1, -1, 2, 100, 1460, 65536, 1 << 20, 1 << 30, 1 << 31)) * chance.choice((1, -1))
        number = chance.choice(((number + near) % 2**32, *EDGES, chance.randrange(2**32)))
        struct.pack_into(">I", octets, place, number)
    elif what == 2:
        octets[tcp + 13] = chance.choice((1, 2, 4, 16, 17, 18, 20, 3, 5, 0, 255, chance.randrange(256)))
    elif what == 3:
        struct.pack_into(">H", octets, tcp + 14, chance.choice((0, 1, 65535, chance.randrange(65536))))
    elif what == 4:
        octets[tcp + 12] = chance.randrange(256)
    elif len(octets) > tcp + 21:
        octets[chance.randrange(tcp + 20, min(len(octets), tcp + 40))] = chance.choice((0, 1, 2, 3, 4, 5, 8, 255))
    records[at] = records[at][0], bytes(octets)


WAYS = [drop, twice, swap, flip, cut, jump, mix, rewrite, rewrite, rewrite, rewrite]


def spoilt(chance):
    """Kind and bytes of a capture with spoilt packets, sometimes with the file itself cut or hit as well."""
    link, good = chance.choice(sources())
    records = list(good)
    for _ in range(chance.randrange(1, 9)):
        if records:
            chance.choice(WAYS)(chance, records, link)
    if chance.random() < 0.2:
        kind, data = "packets in pcapng", pcapng(records, chance.choice("<>"), link=link)
    else:
        header = pcap_header(link=link, magic=0xA1B23C4D)
        kind, data = "packets in pcap", header + b"".join(pcap_record(*record, unit=1) for record in records)
    if chance.random() < 0.1:
        data = data[: chance.randrange(len(data) + 1)]
    if chance.random() < 0.1:
        at = chance.randrange(len(data)) if data else 0
        data = data[:at] + bytes([chance.randrange(256)]) + data[at + 1 :]
    return kind, data
